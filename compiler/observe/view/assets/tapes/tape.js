// The tapes: the source, the target that is written for it, and the buttons that write.
//
// In: both sides. Out: the tables below the source, the verdict.
// Invariant: what a button says is what it does; a target that has ended is not written on.

"use strict";

function showTapes(root) {
  const { encoder, decoder } = root;
  byId("strip").replaceChildren(sourceTable(encoder), targetTable(decoder), writeButtons(root));
  byId("written").textContent = targetText(root);
  const { kind, text } = verdictOn(decoder, decoder.state.truth);
  byId("verdict").className = kind;
  byId("verdict").textContent = text;
}

const tapeTable = (name, rows) =>
  element("table", { class: "tape" }, element("caption", {}, name), element("tbody", {}, rows));

function sourceTable(encoder) {
  return tapeTable("source", [
    stripRow(encoder, "indices", "position", (_, at) => String(at)),
    stripRow(encoder, "tokens", "tokens", (text, at) => tokenButton(encoder, text, at)),
  ]);
}

// What the decoder reads, and below each token what it answers there: the token to stand behind it.
function targetTable(decoder) {
  return tapeTable("target", [
    stripRow(decoder, "indices", "position", (_, at) => String(at)),
    stripRow(decoder, "tokens", "read", (text, at) => tokenButton(decoder, text, at)),
    ...decoder.outputs.map(({ name }, number) => {
      const answers = answersOf(decoder, number);
      const answer = (_, at) => element("b", {}, tokenName(shown(answers[at])));
      return stripRow(decoder, "answers", clipped(name, 18), answer);
    }),
  ]);
}

function targetText(root) {
  const { isLast } = nextToken(root);
  const tokens = writtenSoFar(root).map((value) => tokenName(shown(value)));
  const text = tokens.join(tokens.every((token) => lengthOf(token) === 1) ? "" : " ");
  return `Target${isLast ? "" : " so far"}: ${text}`;
}

function writeButtons(root) {
  const { value, isLast } = nextToken(root);
  const writer = (name, label, disabled, write) => {
    const act = () => {
      write(root);
      root.decoder.show();
    };
    return button({ class: "next", "aria-label": label, disabled, onclick: act }, name);
  };
  return element(
    "div",
    { class: "writers", role: "group", "aria-label": "write the target" },
    writer("← back", "one token back", root.decoder.state.texts.length < 2, writeBack),
    writer(isLast ? "the target has ended" : `next: read ${tokenName(shown(value))}`, "next token", isLast, writeOn),
    writer("all →", "the whole target", isLast, writeAll),
  );
}
