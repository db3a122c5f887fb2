// The machine: the forward pass of a transformer, in the precision of its checkpoint.
//
// In: the data of a page. Out: `machine(data)`, which runs token ids and keeps everything on the way.
// Invariant: sums are taken in float64, and every tensor that torch would hold is rounded once to the model's dtype.

"use strict";

const roundTo = {
  float64: (x) => x,
  float32: Math.fround,
  bfloat16: (x) => Math.fround(significant(x, 8)),
  float16: (x) => {
    const size = Math.abs(x);
    if (!(size < 65520)) return x > 0 ? Infinity : x < 0 ? -Infinity : x;
    return size < 2 ** -14 ? evenly(x * 2 ** 24) / 2 ** 24 : significant(x, 11);
  },
};

// The nearest number of so many significant bits; halfway goes to the even one.
function significant(x, bits) {
  const size = Math.abs(x);
  if (size === 0 || !Number.isFinite(x)) return x;
  const unit = 2 ** (Math.floor(Math.log2(size)) - bits + 1);
  return evenly(x / unit) * unit;
}

function evenly(x) {
  const low = Math.floor(x);
  const above = x - low;
  return above > 0.5 || (above === 0.5 && low % 2 !== 0) ? low + 1 : low;
}

// A stored tensor as its entries that are not zero: [head, row, column, value] by flat arrays.
function unpack(stored) {
  const shape =
    stored.shape.length === 1
      ? [1, 1, ...stored.shape]
      : stored.shape.length === 2
        ? [1, ...stored.shape]
        : stored.shape;
  const [heads, rows, columns] = shape;
  const parts = Array.from({ length: heads }, () => ({ rows, columns, row: [], column: [], value: [] }));
  let place = 0;
  stored.skip.forEach((skip, at) => {
    place += skip;
    const part = parts[Math.floor(place / (rows * columns))];
    part.row.push(Math.floor(place / columns) % rows);
    part.column.push(place % columns);
    part.value.push(stored.numbers[stored.pick[at]]);
  });
  return parts;
}

// x [row] times a sparse matrix, added to `sum`.
function times(x, matrix, sum = new Float64Array(matrix.columns)) {
  const { row, column, value } = matrix;
  for (let at = 0; at < value.length; at += 1) sum[column[at]] += x[row[at]] * value[at];
  return sum;
}

function machine(data) {
  const { config } = data;
  const round = roundTo[config.dtype];
  const rounded = (x) => x.map(round);
  const tensors = Object.fromEntries(Object.entries(data.tensors).map(([name, stored]) => [name, unpack(stored)]));
  const dense = (name) => {
    const [matrix] = tensors[name];
    const found = Array.from({ length: matrix.rows }, () => new Float64Array(matrix.columns));
    matrix.value.forEach((value, at) => {
      found[matrix.row[at]][matrix.column[at]] = value;
    });
    return found;
  };
  const embedding = dense("embed.W_E");
  const positions = data.tensors["embed.W_pos"] ? dense("embed.W_pos") : null;
  const blocks = config.layers.map((shape, number) => ({
    heads: Array.from({ length: shape.n_heads }, (_, head) =>
      Object.fromEntries(
        ["Q", "K", "V", "O"].map((letter) => [letter, tensors[`blocks.${number}.attn.W_${letter}`][head]]),
      ),
    ),
    neurons: shape.d_mlp
      ? {
          in: tensors[`blocks.${number}.mlp.W_in`][0],
          bias: dense(`blocks.${number}.mlp.b_in`)[0],
          out: tensors[`blocks.${number}.mlp.W_out`][0],
        }
      : null,
  }));
  const [unembedding] = tensors["unembed.W_U"];
  const known = new Map(config.vocabulary.map((text, id) => [text, id]));

  // Token ids of texts. Throws an Error with what is wrong.
  function encode(texts) {
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

  function attend(head, resid) {
    const [query, key, value] = ["Q", "K", "V"].map((letter) => resid.map((x) => rounded(times(x, head[letter]))));
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
      return rounded(sum);
    });
    return { pattern, mixed };
  }

  // Everything on the way from ids to answers: streams[s][position][column], patterns[layer][head][query][key], ...
  function run(ids) {
    let resid = [config.vocabulary.length, ...ids].map((id, at) =>
      embedding[id].map((x, column) => round(x + (positions ? positions[at][column] : 0))),
    );
    const streams = [resid];
    const patterns = [];
    const hidden = [];
    for (const block of blocks) {
      const arriving = resid;
      const heads = block.heads.map((head) => attend(head, arriving));
      patterns.push(heads.map((head) => head.pattern));
      if (heads.length) {
        resid = resid.map((x, at) => {
          const sum = new Float64Array(config.d_model);
          heads.forEach((head, number) => times(head.mixed[at], block.heads[number].O, sum));
          return x.map((old, column) => round(old + round(sum[column])));
        });
      }
      streams.push(resid);
      let active = null;
      if (block.neurons) {
        active = resid.map((x) =>
          times(x, block.neurons.in, Float64Array.from(block.neurons.bias)).map((sum) => Math.max(round(sum), 0)),
        );
        resid = resid.map((x, at) => {
          const sum = times(active[at], block.neurons.out);
          return x.map((old, column) => round(old + round(sum[column])));
        });
      }
      hidden.push(active);
      streams.push(resid);
    }
    const logits = resid.slice(1).map((x) => rounded(times(x, unembedding)));
    return { ids, streams, patterns, hidden, logits, answers: answers(logits) };
  }

  // For each output the number of the best logit at each position.
  function answers(logits) {
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

  return { config, tensors, blocks, embedding, positions, unembedding, encode, run };
}
