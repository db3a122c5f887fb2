// Attention: where heads look on the input.
//
// In: heads, the run on the input. Out: their weights, as cells and as what they look at.
// Invariant: a head that counts is shown as what each selected key adds, whatever weight that key has.

"use strict";

const headName = (head) => clipped(head.what ?? head.purpose, 200);

// A head that counts gives each selected key 1 / scale, and enlarges what it finds by as much.
const isCount = (head) => head.scale > 1;
const powerOf = (head) => Math.round(Math.log(head.scale));

// The weights of a head on the input [query][key], bos first.
const weightsOf = ({ state }, head) => state.run.patterns[head.layer][head.number];

// The attention of a head as cells: what one selected key adds, and bos in front.
function patternCells(page, head) {
  return weightsOf(page, head)
    .slice(1)
    .flatMap((weights, row) =>
      Array.from(weights, (weight, column) => ({
        row,
        column,
        value: column === 0 ? weight : Math.min(1, weight * head.scale),
      })),
    )
    .filter(({ value }) => value > 1e-4);
}

// Which keys a head looks at: [query][key].
function looksAt(page, head) {
  const least = isCount(head) ? 0.5 : 1e-6;
  return weightsOf(page, head)
    .slice(1)
    .map((weights) => Array.from(weights.slice(1), (weight) => weight * head.scale > least));
}
