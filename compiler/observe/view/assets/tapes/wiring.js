// Wiring: the steps and parts of an encoder and a decoder, and what the one reads of the other.
//
// In: the data of a side, its machine. Out: steps and parts, as `stepsOf` and `partsIn` give them for one tape.
// Invariant: a head that crosses reads two streams: its queries the decoder's, its keys and values the encoder's.

"use strict";

// The encoder has no answer: its last stream is read by heads that cross.
const encoderSteps = (model) => stepsOf(model).slice(0, -1);
const encoderParts = (data, model, steps) => partsIn(data, model, steps).slice(0, -1);

// The embedding, each layer's own attention, cross-attention and MLP as far as it has them, the answer.
function decoderSteps(model) {
  const layers = model.blocks.flatMap(({ own, heads, neurons }, layer) => {
    const step = (kind, stream, title, short, crosses = false) => ({
      kind,
      layer,
      crosses,
      stream: 3 * layer + stream,
      title: `Layer ${layer}, ${title}`,
      short: `L${layer} ${short}`,
    });
    return [
      own ? step("attention", 1, "attention", "attention") : null,
      heads.length > own ? step("attention", 2, "cross-attention", "cross", true) : null,
      neurons ? step("mlp", 3, "MLP", "MLP") : null,
    ].filter(Boolean);
  });
  return [
    { kind: "embedding", stream: 0, title: "Embedding", short: "embedding" },
    ...layers,
    { kind: "answer", stream: 3 * model.blocks.length, title: "Unembedding", short: "answer" },
  ];
}

function decoderParts(data, model, steps) {
  const stepOf = (kind, layer, crosses = false) =>
    steps.findIndex((step) => step.kind === kind && step.layer === layer && step.crosses === crosses);
  const tables = ["embed.W_E", "embed.W_pos"].flatMap((name) => model.tensors[name] ?? []);
  const layers = model.blocks.flatMap((block, layer) => [
    ...block.heads.map((head, number) => {
      const crosses = number >= block.own;
      const part = headPart(data, layer, number, stepOf("attention", layer, crosses), head);
      return crosses ? { ...part, id: `L${layer}C${number - block.own}`, crosses, reads: part.queries } : part;
    }),
    ...groupsOf(block.neurons, data.labels.layers[layer].neurons, layer).map((group) => ({
      kind: "neurons",
      layer,
      step: stepOf("mlp", layer),
      ...group,
    })),
  ]);
  return [
    { kind: "embedding", id: "embedding", step: 0, reads: [], writes: tables.flatMap(columnsOf) },
    ...layers,
    { kind: "answer", id: "answer", step: steps.length - 1, reads: rowsOf(model.unembedding), writes: [] },
  ];
}

// The heads that cross as the encoder's columns know them: readers that stand in none of its steps.
const readersOf = (parts) =>
  parts
    .filter(({ crosses }) => crosses)
    .map((across) => ({
      kind: "head",
      id: across.id,
      purpose: across.purpose,
      reads: [...new Set([...across.keys, ...across.values])],
      writes: [],
      across,
    }));
