// Neurons that read the same number: the function they add up to, and what each holds on the input.
//
// In: a group of neurons. Out: its view; its functions as curves.
// Invariant: the number x that they read is shown without the constants that stand in its columns.

"use strict";

// The constants in the number that neurons read, and the number, without them, from which on a neuron is active.
const shiftOf = (page, part) => offsetOf(page, part.form, 2 * part.layer + 1);
const stopOf = (page, part, { factor, bias }) => -bias / factor - shiftOf(page, part);

// Of neurons that read one number: the functions they add up to, and where this input stands.
function staircase(page, part) {
  const { run, texts } = page.state;
  const shift = shiftOf(page, part);
  const stops = part.members.map((member) => stopOf(page, part, member));
  const at = run.streams[2 * part.layer + 1].slice(1).map((x) => valueIn(part.form, x) - shift);
  const [low, high] = [Math.min(...stops, ...at), Math.max(...stops, ...at)];
  const room = Math.max((high - low) * 0.08, 0.5);
  const xs = ascending([low - room, ...stops, ...at, high + room]);
  const value = (column, x) => addedTo(column, part.members, x + shift);
  const dotOn = (column) => (x, p) => ({
    x,
    y: value(column, x),
    name: `${tokenName(texts[p])} at ${p}: ${brief(x)} → ${brief(value(column, x))}`,
  });
  return {
    curves: part.writes.map((column) => xs.map((x) => [x, value(column, x)])),
    dots: part.writes.length > 6 ? [] : part.writes.flatMap((column) => at.map(dotOn(column))),
  };
}

// What neurons that read x add to a column.
function addedTo(column, members, x) {
  return members.reduce(
    (sum, { factor, bias, out }) =>
      sum + Math.max(factor * x + bias, 0) * out.reduce((c, [to, by]) => (to === column ? c + by : c), 0),
    0,
  );
}

function neuronsDetail(page, part) {
  if (!part.form.length) return constantDetail(page, part);
  const stream = before(page, part);
  const x = formText(page, part.form, 60, stream);
  const title = `of layer ${part.layer} that read x = ${x}`;
  return [
    heading(count(part.members.length, "neuron"), title, partLine(page, part)),
    figures(functionsFigure(page, part, x), activationsFigure(page, part)),
    factList(columnsFact(page, "read", part.reads, stream), columnsFact(page, "write", part.writes, stream)),
    formulas(part),
  ];
}

function functionsFigure(page, part, x) {
  const into = part.writes.map((column) => nameAt(page, column, before(page, part)));
  const what =
    into.length === 1
      ? `this function of x to ${into[0]}`
      : `${into.length} functions of x, one to each of ${into.length} directions`;
  const curves = plot({
    ...staircase(page, part),
    label: `what the neurons add, as functions of ${x}`,
    xName: `x = ${x}`,
    yName: into.length === 1 ? into[0] : "added",
  });
  const found = figure(
    [element("b", {}, "Together"), ` they add ${what}; dots are this input`],
    element("div", {}, curves),
  );
  found.classList.add("wide");
  return found;
}

function activationsFigure(page, part) {
  const hidden = page.state.run.hidden[part.layer].slice(1);
  const tokens = tokenNames(page);
  const active = part.members.map(({ n }) => hidden.map((row) => row[n]));
  return figure(
    [element("b", {}, "Each"), " neuron’s activation on this input"],
    grid({
      rows: part.members.map(
        (member) => `N${member.n} ${member.factor < 0 ? "below" : "from"} ${brief(stopOf(page, part, member))}`,
      ),
      columns: tokens,
      cells: cellsOf(active),
      kind: "signed",
      cell: cellSide(tokens.length),
      height: 15,
      rowMost: 20,
      label: "activations: a row for each neuron, a column for each position",
      says: (r, c) => `L${part.layer}N${part.members[r].n} at ${tokens[c]}, position ${c}: ${brief(active[r][c])}`,
    }),
  );
}

// Neurons that read nothing: they add a constant.
function constantDetail(page, part) {
  const why = part.writes.some((column) => hasOffset(page, column))
    ? "The embedding put a large constant into this direction, so that what heads add there is rounded to " +
      "whole numbers. Here the constant is taken away again."
    : "It reads nothing and adds the same at every position.";
  const cells = part.members.flatMap(({ bias, out }, row) =>
    out.map(([column, by]) => ({ row, column, value: Math.max(bias, 0) * by })),
  );
  return [
    heading(count(part.members.length, "neuron"), `of layer ${part.layer}, always on`, partLine(page, part)),
    quiet(why),
    matrixFigure({
      name: "b_in, W_out",
      caption: "what is added",
      cells,
      side: "neuron",
      top: "direction",
      rowNames: part.members.map(({ n }) => `L${part.layer}N${n}`),
      columnNames: page.columns,
    }),
    formulas(part),
  ];
}

function formulas({ layer, members }) {
  const lines = members.map(({ n, does }) => element("li", {}, `L${layer}N${n}  ${does}`));
  return folded("The neurons as formulas", element("ul", { class: "formula" }, lines));
}
