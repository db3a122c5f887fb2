// Elements of the page and their texts.
//
// In: plain values. Out: DOM nodes, short texts.
// Invariant: a text reaches the page as the content of a text node, never as markup.

"use strict";

const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);

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

const button = (attributes, ...children) => element("button", { type: "button", ...attributes }, ...children);
const quiet = (...children) => element("p", { class: "quiet" }, children);
const code = (text) => element("code", {}, text);

// The class of an element that is some of several things, null if none.
const classes = (...names) => names.filter(Boolean).join(" ") || null;

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
const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
