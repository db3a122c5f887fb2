// Selectors: where the program's are true on the input, beside where heads look.
//
// In: rows of a selector's truth, heads. Out: figures.
// Invariant: the truth is computed from the program; a head that looks elsewhere is said to do so.

"use strict";

const truthCells = (rows) =>
  rows.flatMap((row, q) => row.flatMap((on, k) => (on ? [{ row: q, column: k, value: 1 }] : [])));

// Where a selector is true. `given`: what else the grid is given.
function truthGrid(rows, tokens, given) {
  return grid({
    rows: tokens,
    columns: tokens,
    cells: truthCells(rows),
    kind: "truth",
    side: "query",
    top: "key",
    says: (q, k) => `${tokens[q]} at ${q}, ${tokens[k]} at ${k}: ${rows[q][k] ? "selected" : "not selected"}`,
    ...given,
  });
}

// The selector that a head stands for, and whether it looks there.
function truthFigure(page, head, shared) {
  const { link } = head;
  const untitled = element("b", {}, "What the program says");
  if (!page.state.truth) return figure(untitled, quiet(`Not shown: ${page.language.missing}.`));
  if (link.node === null) {
    const divided =
      "No single selector of the program selects exactly what this head looks at; the compiler divided or joined them.";
    return figure(untitled, quiet(divided));
  }
  const rows = page.state.truth[link.node];
  if (rows instanceof Error) {
    const failed = `The program has no value for it on this input: ${rows.message}.`;
    return figure(selectorTitle(page, link), quiet(failed));
  }
  const seen = withoutFuture(rows, page.config.causal);
  const { verdict, ...marks } = compared(page, head, seen);
  return figure(
    selectorTitle(page, link),
    truthGrid(seen, shared.rows, { ...shared, ...marks, label: "the selector’s truth on this input" }),
    verdict,
    quiet(
      "Computed from the program in this page. " +
        `Which selector the head stands for was tried on ${link.inputs} inputs when the page was made.`,
    ),
  );
}

function selectorTitle(page, { name, text }) {
  if (!name) return [element("b", {}, "Selector "), code(text)];
  return [element("b", {}, "Selector "), variableChip(page, name, text), " ", code(clipped(text, 90))];
}

// A selector's truth beside what its head looks at, alone or with those that share it: cells, of which those of others
// are pale, wrong cells, the verdict.
function compared(page, head, seen) {
  const sharing = head.link.sharing.map((number) => page.parts.find((part) => part.id === `L${head.layer}H${number}`));
  const own = looksAt(page, head);
  const found = sharing.length
    ? sharing.map((one) => looksAt(page, one)).reduce((a, b) => a.map((row, q) => row.map((on, k) => on || b[q][k])))
    : own;
  const isPale = ({ row, column }) => sharing.length && !own[row][column];
  const wrong = wrongOf(head.link.meaning, found, seen);
  return {
    cells: truthCells(seen).map((one) => ({ ...one, value: isPale(one) ? 0.3 : 1 })),
    wrong,
    verdict: headVerdict(page, head.link.meaning, sharing, wrong),
  };
}

// Cells [query, key] where heads look and the selector is not true, or the other way round. A head that only asks
// whether there is a key may look at any of them.
function wrongOf(meaning, found, seen) {
  return found.flatMap((row, q) => {
    if (meaning !== "any") return row.flatMap((on, k) => (on === seen[q][k] ? [] : [[q, k]]));
    if (row.some(Boolean) !== seen[q].some(Boolean)) return [[q, 0]];
    return row.flatMap((on, k) => (on && !seen[q][k] ? [[q, k]] : []));
  });
}

function headVerdict(page, meaning, sharing, wrong) {
  if (wrong.length) {
    return element("p", { class: "bad" }, `✗ The head looks elsewhere in ${count(wrong.length, "cell")}.`);
  }
  if (sharing.length) {
    const together = " together look exactly where the selector is true; this head at the strong cells.";
    return element("p", { class: "good" }, "✓ ", chips(partChips(page, sharing)), together);
  }
  return element(
    "p",
    { class: "good" },
    meaning === "all"
      ? "✓ The head looks exactly where the selector is true."
      : "✓ The head only asks whether there is such a key: it looks at one of them.",
  );
}
