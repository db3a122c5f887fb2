// Figures: elements of the page, matrices as grids, functions of one number as curves.
//
// In: plain values. Out: DOM nodes.
// Invariant: a text reaches the page as the content of a text node, never as markup.

"use strict";

const SVG = "http://www.w3.org/2000/svg";

// An element: attributes, `on...` listeners, children (nodes or texts).
function element(tag, attributes = {}, ...children) {
  return furnished(document.createElement(tag), attributes, children);
}

function drawn(tag, attributes = {}, ...children) {
  return furnished(document.createElementNS(SVG, tag), attributes, children);
}

function furnished(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// A number in few characters; what is within rounding of a whole number is shown as one.
function brief(x) {
  const near = Math.round(x);
  if (Math.abs(x - near) < 5e-4 && Math.abs(near) < 1e6) return String(near === 0 ? 0 : near);
  if (Math.abs(x) >= 1e5 || Math.abs(x) < 1e-3) return x.toExponential(1).replace("e+", "e");
  return String(Number(x.toPrecision(Math.abs(x) >= 100 ? 4 : 3)));
}

function clipped(text, most) {
  const letters = Array.from(text);
  return letters.length <= most ? text : `${letters.slice(0, most - 1).join("")}…`;
}

const lengthOf = (text) => Array.from(text).length;

// A matrix as a grid of coloured cells.
//   rows, columns   their names          cells   [{row, column, value}], what is left out is empty
//   kind            "weight" 0 to 1, "truth", "signed"
//   says(row, column)   the text shown for the cell under the pointer
//   cell            side of a cell, unless it has a height of its own; numbers: write each value into its cell
//   pale            columns of another colour; future: keys behind their query are not there; wrong: marked cells
//   rowMost         longest name of a row; row: the row in a frame
//   tall            names for which there is to be room above, so that two grids align
function grid({
  rows,
  columns,
  cells,
  kind,
  says,
  label,
  cell,
  numbers = false,
  side = "",
  top = "",
  pale = new Set(),
  future = false,
  wrong = [],
  row = null,
  tall = columns,
  height = cell,
  rowMost = numbers ? 30 : 12,
}) {
  const width = numbers ? Math.max(cell, 40) : cell;
  const most = numbers ? 30 : 12;
  const tilted = tall.some((name) => lengthOf(name) > (width >= 40 ? 5 : width >= 22 ? 3 : width >= 12 ? 1 : 0));
  const left = 14 + 7 * Math.min(rowMost, Math.max(...rows.map(lengthOf))) + (side ? 14 : 0);
  const above = (tilted ? 8 + 5.2 * Math.min(most, Math.max(...tall.map(lengthOf))) : 20) + (top ? 18 : 0);
  const overhang = tilted ? 5.2 * Math.min(most, lengthOf(columns.at(-1) ?? "")) : 4;
  const [w, h] = [columns.length * width, rows.length * height];
  const largest = kind === "signed" ? Math.max(1e-300, ...cells.map((one) => Math.abs(one.value))) : 1;

  const picture = drawn("svg", {
    class: `grid ${kind}`,
    viewBox: `0 0 ${left + w + overhang} ${above + h + 6}`,
    width: left + w + overhang,
    height: above + h + 6,
    role: "img",
    "aria-label": label,
  });
  picture.append(drawn("rect", { class: "empty", x: left, y: above, width: w, height: h }));
  if (future) {
    rows.forEach((_, at) => {
      const from = at + 1 + (columns.length - rows.length);
      if (from < columns.length) {
        picture.append(
          drawn("rect", {
            class: "future",
            x: left + from * width,
            y: above + at * height,
            width: (columns.length - from) * width,
            height,
          }),
        );
      }
    });
  }
  for (const one of merged(cells, !numbers)) {
    const strength = Math.abs(one.value) / largest;
    picture.append(
      drawn("rect", {
        class: kind === "signed" ? (one.value < 0 ? "minus" : "plus") : pale.has(one.column) ? "pale" : "plus",
        x: left + one.column * width,
        y: above + one.row * height,
        width: one.span * width,
        height,
        "fill-opacity": kind === "signed" ? 0.14 + 0.86 * strength ** 0.4 : Math.min(1, 0.06 + 0.94 * strength),
      }),
    );
  }
  picture.append(drawn("path", { class: "lines", d: lines(left, above, width, height, columns.length, rows.length) }));
  if (numbers) {
    for (const one of cells) {
      picture.append(
        drawn(
          "text",
          {
            class: kind === "signed" && (Math.abs(one.value) / largest) ** 0.4 > 0.55 ? "number strong" : "number",
            x: left + (one.column + 0.5) * width,
            y: above + (one.row + 0.5) * height,
            "text-anchor": "middle",
            "dominant-baseline": "central",
          },
          brief(one.value),
        ),
      );
    }
  }
  for (const [r, c] of wrong) {
    picture.append(
      drawn("rect", {
        class: "wrong",
        x: left + c * width + 1,
        y: above + r * height + 1,
        width: width - 2,
        height: height - 2,
      }),
    );
  }
  if (row !== null) {
    picture.append(
      drawn("rect", { class: "focus", x: left - 1, y: above + row * height - 1, width: w + 2, height: height + 2 }),
    );
  }
  const everyRow = Math.ceil(11 / height); // where there is no room, some names are left out
  const everyColumn = Math.ceil(10 / width);
  rows.forEach(
    (name, at) =>
      at % everyRow === 0 &&
      picture.append(
        axisName(name, rowMost, left - 6, above + (at + 0.5) * height, { "text-anchor": "end" }, at === row),
      ),
  );
  columns.forEach((name, at) => {
    if (at % everyColumn) return;
    const [x, y] = [left + (at + 0.5) * width, above - 7];
    picture.append(
      axisName(
        name,
        most,
        x,
        y,
        tilted ? { "text-anchor": "start", transform: `rotate(-45 ${x} ${y})` } : { "text-anchor": "middle" },
        false,
      ),
    );
  });
  if (top) picture.append(drawn("text", { class: "axis", x: left, y: 11 }, top));
  if (side) {
    picture.append(
      drawn("text", { class: "axis", x: 0, y: 0, transform: `translate(10 ${above + h}) rotate(-90)` }, side),
    );
  }

  const readout = element("p", { class: "readout", "aria-hidden": "true" }, "\u00A0");
  const at = (event) => {
    const box = picture.getBoundingClientRect();
    const scale = (left + w + overhang) / box.width;
    const column = Math.floor(((event.clientX - box.left) * scale - left) / width);
    const line = Math.floor(((event.clientY - box.top) * scale - above) / height);
    return column >= 0 && line >= 0 && column < columns.length && line < rows.length ? [line, column] : null;
  };
  picture.addEventListener("pointermove", (event) => {
    const place = at(event);
    readout.textContent = place ? says(...place) : "\u00A0";
  });
  picture.addEventListener("pointerleave", () => {
    readout.textContent = "\u00A0";
  });
  return element(
    "div",
    { class: "figure" },
    element(
      "div",
      {
        class: "scroll",
        tabindex: w > 480 ? 0 : null,
        role: w > 480 ? "group" : null,
        "aria-label": w > 480 ? label : null,
      },
      picture,
    ),
    readout,
  );
}

function axisName(name, most, x, y, attributes, strong) {
  return drawn(
    "text",
    { class: strong ? "name strong" : "name", x, y, "dominant-baseline": "central", ...attributes },
    drawn("title", {}, name),
    clipped(name, most),
  );
}

function lines(left, above, width, height, columns, rows) {
  const down = Array.from({ length: columns + 1 }, (_, at) => `M${left + at * width} ${above}v${rows * height}`);
  const across = Array.from({ length: rows + 1 }, (_, at) => `M${left} ${above + at * height}h${columns * width}`);
  return [...down, ...across].join("");
}

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
        "fill-opacity": Math.min(1, 0.06 + 0.94 * one.value),
      }),
    ),
  );
}

