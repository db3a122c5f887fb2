// Matrices of weights as figures, over the columns of the stream.
//
// In: cells {row, column, value} of a matrix. Out: figures.
// Invariant: a row without cells is left out; a constant beside what a column holds is folded into what is made of 1.

"use strict";

// The longest sides of a matrix whose values are written into its cells.
const MOST_NUMBERS = { cells: 260, columns: 18 };

// A matrix without its empty rows and columns; with `all`, without its empty rows only.
//   name, caption   its title        side, top   what rows and columns are
//   rowNames, columnNames   the names of all of them
function matrixFigure({ name, caption, cells, side, top, rowNames, columnNames, all = false }) {
  const rows = ascending(cells.map(({ row }) => row));
  const columns = all ? [...columnNames.keys()] : ascending(cells.map(({ column }) => column));
  const title = [element("b", {}, name), ` ${caption}`];
  if (!rows.length) return figure(title, quiet("Zero: nothing is read."));
  const placed = cells
    .map(({ row, column, value }) => ({ row: rows.indexOf(row), column: columns.indexOf(column), value }))
    .sort((a, b) => a.row - b.row || a.column - b.column);
  const values = new Map(placed.map(({ row, column, value }) => [row * columns.length + column, value]));
  const says = (r, c) => {
    const value = values.get(r * columns.length + c) ?? 0;
    return `${side} ${rowNames[rows[r]]}, ${top} ${columnNames[columns[c]]}: ${brief(value)}`;
  };
  const numbers = rows.length * columns.length <= MOST_NUMBERS.cells && columns.length <= MOST_NUMBERS.columns;
  return figure(
    title,
    grid({
      rows: rows.map((row) => rowNames[row]),
      columns: columns.map((column) => columnNames[column]),
      cells: placed,
      kind: "signed",
      numbers,
      cell: numbers ? 24 : Math.max(7, cellSide(Math.max(rows.length, columns.length))),
      side,
      top,
      says,
      label: `${name}: ${caption}`,
    }),
  );
}
