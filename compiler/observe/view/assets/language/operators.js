// Operators: the operations of the language on values.
//
// In: values. Out: `PREDICATES` and `OPERATORS`, by the names that the page's table of s-ops has for them.
// Invariant: an operation answers as the interpreter does, or throws an `Error`.

"use strict";

// Arithmetic: whole numbers stay whole, anything with a fraction is one.
function arithmetic(a, b, n, d) {
  needNumbers(a, b);
  return isFraction(a) || isFraction(b) ? fraction(n(), d()) : limited(n());
}

function power(a, b) {
  needNumbers(a, b);
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
    needNumbers(a, b);
    if (numerator(b) === 0n) throw new Error("division by zero");
    const sign = numerator(b) < 0n ? -1n : 1n;
    return fraction(sign * numerator(a) * denominator(b), sign * denominator(a) * numerator(b));
  },
  "%": (a, b) => {
    needNumbers(a, b);
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
    needNumbers(a);
    return isFraction(a) ? { n: -a.n, d: a.d } : -numerator(a);
  },
  plus: (a) => {
    needNumbers(a);
    return isFraction(a) ? a : numerator(a);
  },
  round: rounded,
  indicator: (a) => (isTrue(a) ? 1n : 0n),
  not: (a) => !isTrue(a),
  and: (a, b) => isTrue(a) && isTrue(b),
  or: (a, b) => isTrue(a) || isTrue(b),
  if: (condition, a, b) => (isTrue(condition) ? a : b),
  in: (a, ...options) => options.some((option) => sameness(a) === sameness(option)),
};
