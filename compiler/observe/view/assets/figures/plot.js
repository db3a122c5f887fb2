// Plots: functions of one number as curves.
//
// In: points. Out: DOM nodes.
// Invariant: every curve and every dot lies within the frame.

"use strict";

// Curves [[x, y], ...], dots [{x, y, name}], in a frame with ticks; `bare`: small, without the frame.
function plot({ curves, dots, label, width = 460, height = 200, xName = "", yName = "", bare = false }) {
  const frame = axesOf([...curves.flat(), ...dots.map(({ x, y }) => [x, y])], width, height, bare);
  return drawn(
    "svg",
    {
      class: "plot",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: bare ? null : "img",
      "aria-label": bare ? null : label,
      "aria-hidden": bare ? "true" : null,
    },
    bare ? null : scalesOf(frame, xName, yName),
    curves.map((curve) => curveOf(frame, curve, curves.length > 6)),
    dots.map((dot) => dotOf(frame, dot, bare ? 2 : 4)),
  );
}

// The ranges of a plot and where a number is in it, in pixels.
function axesOf(points, width, height, bare) {
  const [xs, ys] = [0, 1].map((axis) => withRoom(points.map((point) => point[axis])));
  const [left, right, top, bottom] = bare ? [2, 2, 3, 3] : [46, 12, 20, 34];
  return {
    width,
    height,
    xs,
    ys,
    left,
    right,
    bottom,
    px: (x) => left + ((x - xs[0]) / (xs[1] - xs[0])) * (width - left - right),
    py: (y) => height - bottom - ((y - ys[0]) / (ys[1] - ys[0])) * (height - top - bottom),
  };
}

function withRoom(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low || 1) * 0.06;
  return [low - room, high + room];
}

function scalesOf({ width, height, xs, ys, left, right, bottom, px, py }, xName, yName) {
  const leftOf = (y) => ({ x: left - 6, y: py(y), "text-anchor": "end", "dominant-baseline": "central" });
  const below = (x) => ({ x: px(x), y: height - bottom + 14, "text-anchor": "middle" });
  const corner = { x: width - right, y: height - 5, "text-anchor": "end" };
  return [
    ticks(...ys).map((y) => [
      drawn("path", { class: "rule", d: `M${left} ${py(y)}H${width - right}` }),
      drawn("text", { class: "tick", ...leftOf(y) }, brief(y)),
    ]),
    ticks(...xs).map((x) => drawn("text", { class: "tick", ...below(x) }, brief(x))),
    drawn("text", { class: "axis", x: left, y: 11 }, clipped(yName, 60)),
    drawn("text", { class: "axis", ...corner }, clipped(xName, 60)),
  ];
}

function curveOf({ px, py }, curve, isFaint) {
  return drawn("path", {
    class: isFaint ? "curve faint" : "curve",
    d: curve.map(([x, y], at) => `${at ? "L" : "M"}${px(x).toFixed(2)} ${py(y).toFixed(2)}`).join(""),
  });
}

function dotOf({ px, py }, { x, y, name }, r) {
  return drawn("circle", { class: "dot", cx: px(x), cy: py(y), r }, drawn("title", {}, name));
}

function ticks(low, high) {
  const rough = (high - low) / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * unit).find((size) => size >= rough);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high; at += 1) found.push(at * step);
  return found;
}
