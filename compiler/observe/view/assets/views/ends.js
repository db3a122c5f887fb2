// Both ends: what the embedding brings along, and how the answer is read.
//
// In: the tables of the embedding, the logits. Out: their views.
// Invariant: a constant that only rounds stands in a list of its own, not in the matrices.

"use strict";

const MOST_ROWS = 40; // a larger vocabulary is shown by the tokens of the input

function embeddingDetail(page) {
  const constants = constantsFigure(page);
  const positions = page.model.positions ? positionsFigure(page) : null;
  return [
    heading("Embedding", "what a token and a position bring along"),
    figures(tokensFigure(page), constants, positions),
  ];
}

function tokensFigure(page) {
  const { vocabulary } = page.config;
  const isSmall = vocabulary.length <= MOST_ROWS;
  const bos = vocabulary.length;
  const ids = isSmall ? [bos, ...vocabulary.keys()] : [...new Set(page.state.run.ids)];
  const rows = ids.map((id) =>
    Array.from(page.model.embedding[id], (value, column) => value - offsetIn(page, column, 0)),
  );
  return matrixFigure({
    name: "W_E",
    caption: isSmall ? "a row for each token of the vocabulary" : "a row for each token of this input",
    cells: cellsOf(rows),
    side: "token",
    top: "direction",
    rowNames: ids.map((id) => (id === bos ? "bos" : tokenName(vocabulary[id]))),
    columnNames: page.columns,
  });
}

function constantsFigure(page) {
  const columns = [...page.columns.keys()].filter((column) => hasOffset(page, column));
  const caption = [
    element("b", {}, "Constants"),
    " that stand in columns at every position, so that what is added is rounded; left out in all other figures",
  ];
  const constant = (column) => {
    const offset = offsetIn(page, column, 0);
    const open = () => selectFamily(page, page.familyOf.get(column));
    return chip(`${nameAt(page, column, 0)}: ${brief(offset)}`, String(offset), open, "direction");
  };
  return columns.length ? figure(caption, chips(columns.map(constant))) : null;
}

function positionsFigure(page) {
  const { texts } = page.state;
  return matrixFigure({
    name: "W_pos",
    caption: "a row for each position of this input, bos first",
    cells: cellsOf(page.model.positions.slice(0, texts.length + 1)),
    side: "position",
    top: "direction",
    rowNames: ["bos", ...texts.map((_, at) => String(at))],
    columnNames: page.columns,
  });
}

function answerDetail(page, part) {
  let start = 0;
  const logits = page.outputs.map((output, number) => {
    const from = start;
    start += output.values.length;
    return logitsFigure(page, output, page.state.run.answers[number], from);
  });
  return [
    heading("Answer", "the value with the largest logit, at each position"),
    ...logits,
    factList(columnsFact(page, "reads", part.reads, before(page, part))),
    figures(unembeddingFigure(page, before(page, part))),
  ];
}

// The logits of an output, which begin at `from`, as far as they are from the best one.
function logitsFigure(page, { name, values }, answers, from) {
  const tokens = tokenNames(page);
  const gaps = values.map((_, choice) =>
    page.state.run.logits.map((row, at) => row[from + choice] - row[from + answers[at]]),
  );
  const strength = (gap, isAnswer) => Math.max(0, 1 + gap / 256) ** 2 * (isAnswer ? 1 : 0.55);
  const cells = gaps.flatMap((row, choice) =>
    row.map((gap, column) => ({ row: choice, column, value: strength(gap, choice === answers[column]) })),
  );
  return figure(
    [element("b", {}, name), " logits, as far as they are from the best one; the darkest is the answer"],
    grid({
      rows: values.map((value) => tokenName(shown(value))),
      columns: tokens,
      cells: cells.filter(({ value }) => value > 0.01),
      kind: "weight",
      cell: cellSide(Math.max(tokens.length, values.length)),
      side: "answer",
      top: "position",
      label: `logits of ${name}: a row for each possible answer`,
      says: (r, c) => {
        const place = r === answers[c] ? "is the answer" : `is ${brief(-gaps[r][c])} nats behind`;
        return `${tokens[c]} at ${c}: ${shown(values[r])} ${place}`;
      },
    }),
  );
}

function unembeddingFigure(page, stream) {
  return matrixFigure({
    name: "W_U",
    caption: "what each direction adds to each logit",
    cells: foldedCells(page, entriesOf(page.model.unembedding), stream),
    side: "direction",
    top: "logit",
    rowNames: page.columns,
    columnNames: page.outputs.flatMap(({ values }) => values.map((value) => tokenName(shown(value)))),
    all: true,
  });
}
