// The language: s-ops and selectors, computed exactly.
//
// In: the page's table of s-ops, token ids. Out: each s-op's values, each selector's rows, or why there are none.
// Invariant: what this cannot compute as the interpreter does is an `Error`, never a different answer.

"use strict";

// Every entry of the table on an input: values of an s-op, rows of booleans of a selector, or an Error.
function interpret(table, ids, causal) {
  const found = [];
  const input = {
    ids,
    each: (make) => Array.from(ids, (_, at) => make(at)),
    part: (number) => {
      if (found[number] instanceof Error) throw found[number];
      return found[number];
    },
    seen: (number) => withoutFuture(input.part(number), causal),
  };
  for (const [kind, ...rest] of table) found.push(attempted(kind, rest, input));
  return found;
}

function attempted(kind, rest, input) {
  try {
    if (!Object.hasOwn(ENTRIES, kind)) throw new Error(`this page does not compute ${kind}`);
    const values = ENTRIES[kind](input, ...rest);
    if (values.some(isText) && !values.every((v) => isText(v) || Array.isArray(v))) {
      throw new Error("strings and numbers in one sequence");
    }
    return values;
  } catch (problem) {
    return problem instanceof RangeError ? new Error("the result is too large") : problem;
  }
}

// A selector as an aggregate of a causal model sees it: without the future.
function withoutFuture(rows, causal) {
  return causal ? rows.map((row, query) => row.map((on, key) => on && key <= query)) : rows;
}

// What each kind of entry is on an input. Its parts are numbers of entries before it.
const ENTRIES = {
  tokens: ({ each, ids }, texts) =>
    each((at) => {
      if (texts[ids[at]] === null) throw new Error(`the token at position ${at} cannot be read so`);
      return untagged(texts[ids[at]]);
    }),
  indices: ({ each }) => each(BigInt),
  constant: ({ each }, text) => each(() => untagged(text)),
  map: ({ each, part }, operator, parts) => {
    const operands = parts.map(part);
    return each((at) => OPERATORS[operator](...operands.map((values) => values[at])));
  },
  lookup,
  aggregate,
  width: ({ seen }, selector) => seen(selector).map((row) => BigInt(row.filter(Boolean).length)),
  total: addedUp,
  select: ({ part }, key, query, predicate) => {
    const [keys, queries] = [part(key), part(query)];
    return queries.map((q) => keys.map((k) => PREDICATES[predicate](k, q)));
  },
  not: ({ part }, selector) => part(selector).map((row) => row.map((on) => !on)),
  and: ({ part }, a, b) => part(a).map((row, q) => row.map((on, k) => on && part(b)[q][k])),
  or: ({ part }, a, b) => part(a).map((row, q) => row.map((on, k) => on || part(b)[q][k])),
};

function lookup({ part }, pairs, arg, isSequence) {
  const entries = new Map(pairs.map(([key, value]) => [sameness(untagged(key)), untagged(value)]));
  return part(arg).map((key) => {
    if ((isSequence && (isText(key) || isFraction(key))) || !entries.has(sameness(key))) {
      throw new Error(`${shown(key)} is no key of the table`);
    }
    return entries.get(sameness(key));
  });
}

function keysSeen(row) {
  return row.flatMap((on, key) => (on ? [key] : []));
}

function aggregate({ part, seen }, selector, value, fallback) {
  const values = part(value);
  return seen(selector).map((row) => {
    const keys = keysSeen(row);
    if (keys.length === 0) return untagged(fallback);
    if (keys.length === 1) return values[keys[0]];
    if (values.some(isText) || values.every((v) => typeof v === "boolean")) {
      throw new Error("only numbers have a mean");
    }
    const sum = keys.reduce((total, key) => OPERATORS["+"](total, values[key]), { n: 0n, d: 1n });
    return fraction(sum.n, sum.d * BigInt(keys.length));
  });
}

// Of an empty row 0; a fraction where one of all values is, for what a sequence is does not change from row to row.
function addedUp({ part, seen }, selector, value) {
  const values = part(value);
  if (values.some(isText)) throw new Error("strings cannot be added up");
  const none = values.some(isFraction) ? { n: 0n, d: 1n } : 0n;
  return seen(selector).map((row) => {
    const keys = keysSeen(row);
    return keys.length === 0 ? 0n : keys.reduce((found, key) => OPERATORS["+"](found, values[key]), none);
  });
}
