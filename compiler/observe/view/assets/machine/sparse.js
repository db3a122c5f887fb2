// Sparse matrices: {rows, columns} and, by flat arrays, the {row, column, value} of each entry that is not zero.
//
// In: tensors as the page stores them. Out: matrices, their products and other shapes.
// Invariant: sums are taken in float64.

"use strict";

// A stored tensor as matrices, one for each head.
function unpack(stored) {
  const leading = Array.from({ length: 3 - stored.shape.length }, () => 1);
  const [heads, rows, columns] = [...leading, ...stored.shape];
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

// x [row] times a matrix, added to `sum`.
function timesMatrix(x, matrix, sum = new Float64Array(matrix.columns)) {
  const { row, column, value } = matrix;
  for (let at = 0; at < value.length; at += 1) sum[column[at]] += x[row[at]] * value[at];
  return sum;
}

// The same matrix as an array for each row.
function dense(matrix) {
  const found = Array.from({ length: matrix.rows }, () => new Float64Array(matrix.columns));
  matrix.value.forEach((value, at) => {
    found[matrix.row[at]][matrix.column[at]] = value;
  });
  return found;
}

const transposed = (matrix) => ({
  rows: matrix.columns,
  columns: matrix.rows,
  row: matrix.column,
  column: matrix.row,
  value: matrix.value,
});

// The entries one by one.
const entriesOf = (matrix) =>
  matrix.value.map((value, at) => ({ row: matrix.row[at], column: matrix.column[at], value }));

// The entries of rows of numbers that are not zero.
const cellsOf = (rows) =>
  rows.flatMap((row, at) => Array.from(row).flatMap((value, column) => (value ? [{ row: at, column, value }] : [])));

const ascending = (some) => [...new Set(some)].sort((a, b) => a - b);
const rowsOf = (matrix) => ascending(matrix.row);
const columnsOf = (matrix) => ascending(matrix.column);

// The entries of a product; sums that cancel are left out.
function product(first, second, factor = 1) {
  const rows = Array.from({ length: second.rows }, () => []);
  second.row.forEach((row, at) => rows[row].push([second.column[at], second.value[at]]));
  const found = new Map();
  first.row.forEach((row, at) =>
    rows[first.column[at]].forEach(([column, value]) => {
      const key = row * second.columns + column;
      found.set(key, (found.get(key) ?? 0) + first.value[at] * value * factor);
    }),
  );
  return [...found]
    .filter(([, value]) => value !== 0)
    .map(([key, value]) => ({ row: Math.floor(key / second.columns), column: key % second.columns, value }));
}
