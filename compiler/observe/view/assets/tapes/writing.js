// Writing: the target, token by token.
//
// In: the encoder's run on a source, how far the target has been read. Out: the decoder's run on it; the next token.
// Invariant: the decoder reads `start` and what it has written itself; the token that ends a target is not read.

"use strict";

// The decoder on so many tokens of a target, and the program's own values there.
function readTarget({ encoder, decoder }, texts) {
  const { state, model, language } = decoder;
  state.texts = texts;
  state.run = model.run(model.encode(texts), encoder.state.run.streams.at(-1));
  state.truth = language.nodes
    ? interpret(withSource(language.nodes, encoder.state.truth), state.run.ids, false)
    : null;
  if (state.position !== null && state.position >= texts.length) state.position = null;
}

// The table of the decoder's s-ops, with what the encoder's came to.
const withSource = (nodes, truth) => nodes.map((node) => (node[0] === "encoded" ? ["encoded", truth[node[1]]] : node));

ENTRIES.encoded = (_, values) => {
  if (values instanceof Error) throw values;
  return values;
};

// What has been written: the values at each position, the last of which has not been read.
function writtenSoFar({ decoder }) {
  const { data, outputs } = decoder;
  return answersOf(
    decoder,
    outputs.findIndex(({ name }) => name === data.writes),
  );
}

// The value that is written next, the token that it is, if it is one, and whether the target ends with it.
function nextToken(root) {
  const { config, state } = root.decoder;
  const value = writtenSoFar(root).at(-1);
  const texts = spellings(value);
  const text = texts.find((one) => config.vocabulary.includes(one));
  const isStop = texts.some((one) => config.stop.includes(one));
  return { value, text, isLast: isStop || text === undefined || state.texts.length >= config.max_length };
}

// The target from its beginning, as far as it goes, or only its first token.
function writeAnew(root) {
  readTarget(root, [root.decoder.data.start]);
  if (root.isWhole) writeAll(root);
}

// One token more, or one less.
function writeOn(root) {
  const { text, isLast } = nextToken(root);
  if (!isLast) readTarget(root, [...root.decoder.state.texts, text]);
  return !isLast;
}

function writeBack(root) {
  root.isWhole = false;
  readTarget(root, root.decoder.state.texts.slice(0, -1));
}

function writeAll(root) {
  root.isWhole = true;
  let goes = true;
  while (goes) goes = writeOn(root);
}
