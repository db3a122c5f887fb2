// Grids: a matrix as coloured cells, with names along its sides.
//
// In: names and cells. Out: DOM nodes.
// Invariant: a cell is as dark as its value is large; the value under the pointer is written below the grid.

"use strict";

// A matrix as a grid of coloured cells.
//   rows, columns   their names          cells   [{row, column, value}], what is left out is empty
//   kind            "weight" 0 to 1, "truth", "signed"
//   says(row, column)   the text shown for the cell under the pointer
//   label           what a reader of the screen says of it; side, top: what rows and columns are
//   cell            side of a cell, unless it has a height of its own; numbers: write each value into its cell
//   pale            columns of another colour; future: keys behind their query are not there; wrong: marked cells
//   rowMost         longest name of a row; row: the row in a frame
//   tall            names for which there is to be room above, so that two grids align
function grid(given) {
  const frame = framed(given);
  const { kind, label, left, above, w, h, overhang, numbers, future, row } = frame;
  const size = { width: left + w + overhang, height: above + h + 6 };
  const picture = drawn(
    "svg",
    { class: `grid ${kind}`, viewBox: `0 0 ${size.width} ${size.height}`, ...size, role: "img", "aria-label": label },
    drawn("rect", { class: "empty", x: left, y: above, width: w, height: h }),
    future ? futureOf(frame) : null,
    filledCells(frame),
    rulesOf(frame),
    numbers ? numbersOf(frame) : null,
    wrongCells(frame),
    row === null ? null : rowFrame(frame),
    namesOfRows(frame),
    namesOfColumns(frame),
    axisTitles(frame),
  );
  const readout = element("p", { class: "readout", "aria-hidden": "true" }, "\u00A0");
  followPointer(picture, readout, frame);
  const scrolls = w > 480 ? { tabindex: 0, role: "group", "aria-label": label } : {};
  return element("div", { class: "figure" }, element("div", { class: "scroll", ...scrolls }, picture), readout);
}

// What a grid is given, with its defaults, and where everything is, in pixels.
function framed(given) {
  const all = { numbers: false, side: "", top: "", pale: new Set(), future: false, wrong: [], row: null, ...given };
  const { rows, columns, cells, kind, cell, numbers, side, top, tall = columns, height = cell } = all;
  const most = numbers ? 30 : 12;
  const { rowMost = most } = all;
  const width = numbers ? Math.max(cell, 40) : cell;
  const untilted = width >= 40 ? 5 : width >= 22 ? 3 : width >= 12 ? 1 : 0; // the longest name that fits across
  const tilted = tall.some((name) => lengthOf(name) > untilted);
  const longest = (names, limit) => Math.min(limit, Math.max(...names.map(lengthOf)));
  return {
    ...all,
    most,
    rowMost,
    width,
    height,
    tilted,
    left: 14 + 7 * longest(rows, rowMost) + (side ? 14 : 0),
    above: (tilted ? 8 + 5.2 * longest(tall, most) : 20) + (top ? 18 : 0),
    overhang: tilted ? 5.2 * Math.min(most, lengthOf(columns.at(-1) ?? "")) : 4,
    w: columns.length * width,
    h: rows.length * height,
    largest: kind === "signed" ? Math.max(1e-300, ...cells.map((one) => Math.abs(one.value))) : 1,
  };
}

// The keys that are not there yet for each query.
function futureOf({ rows, columns, left, above, width, height }) {
  return rows.map((_, at) => {
    const from = at + 1 + (columns.length - rows.length);
    if (from >= columns.length) return null;
    return drawn("rect", {
      class: "future",
      x: left + from * width,
      y: above + at * height,
      width: (columns.length - from) * width,
      height,
    });
  });
}

function filledCells({ cells, kind, numbers, pale, left, above, width, height, largest }) {
  return merged(cells, !numbers).map((one) => {
    const strength = Math.abs(one.value) / largest;
    return drawn("rect", {
      class: kind === "signed" ? (one.value < 0 ? "minus" : "plus") : pale.has(one.column) ? "pale" : "plus",
      x: left + one.column * width,
      y: above + one.row * height,
      width: one.span * width,
      height,
      "fill-opacity": kind === "signed" ? 0.14 + 0.86 * strength ** 0.4 : opacityOf(strength),
    });
  });
}

const opacityOf = (weight) => Math.min(1, 0.06 + 0.94 * weight);

