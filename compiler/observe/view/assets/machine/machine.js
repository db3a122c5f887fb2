// The machine: the forward pass of a transformer, in the precision of its checkpoint.
//
// In: the data of a page. Out: `machine(data)`, which runs token ids and keeps everything on the way.
// Invariant: sums are taken in float64, and every tensor that torch would hold is rounded once to the model's dtype.

"use strict";

function machine(data) {
  const { config } = data;
  const tensors = Object.fromEntries(Object.entries(data.tensors).map(([name, stored]) => [name, unpack(stored)]));
  const model = {
    config,
    tensors,
    round: roundTo[config.dtype],
    blocks: config.layers.map((shape, number) => blockOf(shape, tensors, `blocks.${number}`)),
    embedding: dense(tensors["embed.W_E"][0]),
    positions: tensors["embed.W_pos"] ? dense(tensors["embed.W_pos"][0]) : null,
    unembedding: tensors["unembed.W_U"][0],
  };
  const known = new Map(config.vocabulary.map((text, id) => [text, id]));
  return { ...model, encode: (texts) => encode(config, known, texts), run: (ids) => forward(model, ids) };
}

function blockOf(shape, tensors, name) {
  return {
    heads: Array.from({ length: shape.n_heads }, (_, head) =>
      Object.fromEntries(["Q", "K", "V", "O"].map((letter) => [letter, tensors[`${name}.attn.W_${letter}`][head]])),
    ),
    neurons: shape.d_mlp
      ? {
          in: tensors[`${name}.mlp.W_in`][0],
          bias: dense(tensors[`${name}.mlp.b_in`][0])[0],
          out: tensors[`${name}.mlp.W_out`][0],
        }
      : null,
  };
}

// Token ids of texts. Throws an Error with what is wrong.
function encode(config, known, texts) {
  if (!texts.length) throw new Error("The input is empty: give at least one token.");
  if (texts.length > config.max_length) {
    throw new Error(`${texts.length} tokens are too many: the model holds ${config.max_length}.`);
  }
  return texts.map((text) => {
    const id = known.get(text) ?? (config.unknown === null ? undefined : known.get(config.unknown));
    if (id === undefined) throw new Error(`“${text}” is not in the vocabulary.`);
    return id;
  });
}

// Everything on the way from ids to answers: streams[s][position][column], patterns[layer][head][query][key], ...
function forward(model, ids) {
  let resid = embedded(model, ids);
  const streams = [resid];
  const patterns = [];
  const hidden = [];
  for (const block of model.blocks) {
    const arriving = resid;
    const heads = block.heads.map((head) => attend(model, head, arriving));
    patterns.push(heads.map((head) => head.pattern));
    if (heads.length) resid = plusHeads(model, block, heads, resid);
    streams.push(resid);
    const active = block.neurons ? activations(model, block.neurons, resid) : null;
    if (active) resid = plusNeurons(model, block.neurons, active, resid);
    hidden.push(active);
    streams.push(resid);
  }
  const logits = resid.slice(1).map((x) => timesMatrix(x, model.unembedding).map(model.round));
  return { ids, streams, patterns, hidden, logits, answers: answersIn(model, logits) };
}

// The stream [position][column] before the first block, bos first.
function embedded({ config, embedding, positions, round }, ids) {
  return [config.vocabulary.length, ...ids].map((id, at) =>
    embedding[id].map((x, column) => round(x + (positions ? positions[at][column] : 0))),
  );
}

// A head on a stream: its pattern [query][key], and at each query the mean of its values.
function attend({ config, round }, head, resid) {
  const [query, key, value] = ["Q", "K", "V"].map((letter) =>
    resid.map((x) => timesMatrix(x, head[letter]).map(round)),
  );
  const pattern = query.map((q, at) => {
    const seen = config.causal ? at + 1 : key.length;
    const scores = Array.from({ length: seen }, (_, k) => round(q.reduce((sum, x, i) => sum + x * key[k][i], 0)));
    const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const weights = scores.map((score) => Math.exp(score - most));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return Float64Array.from(key, (_, k) => (k < seen ? round(weights[k] / total) : 0));
  });
  const mixed = pattern.map((weights) => {
    const sum = new Float64Array(head.V.columns);
    weights.forEach((weight, k) => {
      if (weight) {
        value[k].forEach((x, i) => {
          sum[i] += weight * x;
        });
      }
    });
    return sum.map(round);
  });
  return { pattern, mixed };
}

function plusHeads({ config, round }, block, heads, resid) {
  return resid.map((x, at) => {
    const sum = new Float64Array(config.d_model);
    heads.forEach((head, number) => timesMatrix(head.mixed[at], block.heads[number].O, sum));
    return x.map((old, column) => round(old + round(sum[column])));
  });
}

// What each neuron holds after its ReLU: [position][neuron].
function activations({ round }, neurons, resid) {
  return resid.map((x) =>
    timesMatrix(x, neurons.in, Float64Array.from(neurons.bias)).map((sum) => Math.max(round(sum), 0)),
  );
}

function plusNeurons({ round }, neurons, active, resid) {
  return resid.map((x, at) => {
    const sum = timesMatrix(active[at], neurons.out);
    return x.map((old, column) => round(old + round(sum[column])));
  });
}

// For each output the number of the best logit at each position.
function answersIn({ config }, logits) {
  let start = 0;
  return config.outputs.map(({ values }) => {
    const from = start;
    start += values.length;
    return logits.map((row) => {
      let best = 0;
      for (let at = 1; at < values.length; at += 1) if (row[from + at] > row[from + best]) best = at;
      return best;
    });
  });
}
