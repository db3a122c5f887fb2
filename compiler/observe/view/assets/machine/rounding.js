// Rounding: the numbers that a dtype holds.
//
// In: a number. Out: the nearest number of a dtype, `roundTo[dtype](x)`.
// Invariant: halfway goes to the even one; what is too large for the dtype is infinite.

"use strict";

const roundTo = {
  float64: (x) => x,
  float32: Math.fround,
  bfloat16: (x) => Math.fround(significant(x, 8)),
  float16: (x) => {
    const size = Math.abs(x);
    if (!(size < 65520)) return x > 0 ? Infinity : x < 0 ? -Infinity : x;
    return size < 2 ** -14 ? evenly(x * 2 ** 24) / 2 ** 24 : significant(x, 11);
  },
};

// The nearest number of so many significant bits.
function significant(x, bits) {
  const size = Math.abs(x);
  if (size === 0 || !Number.isFinite(x)) return x;
  const unit = 2 ** (Math.floor(Math.log2(size)) - bits + 1);
  return evenly(x / unit) * unit;
}

function evenly(x) {
  const low = Math.floor(x);
  const above = x - low;
  return above > 0.5 || (above === 0.5 && low % 2 !== 0) ? low + 1 : low;
}
