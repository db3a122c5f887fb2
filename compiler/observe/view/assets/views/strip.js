// The strip: the tokens, the answers below them, and whether the program agrees.
//
// In: the state. Out: the table below the input, the verdict, the button that writes on.
// Invariant: the verdict compares with the program itself, or says that it cannot.

"use strict";

function showStrip(page) {
  const { state, outputs } = page;
  const rows = [
    stripRow(page, "indices", "position", (_, at) => String(at)),
    stripRow(page, "tokens", "tokens", (text, at) => tokenButton(page, text, at)),
    ...outputs.map(({ name }, number) => {
      const answers = answersOf(page, number);
      const answer = (_, at) => element("b", {}, tokenName(shown(answers[at])));
      return stripRow(page, "answers", clipped(name, 18), answer);
    }),
  ];
  byId("strip").replaceChildren(element("table", {}, element("tbody", {}, rows)), nextButton(page) ?? "");
  const { kind, text } = verdictOn(page, state.truth);
  byId("verdict").className = kind;
  byId("verdict").textContent = text;
}

// A row of the strip: a cell for each token, with what `content(text, at)` says of it.
function stripRow({ state }, kind, name, content) {
  const place = (at) => ({ class: at === state.position ? "here" : null });
  return element(
    "tr",
    { class: kind },
    element("th", { scope: "row" }, name),
    state.texts.map((text, at) => element("td", place(at), content(text, at))),
  );
}

// A token: a click follows its position, or no longer.
function tokenButton(page, text, at) {
  const { state } = page;
  const follow = () => {
    state.position = at === state.position ? null : at;
    page.show();
  };
  return button({ class: "token", "aria-pressed": String(at === state.position), onclick: follow }, tokenName(text));
}

function verdictOn(page, truth) {
  if (!truth) return { kind: "", text: page.language.missing };
  const expected = page.outputs.map(({ name }) => truthOf(page, name));
  const wrong = expected.flatMap((values, number) =>
    Array.isArray(values) ? answersOf(page, number).filter((value, at) => !same(value, values[at])) : [],
  );
  const failed = expected.find((values) => values instanceof Error);
  const kind = wrong.length ? "bad" : failed ? "" : "good";
  if (failed) return { kind, text: `The program has no answer on this input: ${failed.message}.` };
  if (wrong.length) return { kind, text: `The program itself answers otherwise in ${count(wrong.length, "place")}.` };
  return { kind, text: "✓ The program itself, interpreted in this page, gives the same answer." };
}

// For a program that generates: a button that writes its next token behind the input.
function nextButton(page) {
  const { state, config, outputs } = page;
  const at = outputs.findIndex(({ name }) => name === config.generate);
  if (at < 0) return null;
  const text = spellings(answersOf(page, at).at(-1)).find((spelling) => config.vocabulary.includes(spelling));
  if (text === undefined) return null;
  const over = state.texts.length >= config.max_length || config.stop.includes(state.texts.at(-1));
  return button(
    { class: "next", disabled: over, onclick: () => put(page, [...state.texts, text]) },
    over ? "the text has ended" : `write on: ${tokenName(text)}`,
  );
}
