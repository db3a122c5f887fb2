// The explorer: what the page shows, and what happens when it is used.
//
// In: the facts embedded in the page. Out: the page.
// Invariant: `show` draws everything anew from the state; nothing else draws what the state changes.

"use strict";

// What the page knows and never changes, its state, and `show`: what nearly every function takes first.
function pageOf(data) {
  const known = knowledge(data);
  const page = {
    ...known,
    firstWritten: firstWrites(known),
    lineOf: linesOf(known),
    state: initialState(known),
    show: () => keepingPlace(() => drawAll(page)),
  };
  return page;
}

function knowledge(data) {
  const { config, labels, language } = data;
  const { columns } = labels;
  const model = machine(data);
  const tenants = tenantsOf(labels);
  const families = familiesIn(columns, tenants);
  const steps = stepsOf(model);
  return {
    data,
    config,
    language,
    model,
    columns,
    tenants,
    families,
    steps,
    single: config.vocabulary.every((text) => lengthOf(text) === 1),
    outputs: config.outputs.map(({ name, values }) => ({ name, values: values.map(untagged) })),
    one: columns.findIndex((_, column) => isOne({ tenants }, column)),
    familyOf: new Map(families.flatMap((family) => family.columns.map((column) => [column, family]))),
    variables: variablesOf(labels),
    parts: partsIn(data, model, steps),
    names: new Map(Object.entries(language.lines ?? {})), // the line of each name of the program
    booleans: new Set(language.booleans),
  };
}

function drawAll(page) {
  showStrip(page);
  showRail(page);
  showStep(page);
  showDetail(page);
  showProgram(page);
  showStream(page);
}

// What is selected, from near.
function showDetail(page) {
  const { selected } = page.state;
  const view = {
    head: headDetail,
    neurons: neuronsDetail,
    variable: variableDetail,
    column: columnDetail,
    embedding: embeddingDetail,
    answer: answerDetail,
  }[selected.kind];
  byId("detail").replaceChildren(...view(page, selected).filter(Boolean));
}

// For whoever wants to ask the page from outside.
function forOutside({ model, outputs }) {
  const ran = (texts) => model.run(model.encode(texts));
  return {
    answers: (texts) => {
      const { answers } = ran(texts);
      return outputs.map(({ name, values }, number) => [name, answers[number].map((choice) => plain(values[choice]))]);
    },
    run: (texts) => {
      const { streams, logits } = ran(texts);
      return {
        streams: streams.map((stream) => stream.map((x) => Array.from(x))),
        logits: logits.map((row) => Array.from(row)),
      };
    },
  };
}

function startPage(data) {
  const page = pageOf(data);
  compute(page, data.input);
  showHeader(page);
  showInput(page);
  listen(page);
  go(page, Math.min(1, page.steps.length - 1));
  window.explorer = forOutside(page);
}

startPage(JSON.parse(byId("facts").textContent));
