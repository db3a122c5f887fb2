// Values: a boolean, a BigInt, a string, or a fraction {n, d} of BigInts, which the language calls a float.
//
// In: tagged texts of the page's data. Out: values; their order and equality, how they are printed.
// Invariant: values are exact. What is too large, or has no order, is an `Error`.

"use strict";

const MOST_BITS = 1n << 65536n;

const isText = (v) => typeof v === "string";
const isFraction = (v) => typeof v === "object";
const numerator = (v) => (isFraction(v) ? v.n : BigInt(v));
const denominator = (v) => (isFraction(v) ? v.d : 1n);
const sameness = (v) => (isText(v) ? `"${v}` : `${numerator(v)}/${denominator(v)}`);
const isTrue = (v) => (isText(v) ? v !== "" : numerator(v) !== 0n);

function fraction(n, d) {
  let [a, b] = [n < 0n ? -n : n, d];
  while (b) [a, b] = [b, a % b];
  return limited({ n: n / a, d: d / a });
}

function limited(v) {
  if ([numerator(v), denominator(v)].some((x) => x >= MOST_BITS || x <= -MOST_BITS)) {
    throw new Error("the result is too large");
  }
  return v;
}

// A value from its tagged text.
function untagged(text) {
  if (text === "T" || text === "F") return text === "T";
  if (text[0] === "s") return text.slice(1);
  if (text[0] === "i") return BigInt(text.slice(1));
  const [n, d] = text.slice(1).split("/");
  return { n: BigInt(n), d: BigInt(d) };
}

function needNumbers(...values) {
  if (values.some(isText)) throw new Error("a number is needed, and there is a string");
}

const floor = (n, d) => (n >= 0n || n % d === 0n ? n / d : n / d - 1n);

function order(a, b) {
  if (isText(a) !== isText(b)) throw new Error("a string cannot be ordered with a number");
  if (!isText(a)) {
    const difference = numerator(a) * denominator(b) - numerator(b) * denominator(a);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }
  const [x, y] = [Array.from(a), Array.from(b)];
  for (let at = 0; at < Math.min(x.length, y.length); at += 1) {
    if (x[at] !== y[at]) return x[at].codePointAt(0) < y[at].codePointAt(0) ? -1 : 1;
  }
  return Math.sign(x.length - y.length);
}

function rounded(v) {
  needNumbers(v);
  const [n, d] = [numerator(v), denominator(v)];
  const low = floor(n, d);
  const twice = 2n * (n - low * d);
  return twice > d || (twice === d && low % 2n !== 0n) ? low + 1n : low;
}

// A value in the kind that `rasp run` prints. `boolean`: its s-op has no values but bools.
function printed(v, boolean) {
  if (isText(v) || (boolean && typeof v === "boolean")) return v;
  return denominator(v) === 1n ? numerator(v) : v;
}

// The texts of the tokens that a value may be, the one it prints as first: 1, 1.0 and True are one value.
function spellings(v) {
  if (isText(v)) return [v];
  if (denominator(v) !== 1n) return [String(Number(v.n) / Number(v.d))];
  const whole = numerator(v);
  const truth = whole === 1n ? "True" : "False";
  const numbers = [String(whole), `${whole}.0`];
  if (whole !== 0n && whole !== 1n) return numbers;
  return typeof v === "boolean" ? [truth, ...numbers] : [...numbers, truth];
}

// A value as the console shows it within a sequence.
function shown(v) {
  if (typeof v === "boolean") return v ? "T" : "F";
  if (!isFraction(v)) return String(v);
  const thousandths = rounded({ n: v.n * 1000n, d: v.d });
  const digits = String(thousandths < 0n ? -thousandths : thousandths).padStart(4, "0");
  const text = `${digits.slice(0, -3)}.${digits.slice(-3)}`.replace(/0{1,2}$/u, "");
  return thousandths < 0n ? `-${text}` : text;
}
