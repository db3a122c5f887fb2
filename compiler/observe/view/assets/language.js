// The language: s-ops and selectors, computed exactly.
//
// In: the page's table of s-ops, token ids. Out: each s-op's values, each selector's rows, or why there are none.
// A value is a boolean, a BigInt, a string, or a fraction {n, d} of BigInts, which the language calls a float.
// Invariant: what this cannot compute as the interpreter does is an `Error`, never a different answer.

"use strict";

const MOST_BITS = 1n << 65536n;

const isText = (v) => typeof v === "string";
const isFraction = (v) => typeof v === "object";
const numerator = (v) => (isFraction(v) ? v.n : BigInt(v));
const denominator = (v) => (isFraction(v) ? v.d : 1n);
const sameness = (v) => (isText(v) ? `"${v}` : `${numerator(v)}/${denominator(v)}`);
const truth = (v) => (isText(v) ? v !== "" : numerator(v) !== 0n);

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

function numbers(...values) {
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

// Arithmetic: whole numbers stay whole, anything with a fraction is one.
function arithmetic(a, b, n, d) {
  numbers(a, b);
  return isFraction(a) || isFraction(b) ? fraction(n(), d()) : limited(n());
}

function power(a, b) {
  numbers(a, b);
  const [base, exponent] = [[numerator(a), denominator(a)], numerator(b)];
  if (base[0] === 0n && exponent < 0n) throw new Error("zero cannot be raised to a negative power");
  if (denominator(b) !== 1n) throw new Error("this page does not compute powers that are not whole");
  const size = exponent < 0n ? -exponent : exponent;
  if (base.join("/") !== "1/1" && base.join("/") !== "-1/1" && size > 65536n) {
    throw new Error("the result is too large");
  }
  let [n, d] = [base[0] ** size, base[1] ** size];
  if (exponent < 0n) [n, d] = n < 0n ? [-d, -n] : [d, n];
  return !isFraction(a) && !isFraction(b) && exponent >= 0n ? limited(n) : fraction(n, d);
}

function rounded(v) {
  numbers(v);
  const [n, d] = [numerator(v), denominator(v)];
  const low = floor(n, d);
  const twice = 2n * (n - low * d);
  return twice > d || (twice === d && low % 2n !== 0n) ? low + 1n : low;
}

const PREDICATES = {
  "==": (a, b) => sameness(a) === sameness(b),
  "!=": (a, b) => sameness(a) !== sameness(b),
  "<": (a, b) => order(a, b) < 0,
  "<=": (a, b) => order(a, b) <= 0,
  ">": (a, b) => order(a, b) > 0,
  ">=": (a, b) => order(a, b) >= 0,
};

const OPERATORS = {
  ...PREDICATES,
  "+": (a, b) => {
    if (isText(a) && isText(b)) return a + b;
    return arithmetic(
      a,
      b,
      () => numerator(a) * denominator(b) + numerator(b) * denominator(a),
      () => denominator(a) * denominator(b),
    );
  },
  "-": (a, b) =>
    arithmetic(
      a,
      b,
      () => numerator(a) * denominator(b) - numerator(b) * denominator(a),
      () => denominator(a) * denominator(b),
    ),
  "*": (a, b) => {
    const [text, often] = isText(b) && !isText(a) ? [b, a] : [a, b];
    if (isText(text) && !isText(often) && !isFraction(often)) {
      if (BigInt(text.length) * numerator(often) > 65536n) throw new Error("the result is too long");
      return text.repeat(Math.max(Number(numerator(often)), 0));
    }
    return arithmetic(
      a,
      b,
      () => numerator(a) * numerator(b),
      () => denominator(a) * denominator(b),
    );
  },
  "/": (a, b) => {
    numbers(a, b);
    if (numerator(b) === 0n) throw new Error("division by zero");
    const sign = numerator(b) < 0n ? -1n : 1n;
    return fraction(sign * numerator(a) * denominator(b), sign * denominator(a) * numerator(b));
  },
  "%": (a, b) => {
    numbers(a, b);
    if (numerator(b) === 0n) throw new Error("remainder by zero");
    const [x, y] = [numerator(a) * denominator(b), numerator(b) * denominator(a)];
    const whole = y < 0n ? floor(-x, -y) : floor(x, y);
    return arithmetic(
      a,
      b,
      () => x - whole * y,
      () => denominator(a) * denominator(b),
    );
  },
  "^": power,
  negate: (a) => {
    numbers(a);
    return isFraction(a) ? { n: -a.n, d: a.d } : -numerator(a);
  },
  plus: (a) => {
    numbers(a);
    return isFraction(a) ? a : numerator(a);
  },
  round: rounded,
  indicator: (a) => (truth(a) ? 1n : 0n),
  not: (a) => !truth(a),
  and: (a, b) => truth(a) && truth(b),
  or: (a, b) => truth(a) || truth(b),
  if: (condition, a, b) => (truth(condition) ? a : b),
  in: (a, ...options) => options.some((option) => sameness(a) === sameness(option)),
};

// A value as the console shows it within a sequence.
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

function shown(v) {
  if (typeof v === "boolean") return v ? "T" : "F";
  if (!isFraction(v)) return String(v);
  const thousandths = rounded({ n: v.n * 1000n, d: v.d });
  const digits = String(thousandths < 0n ? -thousandths : thousandths).padStart(4, "0");
  const text = `${digits.slice(0, -3)}.${digits.slice(-3)}`.replace(/0{1,2}$/u, "");
  return thousandths < 0n ? `-${text}` : text;
}

// Every entry of the table on an input: values of an s-op, rows of booleans of a selector, or an Error.
function interpret(table, ids, causal) {
  const n = ids.length;
  const found = [];
  const each = (make) => Array.from({ length: n }, (_, at) => make(at));
  const part = (number) => {
    if (found[number] instanceof Error) throw found[number];
    return found[number];
  };
  for (const [kind, ...rest] of table) {
    try {
      const values = compute(kind, rest);
      if (values.some(isText) && !values.every((v) => isText(v) || Array.isArray(v))) {
        throw new Error("strings and numbers in one sequence");
      }
      found.push(values);
    } catch (problem) {
      found.push(problem instanceof RangeError ? new Error("the result is too large") : problem);
    }
  }
  return found;

  function compute(kind, rest) {
    switch (kind) {
      case "tokens":
        return each((at) => {
          if (rest[0][ids[at]] === null) throw new Error(`the token at position ${at} cannot be read so`);
          return untagged(rest[0][ids[at]]);
        });
      case "indices":
        return each(BigInt);
      case "constant":
        return each(() => untagged(rest[0]));
      case "map": {
        const operands = rest[1].map(part);
        return each((at) => OPERATORS[rest[0]](...operands.map((values) => values[at])));
      }
      case "lookup":
        return lookup(...rest);
      case "aggregate":
        return aggregate(...rest);
      case "width":
        return seen(part(rest[0])).map((row) => BigInt(row.filter(Boolean).length));
      case "select": {
        const [keys, queries] = [part(rest[0]), part(rest[1])];
        return queries.map((query) => keys.map((key) => PREDICATES[rest[2]](key, query)));
      }
      case "not":
        return part(rest[0]).map((row) => row.map((on) => !on));
      case "and":
        return part(rest[0]).map((row, q) => row.map((on, k) => on && part(rest[1])[q][k]));
      case "or":
        return part(rest[0]).map((row, q) => row.map((on, k) => on || part(rest[1])[q][k]));
      default:
        throw new Error(`this page does not compute ${kind}`);
    }
  }

  function seen(rows) {
    return causal ? rows.map((row, query) => row.map((on, key) => on && key <= query)) : rows;
  }

  function lookup(pairs, arg, isSequence) {
    const entries = new Map(pairs.map(([key, value]) => [sameness(untagged(key)), untagged(value)]));
    return part(arg).map((key) => {
      if ((isSequence && (isText(key) || isFraction(key))) || !entries.has(sameness(key))) {
        throw new Error(`${shown(key)} is no key of the table`);
      }
      return entries.get(sameness(key));
    });
  }

  function aggregate(selector, value, fallback) {
    const values = part(value);
    return seen(part(selector)).map((row) => {
      const keys = row.flatMap((on, key) => (on ? [key] : []));
      if (keys.length === 0) return untagged(fallback);
      if (keys.length === 1) return values[keys[0]];
      if (values.some(isText) || values.every((v) => typeof v === "boolean")) {
        throw new Error("only numbers have a mean");
      }
      const sum = keys.reduce((total, key) => OPERATORS["+"](total, values[key]), { n: 0n, d: 1n });
      return fraction(sum.n, sum.d * BigInt(keys.length));
    });
  }
}

// A selector as an aggregate of a causal model sees it: without the future.
function withoutFuture(rows, causal) {
  return causal ? rows.map((row, query) => row.map((on, key) => on && key <= query)) : rows;
}
