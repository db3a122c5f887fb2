// The residual stream after a step: a column for each position.
//
// In: the stream, what the step has written. Out: a table: the program's values, decoded; the directions, as they are.
// Invariant: what was written just now is marked; a value that the program has otherwise is marked as wrong.

"use strict";

function showStream(page) {
  const step = page.steps[page.state.step];
  const isEnd = step.kind === "answer";
  const view = streamView(page, step, isEnd ? [] : partsAt(page, page.state.step));
  const marked = [element("span", { class: "legend fresh" }, "Marked rows"), " were written just now."];
  byId("stream").replaceChildren(
    element("h2", {}, isEnd ? "Residual stream at the end" : `Residual stream after ${step.short}`),
    element("p", { class: "lead" }, "A column for each position. ", isEnd ? null : marked),
    element(
      "div",
      { class: "scroll tall", tabindex: 0, role: "group", "aria-label": "the residual stream" },
      element(
        "table",
        { class: "stream" },
        streamHead(page, view),
        streamBody(page, valueRows(page, view), "none is complete yet", "Values of the program, decoded"),
        streamBody(page, directionRows(page, view), "nothing is written in this step", [
          "Named directions, as they are ",
          directionSwitch(page),
        ]),
      ),
    ),
  );
}

// The stream [position][column] after a step, bos first; the columns that are fresh, the class of a position.
function streamView({ state }, { kind, stream }, writers) {
  return {
    stream,
    rows: state.run.streams[stream],
    fresh: new Set(writers.flatMap((part) => part.writes)),
    freshFrom: kind === "answer" ? null : stream, // a variable that is ready then is fresh
    here: (at) => (at === state.position ? "here" : null),
  };
}

function streamHead(page, { here }) {
  return element(
    "thead",
    {},
    element(
      "tr",
      {},
      element("th", { class: "corner" }, element("span", { class: "sr" }, "name")),
      element("th", { class: "bos" }, "bos"),
      tokenNames(page).map((name, at) => element("th", { scope: "col", class: here(at) }, name)),
    ),
  );
}

// Rows under a title, or a word for that there are none.
function streamBody({ state }, rows, none, title) {
  const colspan = state.texts.length + 2;
  return element(
    "tbody",
    {},
    element("tr", { class: "section" }, element("th", { colspan }, element("span", { class: "sticky" }, title))),
    rows.length ? rows : element("tr", {}, element("td", { colspan, class: "quiet" }, none)),
  );
}

const streamRow = (kind, name, cells) => element("tr", { class: kind }, element("th", { scope: "row" }, name), cells);

function directionSwitch(page) {
  const { state } = page;
  const choice = (name, everything) => {
    const choose = () => {
      state.everything = everything;
      page.show();
    };
    return button({ "aria-pressed": String(state.everything === everything), onclick: choose }, name);
  };
  return element(
    "span",
    { class: "switch", role: "group", "aria-label": "which directions" },
    choice("written now", false),
    choice(`all ${page.columns.length}`, true),
  );
}

function valueRows(page, view) {
  return page.variables
    .filter((variable) => isThere(variable, view.stream))
    .map((variable) => {
      const isChosen = isSelected(page, variableThing(variable.name));
      const kind = isChosen ? "variable chosen" : "variable";
      return streamRow(
        variable.ready === view.freshFrom ? "fresh" : null,
        variableChip(page, variable.name, "a value of the program", kind),
        [element("td", { class: "bos" }), valueCells(page, view, variable)],
      );
    });
}

function valueCells(page, { stream, here }, variable) {
  const says = truthOf(page, variable.name);
  return decoded(page, variable, stream).map((value, at) => {
    const off = Array.isArray(says) && !same(value, says[at]);
    const title = off ? `the program says ${shown(says[at])}` : null;
    return element("td", { class: classes(here(at), off && "off"), title }, tokenName(shown(value)));
  });
}

function directionRows(page, view) {
  const isFresh = ({ columns }) => columns.some((column) => view.fresh.has(column));
  const visible = page.state.everything ? page.families : page.families.filter(isFresh);
  return visible.flatMap((family) => {
    const kind = isFresh(family) ? "fresh" : null;
    return family.sign ? familyRows(page, view, family, kind) : [columnRow(page, view, family, kind)];
  });
}

const familyKind = (page, family) => (isSelected(page, familyThing(family)) ? "direction chosen" : "direction");

function columnRow(page, view, family, kind) {
  const [column] = family.columns;
  const open = () => selectFamily(page, family);
  const name = chip(titleAt(page, family, view.stream), family.title, open, familyKind(page, family));
  return streamRow(kind, [name, offsetNote(page, view, column)], columnCells(page, view, family, column));
}

// That a column holds more than is shown.
function offsetNote(page, { stream }, column) {
  const offset = offsetIn(page, column, stream);
  const title = `The column holds ${offset} more than shown, so that additions to it are rounded.`;
  return offset ? element("small", { class: "quiet", title }, " + const") : null;
}

function columnCells(page, { stream, rows, here }, family, column) {
  const offset = offsetIn(page, column, stream);
  const isWritten = page.firstWritten[column] <= page.state.step;
  return rows.map((x, at) => {
    const value = x[column] - offset;
    return element(
      "td",
      {
        class: classes(at ? here(at - 1) : "bos", !value && "zero", offset && "offset"),
        title: offset ? `${x[column]}: with ${offset}, which rounds it` : String(x[column]),
      },
      value || (!family.sign && at && isWritten) ? brief(value) : "·",
    );
  });
}

// A family in one line, and the line of each of its columns below it where that is open.
function familyRows(page, view, family, kind) {
  const open = () => selectFamily(page, family);
  const name = chip(family.title, `${family.columns.length} columns`, open, familyKind(page, family));
  const summary = streamRow(kind, [familyToggle(page, family), name], codedCells(page, view, family));
  if (!page.state.wide.has(family.id)) return [summary];
  return [
    summary,
    ...family.columns.map((column, at) =>
      streamRow(
        view.fresh.has(column) ? "fresh part" : "part",
        `${family.sign} ${clipped(family.suffixes[at], 24)}`,
        columnCells(page, view, family, column),
      ),
    ),
  ];
}

function familyToggle(page, { id, name, columns }) {
  const { wide } = page.state;
  const isOpen = wide.has(id);
  const toggle = () => {
    if (isOpen) wide.delete(id);
    else wide.add(id);
    page.show();
  };
  return button(
    {
      class: "plain",
      "aria-expanded": String(isOpen),
      "aria-label": `the ${columns.length} columns of ${name}`,
      onclick: toggle,
    },
    isOpen ? "▾" : "▸",
  );
}

function codedCells({ columns }, { rows, here }, family) {
  const held = (x) => family.columns.filter((column) => x[column]).map((column) => `${columns[column]}: ${x[column]}`);
  return rows.map((x, at) =>
    element(
      "td",
      { class: classes(at ? here(at - 1) : "bos", "coded"), title: held(x).join("\n") || "all are 0" },
      at ? coded(family, x) : "·",
    ),
  );
}

// A family of columns at one position in one word: the value that is on, or the highest threshold that is reached.
function coded(family, x) {
  const on = family.columns.flatMap((column, at) => (family.isOn(x[column]) ? [at] : []));
  if (!on.length) return "·";
  if (family.sign !== "=") {
    const highest = on.reduce((best, at) => (plain(family.values[at]) > plain(family.values[best]) ? at : best));
    return `≥ ${family.suffixes[highest]}`;
  }
  return on.length === 1 ? tokenName(family.suffixes[on[0]]) : `${on.length} on`;
}
