// Names of the program and columns of the stream: what they hold, who writes and who reads them.
//
// In: the name of a variable or of a selector, a family of columns. Out: their views.
// Invariant: what the program says of a name stands beside what the stream holds of it.

"use strict";

function variableDetail(page, { name }) {
  const variable = page.variables.find((one) => one.name === name);
  const says = truthOf(page, name);
  const isSelector = page.language.selectors?.includes(name);
  const kind = isSelector ? "a selector of the program" : "a value of the program";
  const head = heading(
    name,
    variable ? "a value of the program that the stream holds" : kind,
    lineChip(page.names.get(name), "where it is defined"),
  );
  if (isSelector && Array.isArray(says)) return [head, ...selectorFacts(page, name, says)];
  return [head, ...(variable ? variableFacts(page, variable, says) : absentFacts(page, says))];
}

function selectorFacts(page, name, rows) {
  const heads = page.parts.filter((part) => part.kind === "head" && part.link.name === name);
  const tokens = tokenNames(page);
  return [
    figure(
      [element("b", {}, "Where it is true"), " on this input, by the program"],
      truthGrid(rows, tokens, {
        cell: cellSide(tokens.length),
        label: `the truth of ${name}`,
        row: page.state.position,
      }),
    ),
    heads.length
      ? factList(fact("heads that look just there", chips(partChips(page, heads))))
      : quiet("No head looks at exactly this: it is a part of what heads look at, or nothing needs it."),
  ];
}

// Of a name that the stream does not hold.
function absentFacts(page, says) {
  return [
    says ? valuesTable(page, [{ name: "the program", values: says }]) : null,
    quiet(
      "The stream holds it in no column of its own: " +
        "whoever needs it computes it from what it is made of, as a part of its weights.",
    ),
  ];
}

function variableFacts(page, variable, says) {
  const { steps, state } = page;
  const held = steps.filter((step) => isThere(variable, step.stream) && step.kind !== "answer");
  const rows = held.map((step) => ({
    name: step.short,
    values: decoded(page, variable, step.stream),
    now: step.stream === steps[state.step].stream,
  }));
  const columns = variable.columns.filter((column) => !isOne(page, column));
  const { ready } = variable;
  const form = (terms) => code(formText(page, foldedForm(page, terms, ready), 160, ready));
  return [
    valuesTable(page, says ? [{ name: "the program", values: says, kind: "program" }, ...rows] : rows),
    quiet(
      "It reads ",
      form(variable.terms),
      variable.over ? [", divided by ", form(variable.over)] : null,
      ", and means the value whose number is nearest.",
    ),
    connections(page, columns),
    factList(columnsFact(page, "directions", columns, ready)),
  ];
}

// Values at each position, row by row: {name, values, kind, now}.
function valuesTable(page, rows) {
  const head = tokenNames(page).map((name) => element("th", { scope: "col" }, name));
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": "values at each position" },
    element(
      "table",
      { class: "values" },
      element("thead", {}, element("tr", {}, element("th", {}), head)),
      element(
        "tbody",
        {},
        rows.map((row) => valuesRow(row, head.length)),
      ),
    ),
  );
}

function valuesRow({ name, values, kind, now }, length) {
  return element(
    "tr",
    { class: classes(kind, now && "now") },
    element("th", { scope: "row" }, name),
    values instanceof Error
      ? element("td", { colspan: length, class: "quiet" }, `no answer: ${values.message}`)
      : values.map((value) => element("td", {}, tokenName(shown(value)))),
  );
}

// The wires of columns: all that write them, all that read them.
function connections(page, columns) {
  const touching = (side) => page.parts.filter((part) => part[side].some((column) => columns.includes(column)));
  return factList(
    fact("written by", chips(partChips(page, touching("writes")))),
    fact("read by", chips(partChips(page, touching("reads")))),
  );
}

function columnDetail(page, { family }) {
  const using = page.variables.filter(({ columns }) => columns.some((column) => family.columns.includes(column)));
  const told = family.sign ? [] : page.tenants[family.columns[0]].filter(({ what, role }) => what && role === "value");
  const size = count(family.columns.length, "column");
  return [
    heading(
      family.title,
      family.sign
        ? `${size} of the residual stream, one for each ${family.sign === "=" ? "value" : "threshold"}`
        : "a column of the residual stream",
    ),
    nowFigure(page, family),
    told.length ? factList(fact("what it holds", chips(told.map(({ what }) => code(clipped(what, 96)))))) : null,
    connections(page, family.columns),
    using.length
      ? factList(fact("holds", chips(using.map(({ name }) => variableChip(page, name, "a value of the program")))))
      : null,
  ];
}

// What columns hold after the step that is shown.
function nowFigure(page, family) {
  const { short, stream } = page.steps[page.state.step];
  const rows = family.columns.map((column) =>
    page.state.run.streams[stream].map((x) => x[column] - offsetIn(page, column, stream)),
  );
  return matrixFigure({
    name: "Now",
    caption: `what it holds after ${short}`,
    cells: cellsOf(rows),
    side: "direction",
    top: "position",
    rowNames: family.columns.map((column) => page.columns[column]),
    columnNames: ["bos", ...tokenNames(page)],
    all: true,
  });
}
