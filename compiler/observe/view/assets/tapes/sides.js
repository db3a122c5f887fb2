// Sides: what the page knows of the encoder and of the decoder, each as the page of one tape knows its model.
//
// In: the facts embedded in the page. Out: `{encoder, decoder}`, which every view of one tape takes for its page.
// Invariant: what is selected is of one side, the active one; the other has nothing selected.

"use strict";

function sidesOf(data) {
  const decoderModel = decoderMachine(data.decoder);
  const steps = decoderSteps(decoderModel);
  const decoder = sideOf("decoder", data.decoder, decoderModel, steps, decoderParts(data.decoder, decoderModel, steps));
  const encoderModel = machine(data.encoder);
  const stages = encoderSteps(encoderModel);
  const parts = [...encoderParts(data.encoder, encoderModel, stages), ...readersOf(decoder.parts)];
  return { encoder: sideOf("encoder", data.encoder, encoderModel, stages, parts), decoder };
}

function sideOf(side, data, model, steps, parts) {
  const { config, labels, language } = data;
  const { columns } = labels;
  const tenants = tenantsOf(labels);
  const families = familiesIn(columns, tenants);
  const found = {
    side,
    data,
    config,
    language,
    model,
    columns,
    tenants,
    families,
    steps,
    parts,
    single: config.vocabulary.every((text) => lengthOf(text) === 1),
    outputs: config.outputs.map(({ name, values }) => ({ name, values: values.map(untagged) })),
    one: columns.findIndex((_, column) => isOne({ tenants }, column)),
    familyOf: new Map(families.flatMap((family) => family.columns.map((column) => [column, family]))),
    variables: variablesOf(labels),
    names: new Map(Object.entries(language.lines ?? {})),
    booleans: new Set(language.booleans),
    state: initialState({ families }),
  };
  return { ...found, firstWritten: firstWrites(found), lineOf: linesOf(found) };
}

// The views of neurons count two streams a layer. For them, the decoder without the streams between its own heads and
// those that cross; what is selected there is selected in it.
function inPairs(page) {
  if (page.side === "encoder") return page;
  const paired = (stream) => stream - Math.floor((stream + 1) / 3);
  const streams = page.state.run.streams.filter((_, stream) => stream % 3 !== 1);
  const state = Object.create(page.state, { run: { value: { ...page.state.run, streams } } });
  return {
    ...page,
    state,
    tenants: page.tenants.map((some) => some.map((one) => ({ ...one, until: paired(one.until) }))),
    steps: page.steps.map((step) => ({ ...step, stream: paired(step.stream) })),
    show: () => {
      page.state.selected = state.selected;
      page.state.step = state.step;
      page.show();
    },
  };
}
