// The decoder: the forward pass of a target, whose heads also look at what an encoder made of a source.
//
// In: the data of the decoder, the encoder's stream. Out: a machine as `machine` makes it, whose `run` takes both.
// Invariant: a layer has three streams behind it, after its own heads, those that cross, and its neurons.

"use strict";

// Of each block the heads that cross stand behind its own, of which there are `own`.
function decoderMachine(data) {
  const model = machine(data);
  const blocks = model.blocks.map((block, layer) => {
    const size = data.config.layers[layer].n_cross;
    return { ...block, own: block.heads.length, heads: [...block.heads, ...crossHeads(model, layer, size)] };
  });
  const decoder = { ...model, blocks };
  return { ...decoder, run: (ids, memory) => forwardAcross(decoder, ids, memory) };
}

function crossHeads({ tensors }, layer, size) {
  return Array.from({ length: size }, (_, head) =>
    Object.fromEntries(
      ["Q", "K", "V", "O"].map((letter) => [letter, tensors[`blocks.${layer}.cross.W_${letter}`][head]]),
    ),
  );
}

// Everything on the way, as `forward` gives it; of heads that cross, patterns[layer][head][query][key of the source].
function forwardAcross(model, ids, memory) {
  const streams = [embedded(model, ids)];
  const patterns = [];
  const hidden = [];
  for (const block of model.blocks) {
    const found = throughBlock(model, block, streams.at(-1), memory);
    streams.push(...found.streams);
    patterns.push(found.patterns);
    hidden.push(found.active);
  }
  const logits = streams
    .at(-1)
    .slice(1)
    .map((x) => timesMatrix(x, model.unembedding).map(model.round));
  return { ids, streams, patterns, hidden, logits, answers: answersIn(model, logits) };
}

function throughBlock(model, block, arriving, memory) {
  const [own, crossing] = [block.heads.slice(0, block.own), block.heads.slice(block.own)];
  const within = own.map((head) => attend(model, head, arriving));
  const middle = own.length ? plusHeads(model, { heads: own }, within, arriving) : arriving;
  const across = crossing.map((head) => attendAcross(model, head, middle, memory));
  const fetched = crossing.length ? plusHeads(model, { heads: crossing }, across, middle) : middle;
  const active = block.neurons ? activations(model, block.neurons, fetched) : null;
  const last = active ? plusNeurons(model, block.neurons, active, fetched) : fetched;
  return { streams: [middle, fetched, last], patterns: [...within, ...across].map(({ pattern }) => pattern), active };
}

// A head whose queries are of one stream, its keys and values of another: as `attend`.
function attendAcross({ round }, head, resid, memory) {
  const projected = (letter, rows) => rows.map((x) => timesMatrix(x, head[letter]).map(round));
  const [query, key, value] = [projected("Q", resid), projected("K", memory), projected("V", memory)];
  const pattern = query.map((q) => {
    const scores = key.map((k) => round(q.reduce((sum, x, i) => sum + x * k[i], 0)));
    const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const weights = scores.map((score) => Math.exp(score - most));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return Float64Array.from(weights, (weight) => round(weight / total));
  });
  const mixed = pattern.map((weights) => {
    const sum = new Float64Array(head.V.columns);
    value.forEach((row, k) => {
      row.forEach((x, i) => {
        sum[i] += weights[k] * x;
      });
    });
    return sum.map(round);
  });
  return { pattern, mixed };
}
