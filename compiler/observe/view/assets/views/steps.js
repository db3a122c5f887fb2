// The step: what happens in it, and a card for each part.
//
// In: the step that is shown. Out: its section of the page.
// Invariant: a card says what its part reads and writes, in the names of the stream that it reads.

"use strict";

const MOST_ADDED = 12; // directions that are named as written

const LEADS = {
  embedding: "Every token and every position is looked up in a table. Nothing has moved between positions yet.",
  attention: "Positions look at each other: each head fetches or counts what it finds where it looks.",
  mlp: "Each position by itself: neurons compute a new number from what the position already holds.",
  answer: "Each possible answer gets a score, linear in the stream; the largest one wins.",
};

function showStep(page) {
  const step = page.steps[page.state.step];
  const here = partsAt(page, page.state.step);
  const cards = here.filter(({ kind }) => kind === "head" || kind === "neurons").map((part) => card(page, part));
  byId("step").replaceChildren(
    element("h2", {}, step.title),
    element("p", { class: "lead" }, LEADS[step.kind]),
    step.kind === "answer" ? "" : added(page, here, Math.max(0, step.stream - 1)),
    cards.length ? element("div", { class: "cards" }, cards) : "",
  );
}

// The directions that a step adds to.
function added(page, parts, stream) {
  const families = familiesOf(
    page,
    parts.flatMap((part) => part.writes),
  );
  return element(
    "p",
    { class: "added" },
    "adds to ",
    chips(familyChips(page, families.slice(0, MOST_ADDED), stream)),
    families.length > MOST_ADDED ? ` and ${families.length - MOST_ADDED} more` : null,
  );
}

function card(page, part) {
  const name = part.kind === "head" ? part.id : count(part.members.length, "neuron");
  return button(
    {
      class: `card ${part.kind}`,
      "aria-pressed": String(isSelected(page, part)),
      onclick: () => select(page, part),
    },
    cardPicture(page, part),
    element("span", { class: "words" }, element("b", {}, `${name} `), element("span", {}, cardText(page, part))),
  );
}

function cardText(page, part) {
  const stream = before(page, part);
  const into = familiesOf(page, part.writes).map((family) => clipped(titleAt(page, family, stream), 28));
  if (part.kind === "head") return `${headName(part)}, into ${into.slice(0, 3).join(", ")}`;
  if (!part.form.length) {
    const adds = part.members.length === 1 ? "it adds" : "they add";
    const isBack = part.writes.some((column) => hasOffset(page, column));
    const why = isBack ? ", and so take away a constant that made it round" : "";
    return `always on: ${adds} the same everywhere, to ${into.slice(0, 3).join(", ")}${why}`;
  }
  const more = into.length > 2 ? ` and ${into.length - 2} more` : "";
  return `read ${formText(page, part.form, 44, stream)}, into ${into.slice(0, 2).join(", ")}${more}`;
}

const FLAT = {
  curves: [
    [
      [0, 1],
      [1, 1],
    ],
  ],
  dots: [],
};

function cardPicture(page, part) {
  const { length } = page.state.texts;
  if (part.kind === "head") return thumbnail(length, length + 1, patternCells(page, part));
  const functions = part.form.length ? staircase(page, part) : FLAT;
  return plot({ ...functions, label: "", width: 84, height: 60, bare: true });
}
