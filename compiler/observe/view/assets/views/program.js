// The program: its text, and which part does the work of each line.
//
// In: the highlighted source, the line of each part. Out: lines with words and badges that can be clicked.
// Invariant: a word is a link exactly if the page knows something of it.

"use strict";

const LEAST_FOLDED = 3; // a shorter comment at the top of a program is not folded away

function showProgram(page) {
  const open = byId("program").querySelector("details")?.open ?? window.matchMedia("(min-width: 900px)").matches;
  const first = page.data.source.findIndex((pieces) =>
    pieces.some(([kind, text]) => kind !== "comment" && text.trim()),
  );
  const header = first > LEAST_FOLDED ? first : 0;
  const marked = markedLine(page);
  const lines = page.data.source.map((pieces, at) =>
    sourceLine(page, pieces, at + 1, {
      class: marked === at + 1 ? "marked" : null,
      hidden: at < header && !page.state.header,
    }),
  );
  const advice =
    "Click a name to see its values and who reads or writes it; " +
    "a badge leads to the head or neurons that do a line’s work.";
  byId("program").replaceChildren(
    element(
      "details",
      { open },
      element("summary", {}, element("h2", {}, "The program")),
      quiet(advice),
      header ? foldButton(page, header) : null,
      element("ol", { class: "source scroll", tabindex: 0, role: "group", "aria-label": "program text" }, lines),
    ),
  );
}

// The line of what is selected: where a variable is bound, or the line of a part.
function markedLine({ state, names, lineOf }) {
  const { selected } = state;
  if (selected?.kind === "variable" && names.has(selected.name)) return names.get(selected.name);
  return lineOf.get(selected?.id);
}

function foldButton(page, size) {
  const { state } = page;
  const fold = () => {
    state.header = !state.header;
    page.show();
  };
  return button(
    { class: "plain fold", "aria-expanded": String(state.header), onclick: fold },
    `${state.header ? "▾" : "▸"} ${size} lines of comment and settings`,
  );
}

function sourceLine(page, pieces, line, attributes) {
  return element(
    "li",
    { id: `line${line}`, ...attributes },
    element("span", { class: "number", "aria-hidden": "true" }, String(line)),
    element(
      "code",
      {},
      pieces.map(([kind, text]) =>
        ["name", "builtin", ""].includes(kind) && isKnown(page, text)
          ? word(page, text)
          : element("span", { class: kind || null }, text),
      ),
    ),
    badges(page, line),
  );
}

function isKnown({ language, variables }, text) {
  return (language.names && text in language.names) || variables.some(({ name }) => name === text);
}

// A name of the program within its text; a link, so that lines break around it as around any word.
function word(page, text) {
  const follow = (event) => {
    event.preventDefault();
    selectVariable(page, text);
  };
  return element(
    "a",
    {
      class: isSelected(page, variableThing(text)) ? "word chosen" : "word",
      href: "#detail",
      role: "button",
      onclick: follow,
      onkeydown: (event) => {
        if (event.key === " ") follow(event);
      },
    },
    text,
  );
}

// The parts that do a line's work, null if there are none: each head, the neurons as one.
function badges(page, line) {
  const parts = page.parts.filter((part) => page.lineOf.get(part.id) === line);
  const groups = parts.filter(({ kind }) => kind === "neurons");
  const found = parts
    .filter(({ kind }) => kind === "head")
    .map((head) => badge(page, "badge", [head], head.id, head.purpose));
  if (groups.length) {
    const size = neuronsIn(groups);
    found.push(badge(page, "badge neurons", groups, `${size} N`, `${count(size, "neuron")} on the way to this line`));
  }
  return found.length ? element("span", { class: "badges" }, found) : null;
}

function badge(page, kind, parts, name, title) {
  const isChosen = parts.some((part) => isSelected(page, part));
  return button({ class: isChosen ? `${kind} chosen` : kind, title, onclick: () => select(page, parts[0]) }, name);
}
