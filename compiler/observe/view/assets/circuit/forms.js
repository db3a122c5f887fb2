// Forms: sums of columns, [[column, factor], ...], and matrices over columns.
//
// In: forms, cells of a matrix, the stream they read. Out: the same over what the columns hold; the text of a form.
// Invariant: a constant that stands in a column is a part of what is made of 1, never of what the column holds.

"use strict";

const valueIn = (form, x) => form.reduce((sum, [column, c]) => sum + c * x[column], 0);

const offsetOf = (page, form, stream) => form.reduce((sum, [column, c]) => sum + c * offsetIn(page, column, stream), 0);

// A form over what the columns hold: the constants that stand beside that are taken out of it, as far as they cancel.
function foldedForm(page, form, stream) {
  const constant = form.reduce(
    (sum, [column, c]) => sum + c * (isOne(page, column) ? 1 : offsetIn(page, column, stream)),
    0,
  );
  const rest = form.filter(([column]) => !isOne(page, column));
  return constant ? [...rest, [page.one, constant]] : rest;
}

function formText(page, form, most, stream) {
  const text = form
    .map(([column, c], at) => {
      const size = Math.abs(c) === 1 ? "" : `${brief(Math.abs(c))}·`;
      return `${c < 0 ? (at ? " − " : "−") : at ? " + " : ""}${size}${nameAt(page, column, stream)}`;
    })
    .join("");
  return clipped(text, most);
}

// The matrix over what the columns hold: what it makes of the constants beside that is a part of what it makes of 1.
// `both`: its columns, too, are columns of the stream.
function foldedCells(page, cells, stream, both = false) {
  const { one } = page;
  const found = new Map();
  const add = (row, column, value) => {
    const key = `${row} ${column}`;
    const old = found.get(key) ?? { value: 0, size: 0 };
    found.set(key, { row, column, value: old.value + value, size: Math.max(old.size, Math.abs(value)) });
  };
  for (const { row, column, value } of cells) {
    const [down, across] = [offsetIn(page, row, stream), both ? offsetIn(page, column, stream) : 0];
    add(row, column, value);
    if (down) add(one, column, value * down);
    if (across) add(row, one, value * across);
    if (down && across) add(one, one, value * down * across);
  }
  return [...found.values()].filter(({ value, size }) => Math.abs(value) > size * 1e-12);
}
