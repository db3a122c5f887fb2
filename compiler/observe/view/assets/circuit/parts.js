// Parts: everything that reads or writes the stream, by the steps of the computation.
//
// In: the data of a page, its machine. Out: steps and parts, in order of computation; each part's line of the program.
// Invariant: what a part reads and writes are the rows and columns of its weights that are not zero.

"use strict";

// The embedding, each layer's attention and MLP as far as it has them, the answer. `stream`: the one after the step.
function stepsOf(model) {
  const layers = model.blocks.flatMap((block, layer) => {
    const attention = { kind: "attention", layer, stream: 2 * layer + 1 };
    const mlp = { kind: "mlp", layer, stream: 2 * layer + 2 };
    return [
      block.heads.length ? { ...attention, title: `Layer ${layer}, attention`, short: `L${layer} attention` } : null,
      block.neurons ? { ...mlp, title: `Layer ${layer}, MLP`, short: `L${layer} MLP` } : null,
    ].filter(Boolean);
  });
  return [
    { kind: "embedding", stream: 0, title: "Embedding", short: "embedding" },
    ...layers,
    { kind: "answer", stream: 2 * model.blocks.length, title: "Unembedding", short: "answer" },
  ];
}

// Embedding, heads, groups of neurons, answer. `step`: the number of the step that a part belongs to.
function partsIn(data, model, steps) {
  const stepOf = (kind, layer) => steps.findIndex((step) => step.kind === kind && step.layer === layer);
  const tables = ["embed.W_E", "embed.W_pos"].flatMap((name) => model.tensors[name] ?? []);
  const layers = model.blocks.flatMap((block, layer) => [
    ...block.heads.map((head, number) => headPart(data, layer, number, stepOf("attention", layer), head)),
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

function headPart({ labels, scales, language }, layer, number, step, head) {
  const [queries, keys, values] = ["Q", "K", "V"].map((letter) => rowsOf(head[letter]));
  return {
    kind: "head",
    id: `L${layer}H${number}`,
    layer,
    number,
    step,
    ...labels.layers[layer].heads[number],
    queries,
    keys,
    values,
    reads: [...new Set([...queries, ...keys, ...values])],
    writes: columnsOf(head.O),
    scale: scales[layer][number],
    link: language.heads?.[layer]?.[number] ?? { node: null, line: null },
  };
}

// The neurons of a layer, those together that read the same number: a form, of which each reads a multiple.
function groupsOf(neurons, labels, layer) {
  const groups = new Map();
  membersOf(neurons, labels).forEach(({ form, ...member }) => {
    const key = form.map(([column, value]) => `${column}:${value.toPrecision(6)}`).join();
    if (!groups.has(key)) groups.set(key, { form, members: [] });
    groups.get(key).members.push(member);
  });
  return [...groups.values()].map(({ form, members }, number) => ({
    id: `L${layer} group ${number}`,
    form,
    members,
    reads: form.map(([column]) => column),
    writes: ascending(members.flatMap(({ out }) => out.map(([column]) => column))),
  }));
}

// Each neuron: it reads `factor` times its form, adds `bias`, and writes `out`: [[column, factor], ...].
function membersOf(neurons, labels) {
  if (!neurons) return [];
  const reading = Array.from(neurons.bias, () => []);
  const writing = Array.from(neurons.bias, () => []);
  neurons.in.value.forEach((value, at) => reading[neurons.in.column[at]].push([neurons.in.row[at], value]));
  neurons.out.value.forEach((value, at) => writing[neurons.out.row[at]].push([neurons.out.column[at], value]));
  return reading.map((terms, n) => {
    const size = terms.length ? Math.min(...terms.map(([, value]) => Math.abs(value))) : 0; // 0: it reads nothing
    const sign = Math.sign(terms[0]?.[1] ?? 1);
    return {
      n,
      form: terms.map(([column, value]) => [column, (sign * value) / size]),
      factor: sign * size,
      bias: neurons.bias[n],
      out: writing[n],
      does: labels[n].does,
    };
  });
}

const partsAt = ({ parts }, step) => parts.filter((part) => part.step === step);

// The stream that a part reads.
function before({ steps }, part) {
  const { kind, stream } = steps[part.step];
  return Math.max(0, stream - (kind === "answer" ? 0 : 1));
}

// For each column the first step that writes into it what it holds, not only a constant beside that.
function firstWrites(page) {
  return page.columns.map((_, column) => {
    const isConstant = (part) => part.step === 0 && hasOffset(page, column);
    const writers = page.parts.filter((part) => part.writes.includes(column) && !isConstant(part));
    return Math.min(...writers.map((part) => part.step));
  });
}

// The line of the program a part stands for: of its selector, of a variable it writes, or of what it serves.
function linesOf(page) {
  const { parts, names, outputs } = page;
  const found = new Map();
  const nextOf = (part) =>
    parts.find(
      (other) =>
        other.step > part.step && found.get(other.id) && other.reads.some((column) => part.writes.includes(column)),
    );
  for (const part of [...parts].reverse()) {
    if (part.kind === "embedding") continue;
    found.set(
      part.id,
      part.link?.line ??
        names.get(writtenBy(page, part)?.name) ??
        names.get(part.kind === "answer" ? outputs[0].name : undefined) ??
        found.get(nextOf(part)?.id),
    );
  }
  return found;
}

// A variable of the program that a part writes alone.
function writtenBy(page, part) {
  const isWritten = (column) => part.writes.includes(column);
  return page.variables.find(
    ({ name, columns }) =>
      page.names.has(name) &&
      columns.some((column) => isWritten(column) && !isOne(page, column)) &&
      columns.every((column) => isWritten(column) || isOne(page, column)),
  );
}