// Functions of one number: curves [[x, y], ...], dots [{x, y, name}], in a frame with ticks.
function plot({ curves, dots, label, width = 460, height = 200, xName = "", yName = "", bare = false }) {
  const points = [...curves.flat(), ...dots.map(({ x, y }) => [x, y])];
  const range = (axis) => {
    const values = points.map((point) => point[axis]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const room = (high - low || 1) * 0.06;
    return [low - room, high + room];
  };
  const [xs, ys] = [range(0), range(1)];
  const [left, right, top, bottom] = bare ? [2, 2, 3, 3] : [46, 12, 20, 34];
  const px = (x) => left + ((x - xs[0]) / (xs[1] - xs[0])) * (width - left - right);
  const py = (y) => height - bottom - ((y - ys[0]) / (ys[1] - ys[0])) * (height - top - bottom);
  const picture = drawn("svg", {
    class: "plot",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: bare ? null : "img",
    "aria-label": bare ? null : label,
    "aria-hidden": bare ? "true" : null,
  });
  if (!bare) {
    for (const y of ticks(...ys)) {
      picture.append(
        drawn("path", { class: "rule", d: `M${left} ${py(y)}H${width - right}` }),
        drawn(
          "text",
          { class: "tick", x: left - 6, y: py(y), "text-anchor": "end", "dominant-baseline": "central" },
          brief(y),
        ),
      );
    }
    for (const x of ticks(...xs)) {
      picture.append(
        drawn("text", { class: "tick", x: px(x), y: height - bottom + 14, "text-anchor": "middle" }, brief(x)),
      );
    }
    picture.append(
      drawn("text", { class: "axis", x: left, y: 11 }, clipped(yName, 60)),
      drawn("text", { class: "axis", x: width - right, y: height - 5, "text-anchor": "end" }, clipped(xName, 60)),
    );
  }
  const faint = curves.length > 6;
  for (const curve of curves) {
    picture.append(
      drawn("path", {
        class: faint ? "curve faint" : "curve",
        d: curve.map(([x, y], at) => `${at ? "L" : "M"}${px(x).toFixed(2)} ${py(y).toFixed(2)}`).join(""),
      }),
    );
  }
  for (const dot of dots) {
    picture.append(
      drawn("circle", { class: "dot", cx: px(dot.x), cy: py(dot.y), r: bare ? 2 : 4 }, drawn("title", {}, dot.name)),
    );
  }
  return picture;
}

function ticks(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((size) => size >= rough);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high; at += 1) found.push(at * step);
  return found;
}
