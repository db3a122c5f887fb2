// Pieces: what the views are put together from.
//
// In: parts, families, texts, figures. Out: DOM nodes.
// Invariant: whatever is named can be clicked, and leads to itself.

"use strict";

const tokenName = (text) => (text === " " ? "␣" : text === "\n" ? "⏎" : text === "" ? "∅" : text);
const tokenNames = ({ state }) => state.texts.map(tokenName);

function chip(text, title, action, more = "") {
  return button({ class: `chip ${more}`, title, onclick: action }, clipped(text, 34));
}

const chips = (some) => element("span", { class: "chips" }, some.length ? some : "nothing");

// Families under the names that they have in a stream.
const familyChips = (page, some, stream) =>
  some.map((family) => {
    const names = family.columns.map((column) => page.columns[column]).slice(0, 40);
    return chip(titleAt(page, family, stream), names.join(", "), () => selectFamily(page, family), "direction");
  });

const variableChip = (page, name, title, more = "variable") =>
  chip(name, title, () => selectVariable(page, name), more);

const partChips = (page, some) =>
  some.map((part) => chip(partTitle(page, part), partDoes(part), () => select(page, part), part.kind));

function partTitle(page, part) {
  switch (part.kind) {
    case "head":
      return part.id;
    case "neurons":
      return `L${part.layer} ${neuronsTitle(page, part)}`;
    case "embedding":
      return "embedding";
    default:
      return "answer";
  }
}

function neuronsTitle(page, part) {
  if (!part.form.length) return count(part.members.length, "constant neuron");
  return `${count(part.members.length, "neuron")} of ${formText(page, part.form, 18, before(page, part))}`;
}

function partDoes(part) {
  return part.kind === "head" ? part.purpose : part.kind === "neurons" ? part.members[0].does : part.kind;
}

// To a line of the program, null for none.
function lineChip(line, title, action) {
  const show = () => {
    action?.();
    byId(`line${line}`)?.scrollIntoView({ block: "center", behavior: "smooth" });
  };
  return line ? chip(`line ${line}`, title, show, "line") : null;
}

const partLine = (page, part) =>
  lineChip(page.lineOf.get(part.id), "where the program says so", () =>
    byId("program").querySelector("details")?.setAttribute("open", ""),
  );

const heading = (name, text, ...more) =>
  element(
    "h3",
    {},
    element("span", { class: "title" }, name),
    " ",
    element("span", {}, text),
    " ",
    more.filter(Boolean),
  );

const figure = (caption, ...content) => element("figure", {}, element("figcaption", {}, caption), content);
const figures = (...some) => element("div", { class: "figures" }, some);

const factList = (...facts) => element("dl", { class: "facts" }, facts);
const fact = (name, ...content) =>
  element("div", { class: "fact" }, element("dt", {}, name), element("dd", {}, content));

// Columns, as a fact about what is done with them.
const columnsFact = (page, name, columns, stream) =>
  fact(name, chips(familyChips(page, familiesOf(page, columns), stream)));

const folded = (title, ...content) => element("details", {}, element("summary", {}, title), content);

// The side of a cell of a grid, so that so many of them fit.
function cellSide(size) {
  const side = size <= 10 ? 28 : size <= 16 ? 22 : size <= 24 ? 17 : size <= 40 ? 12 : size <= 80 ? 8 : 5;
  return Math.min(side, Math.max(16, (window.innerWidth - 95) / (size + 1)));
}
