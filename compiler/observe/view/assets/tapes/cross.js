// A head that crosses: where positions of the target look at the source, and what it makes of it.
//
// In: both sides, a head of the decoder that crosses. Out: its card and its view.
// Invariant: rows are positions of the target, columns those of the source, bos first.

"use strict";

function crossCard(page, head) {
  const { length } = page.state.texts;
  const cells = patternCells(page, head);
  const across = weightsOf(page, head)[0].length;
  return button(
    {
      class: "card head crossing",
      "aria-pressed": String(isSelected(page, head)),
      onclick: () => select(page, head),
    },
    thumbnail(length, across, cells),
    element("span", { class: "words" }, element("b", {}, `${head.id} `), element("span", {}, cardText(page, head))),
  );
}

function crossDetail({ encoder, decoder }, head) {
  const stream = before(decoder, head);
  const memory = encoder.steps.at(-1).stream;
  const shared = crossShared(encoder, decoder);
  return [
    heading(head.id, headName(head), partLine(decoder, head)),
    element(
      "div",
      { class: "figures pair" },
      crossAttention(decoder, head, shared),
      crossTruth(encoder, decoder, head, shared),
    ),
    decoder.state.position === null ? null : element("p", { class: "spoken" }, crossSpoken(encoder, decoder, head)),
    factList(
      columnsFact(decoder, "query reads, of the target", head.queries, stream),
      columnsFact(encoder, "key reads, of the source", head.keys, memory),
      columnsFact(encoder, "value reads, of the source", head.values, memory),
      columnsFact(decoder, "writes", head.writes, stream),
    ),
    figures(crossScores(encoder, decoder, head), crossValues(encoder, decoder, head)),
    folded("The head as a formula", element("p", { class: "formula" }, head.does)),
  ];
}

// What the grids of a head that crosses have in common.
function crossShared(encoder, decoder) {
  const [rows, tokens] = [tokenNames(decoder), tokenNames(encoder)];
  return {
    rows,
    columns: tokens,
    cell: cellSide(Math.max(rows.length, tokens.length)),
    row: decoder.state.position,
    tall: ["bos", ...tokens],
    side: "target",
    top: "source",
    rowMost: 9,
  };
}

function crossAttention(page, head, shared) {
  const { rows, columns } = shared;
  const weights = weightsOf(page, head);
  const note = isCount(head)
    ? `Shown times e^${powerOf(head)}, as much as the head’s output is enlarged: each selected key adds 1.`
    : "Rows that select nothing look at bos.";
  return figure(
    [element("b", {}, "Cross-attention"), " from the target to the source"],
    grid({
      ...shared,
      columns: ["bos", ...columns],
      cells: patternCells(page, head),
      kind: "weight",
      pale: new Set([0]),
      label: `attention of ${head.id}: a row for each position of the target, a column for each of the source`,
      says: (q, k) => {
        const key = k ? `${columns[k - 1]} at ${k - 1} of the source` : "bos";
        return `${rows[q]} at ${q} looks at ${key}: ${brief(weights[q + 1][k])}`;
      },
    }),
    quiet(note),
  );
}

const crossCells = (encoder, decoder, rows, shared) => ({
  ...shared,
  cells: truthCells(rows),
  says: (q, k) => {
    const [query, key] = [tokenNames(decoder)[q], tokenNames(encoder)[k]];
    return `${query} at ${q}, ${key} at ${k} of the source: ${rows[q][k] ? "selected" : "not selected"}`;
  },
});

// The selector that the head stands for, and whether it looks there.
function crossTruth(encoder, decoder, head, shared) {
  const { link, layer } = head;
  const rows = link.node === null ? null : decoder.state.truth?.[link.node];
  if (!Array.isArray(rows)) {
    const why =
      rows instanceof Error
        ? `The program has no value for it on this input: ${rows.message}.`
        : (decoder.language.missing ?? "No single selector of the program selects exactly what this head looks at.");
    return figure(element("b", {}, "What the program says"), quiet(why));
  }
  const sharing = link.sharing.map((number) =>
    decoder.parts.find((one) => one.layer === layer && one.number === number),
  );
  const own = looksAt(decoder, head);
  const found = (sharing.length ? sharing : [head])
    .map((one) => looksAt(decoder, one))
    .reduce((a, b) => a.map((row, q) => row.map((on, k) => on || b[q][k])));
  const given = crossCells(encoder, decoder, rows, shared);
  const wrong = wrongOf(link.meaning, found, rows);
  const isPale = ({ row, column }) => sharing.length && !own[row][column];
  const cells = given.cells.map((one) => ({ ...one, value: isPale(one) ? 0.3 : 1 }));
  return figure(
    selectorTitle(decoder, link),
    truthGrid(rows, shared.rows, { ...given, cells, wrong, label: "the selector’s truth on this input" }),
    headVerdict(decoder, link.meaning, sharing, wrong),
    quiet(`Computed from the program in this page. Tried on ${link.inputs} sources when the page was made.`),
  );
}

// A selector of the program whose keys stand on the source.
function crossSelector({ encoder, decoder }, name) {
  const heads = decoder.parts.filter((part) => part.kind === "head" && part.link.name === name);
  const rows = truthOf(decoder, name);
  return [
    heading(name, "a selector of the program, from the target to the source", lineChip(decoder.names.get(name), "")),
    Array.isArray(rows)
      ? truthGrid(rows, tokenNames(decoder), {
          ...crossCells(encoder, decoder, rows, crossShared(encoder, decoder)),
          label: `the truth of ${name}`,
        })
      : quiet("The program has no value for it on this input."),
    heads.length ? factList(fact("heads that look just there", chips(partChips(decoder, heads)))) : null,
  ];
}

// The score of a key for a query, over what the columns of both streams hold.
function crossScores(encoder, decoder, head) {
  const { Q, K } = decoder.model.blocks[head.layer].heads[head.number];
  const turned = (cells) => cells.map(({ row, column, value }) => ({ row: column, column: row, value }));
  const queries = foldedCells(decoder, product(Q, transposed(K)), before(decoder, head));
  return matrixFigure({
    name: "W_QK",
    caption: "score of a key for a query, in nats",
    cells: turned(foldedCells(encoder, turned(queries), encoder.steps.at(-1).stream)),
    side: "target",
    top: "source",
    rowNames: decoder.columns,
    columnNames: encoder.columns,
  });
}

function crossValues(encoder, decoder, head) {
  const { V, O } = decoder.model.blocks[head.layer].heads[head.number];
  return matrixFigure({
    name: "W_OV",
    caption: isCount(head) ? `what one selected key adds (divided by e^${powerOf(head)})` : "what a key hands over",
    cells: foldedCells(encoder, product(V, O, 1 / head.scale), encoder.steps.at(-1).stream),
    side: "source",
    top: "target",
    rowNames: encoder.columns,
    columnNames: decoder.columns,
  });
}

function crossSpoken(encoder, decoder, head) {
  const { position, texts } = decoder.state;
  const keys = looksAt(decoder, head)[position].flatMap((on, key) =>
    on ? [`${tokenName(encoder.state.texts[key])} at ${key}`] : [],
  );
  const seen = keys.length ? `${keys.join(", ")} of the source` : "nothing: at bos";
  return `Position ${position} of the target, ${tokenName(texts[position])}, looks at ${seen}.`;
}
