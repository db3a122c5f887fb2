// The input: what is written into it, and the keys below it.
//
// In: the text of the box. Out: tokens, computed anew with each change; the texts at the top of the page.
// Invariant: an input with which something is wrong leaves the last good one as it is.

"use strict";

const MOST_KEYS = 48; // a larger vocabulary gets no keys below the input

function showHeader(page) {
  const { data, config } = page;
  byId("title").textContent = data.title;
  byId("about").textContent = data.about;
  const attention = config.causal ? "causal attention" : "bidirectional attention";
  byId("summary").textContent = `${data.summary} · ${attention} · ${config.dtype} · up to ${config.max_length} tokens`;
  byId("theme").addEventListener("click", changeTheme);
}

// From light to dark or back, whatever the reader prefers elsewhere.
function changeTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : window.matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

function showInput(page) {
  const { vocabulary } = page.config;
  const hasKeys = vocabulary.length <= MOST_KEYS;
  const known = hasKeys ? "" : `, of: ${vocabulary.slice(0, 24).map(tokenName).join(" ")} …`;
  const how = page.single ? "One token a character" : "Tokens with blanks between them, or a JSON list";
  byId("hint").textContent = `${how}${known}`;
  const box = byId("tokens");
  box.value = written(page, page.state.texts);
  box.addEventListener("input", () => edit(page, read(page, box.value)));
  if (hasKeys) byId("palette").append(...keysOf(page, box));
}

// A key for each token, and one that takes the last token away.
function keysOf(page, box) {
  const key = (name, label, changed) =>
    button({ class: "key", "aria-label": label, onclick: () => put(page, changed(read(page, box.value))) }, name);
  return [
    ...page.config.vocabulary.map((text) => key(tokenName(text), `append ${text}`, (texts) => [...texts, text])),
    key("⌫", "remove the last token", (texts) => texts.slice(0, -1)),
  ];
}

function put(page, texts) {
  byId("tokens").value = written(page, texts);
  edit(page, texts);
}

function edit(page, texts) {
  try {
    compute(page, texts);
    byId("problem").textContent = "";
    byId("tokens").removeAttribute("aria-invalid");
    page.show();
  } catch (problem) {
    byId("problem").textContent = problem.message;
    byId("tokens").setAttribute("aria-invalid", "true");
  }
}

// Tokens as the text that `read` reads.
function written({ single }, texts) {
  if (single) return texts.join("");
  return texts.every((text) => /^[^\s["\]]+$/u.test(text)) ? texts.join(" ") : JSON.stringify(texts);
}

function read({ single, config }, text) {
  if (single) {
    const letters = Array.from(text);
    if (letters.every((letter) => config.vocabulary.includes(letter))) return letters;
  }
  const list = text.trim().startsWith("[") ? listIn(text) : null;
  if (list) return list.map((item) => textOf(config, item));
  return single ? Array.from(text) : text.split(/\s+/u).filter(Boolean);
}

// The items of a JSON list of plain values, null if it is none.
function listIn(text) {
  try {
    const list = JSON.parse(text);
    const isPlain = (item) => ["string", "number", "boolean"].includes(typeof item);
    return Array.isArray(list) && list.every(isPlain) ? list : null;
  } catch {
    return null;
  }
}

// An item of a list as the text of a token: 1 may be written 1.0, which JSON does not tell apart here.
function textOf({ vocabulary }, item) {
  if (typeof item === "boolean") return item ? "True" : "False";
  return [String(item), `${item}.0`].find((text) => vocabulary.includes(text)) ?? String(item);
}
