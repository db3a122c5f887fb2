// A head: where it looks on the input, and what it makes of it.
//
// In: a head. Out: its view.
// Invariant: its attention and its selector stand side by side, cell by cell.

"use strict";

function headDetail(page, head) {
  const tokens = tokenNames(page);
  const shared = {
    rows: tokens,
    cell: cellSide(tokens.length),
    future: page.config.causal,
    row: page.state.position,
    tall: ["bos", ...tokens],
    side: "query",
    top: "key",
  };
  const isLong = (head.link.text?.length ?? 0) + (head.link.name?.length ?? 0) > 34;
  const stream = before(page, head);
  return [
    heading(head.id, headName(head), partLine(page, head)),
    element(
      "div",
      { class: isLong ? "figures pair" : "figures" },
      attentionFigure(page, head, shared),
      truthFigure(page, head, shared),
    ),
    page.state.position === null ? null : element("p", { class: "spoken" }, spoken(page, head)),
    factList(
      columnsFact(page, "query reads", head.queries, stream),
      columnsFact(page, "key reads", head.keys, stream),
      columnsFact(page, "value reads", head.values, stream),
      columnsFact(page, "writes", head.writes, stream),
    ),
    figures(scoresFigure(page, head), valuesFigure(page, head)),
    folded("The head as a formula", element("p", { class: "formula" }, head.does)),
  ];
}

// The attention of a head. `shared`: what its grid has in common with that of its selector.
function attentionFigure(page, head, shared) {
  const tokens = shared.rows;
  const weights = weightsOf(page, head);
  const note = isCount(head)
    ? `Shown times e^${powerOf(head)}, as much as the head’s output is enlarged: ` +
      "each selected key adds 1, and bos holds the rest."
    : "Rows that select nothing look at bos.";
  return figure(
    [element("b", {}, "Attention"), " on this input"],
    grid({
      ...shared,
      columns: ["bos", ...tokens],
      cells: patternCells(page, head),
      kind: "weight",
      pale: new Set([0]),
      label: `attention of ${head.id}: a row for each position that looks, a column for each that is looked at`,
      says: (q, k) => {
        const weight = weights[q + 1][k];
        const adds = isCount(head) && k ? `, so it adds ${brief(weight * head.scale)}` : "";
        return `${tokens[q]} at ${q} looks at ${k ? `${tokens[k - 1]} at ${k - 1}` : "bos"}: ${brief(weight)}${adds}`;
      },
    }),
    quiet(note),
  );
}

// What a head makes of two positions: the score of a key for a query.
function scoresFigure(page, head) {
  const { Q, K } = page.model.blocks[head.layer].heads[head.number];
  return matrixFigure({
    name: "W_QK",
    caption: "score of a key for a query, in nats",
    cells: foldedCells(page, product(Q, transposed(K)), before(page, head), true),
    side: "query",
    top: "key",
    rowNames: page.columns,
    columnNames: page.columns,
  });
}

// What a head writes of what it reads at a key.
function valuesFigure(page, head) {
  const { V, O } = page.model.blocks[head.layer].heads[head.number];
  return matrixFigure({
    name: "W_OV",
    caption: isCount(head) ? `what one selected key adds (divided by e^${powerOf(head)})` : "what a key hands over",
    cells: foldedCells(page, product(V, O, 1 / head.scale), before(page, head)),
    side: "reads",
    top: "writes",
    rowNames: page.columns,
    columnNames: page.columns,
  });
}

function spoken(page, head) {
  const { position, texts } = page.state;
  const row = looksAt(page, head)[position];
  const keys = row.flatMap((on, key) => (on ? [`${tokenName(texts[key])} at ${key}`] : []));
  const seen = keys.length ? keys.join(", ") : "nothing: at bos";
  return `Position ${position}, ${tokenName(texts[position])}, looks at ${seen}.`;
}