// Neighbours of equal value in a row become one cell of a larger span.
function merged(cells, together) {
  const found = [];
  for (const one of cells) {
    const last = found.at(-1);
    if (
      together &&
      last &&
      last.row === one.row &&
      last.column + last.span === one.column &&
      last.value === one.value &&
      last.column > 0
    ) {
      last.span += 1;
    } else found.push({ ...one, span: 1 });
  }
  return found;
}

function rulesOf({ rows, columns, left, above, width, height, w, h }) {
  const down = Array.from({ length: columns.length + 1 }, (_, at) => `M${left + at * width} ${above}v${h}`);
  const across = Array.from({ length: rows.length + 1 }, (_, at) => `M${left} ${above + at * height}h${w}`);
  return drawn("path", { class: "lines", d: [...down, ...across].join("") });
}

function numbersOf({ cells, kind, left, above, width, height, largest }) {
  return cells.map((one) => {
    const isStrong = kind === "signed" && (Math.abs(one.value) / largest) ** 0.4 > 0.55;
    const attributes = {
      class: isStrong ? "number strong" : "number",
      x: left + (one.column + 0.5) * width,
      y: above + (one.row + 0.5) * height,
      "text-anchor": "middle",
      "dominant-baseline": "central",
    };
    return drawn("text", attributes, brief(one.value));
  });
}

function wrongCells({ wrong, left, above, width, height }) {
  return wrong.map(([row, column]) =>
    drawn("rect", {
      class: "wrong",
      x: left + column * width + 1,
      y: above + row * height + 1,
      width: width - 2,
      height: height - 2,
    }),
  );
}

function rowFrame({ row, left, above, height, w }) {
  return drawn("rect", {
    class: "focus",
    x: left - 1,
    y: above + row * height - 1,
    width: w + 2,
    height: height + 2,
  });
}

// Where there is no room, some names are left out.
function namesOfRows({ rows, row, rowMost, left, above, height }) {
  const every = Math.ceil(11 / height);
  return rows.map((name, at) => {
    if (at % every) return null;
    return axisName(name, rowMost, left - 6, above + (at + 0.5) * height, { "text-anchor": "end" }, at === row);
  });
}

function namesOfColumns({ columns, most, tilted, left, above, width }) {
  const every = Math.ceil(10 / width);
  return columns.map((name, at) => {
    if (at % every) return null;
    const [x, y] = [left + (at + 0.5) * width, above - 7];
    const tilt = { "text-anchor": "start", transform: `rotate(-45 ${x} ${y})` };
    return axisName(name, most, x, y, tilted ? tilt : { "text-anchor": "middle" }, false);
  });
}

function axisName(name, most, x, y, attributes, strong) {
  return drawn(
    "text",
    { class: strong ? "name strong" : "name", x, y, "dominant-baseline": "central", ...attributes },
    drawn("title", {}, name),
    clipped(name, most),
  );
}

function axisTitles({ side, top, left, above, h }) {
  const upright = { class: "axis", x: 0, y: 0, transform: `translate(10 ${above + h}) rotate(-90)` };
  return [
    top ? drawn("text", { class: "axis", x: left, y: 11 }, top) : null,
    side ? drawn("text", upright, side) : null,
  ];
}

// Below a grid: what it says of the cell under the pointer.
function followPointer(picture, readout, frame) {
  picture.addEventListener("pointermove", (event) => {
    const place = cellUnder(event, picture.getBoundingClientRect(), frame);
    readout.textContent = place ? frame.says(...place) : "\u00A0";
  });
  picture.addEventListener("pointerleave", () => {
    readout.textContent = "\u00A0";
  });
}

function cellUnder(event, box, { rows, columns, left, above, width, height, w, overhang }) {
  const scale = (left + w + overhang) / box.width;
  const column = Math.floor(((event.clientX - box.left) * scale - left) / width);
  const row = Math.floor(((event.clientY - box.top) * scale - above) / height);
  return column >= 0 && row >= 0 && column < columns.length && row < rows.length ? [row, column] : null;
}

// A small picture of a matrix, without names.
function thumbnail(rows, columns, cells, side = 60) {
  const size = side / Math.max(rows, columns);
  return drawn(
    "svg",
    {
      class: "thumbnail weight",
      viewBox: `0 0 ${columns * size} ${rows * size}`,
      width: side,
      height: side,
      "aria-hidden": "true",
    },
    drawn("rect", { class: "empty", width: columns * size, height: rows * size }),
    merged(cells, true).map((one) =>
      drawn("rect", {
        class: "plus",
        x: one.column * size,
        y: one.row * size,
        width: one.span * size,
        height: size,
        "fill-opacity": opacityOf(one.value),
      }),
    ),
  );
}
