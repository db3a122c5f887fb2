// Columns: what each column of the residual stream holds, and for how long.
//
// In: the labels of the checkpoint. Out: tenants, families of columns, variables; names and constants after a step.
// Invariant: what a column holds is what the labels say of it; no name is taken apart.

"use strict";

const SIGNS = { is: "=", at_least: ">=" };

function ratio(text) {
  const [n, d] = String(text).split("/").map(Number);
  return n / (d ?? 1);
}

// A value of the language from its JSON.
function valueOf(value) {
  if (value !== null && typeof value === "object") {
    return untagged(`f${value.float}${String(value.float).includes("/") ? "" : "/1"}`);
  }
  return typeof value === "number" ? BigInt(value) : value;
}

// The tenants of each column, one after the other: the directions that the labels tell of.
function tenantsOf({ columns, directions }) {
  const tenants = columns.map(() => []);
  directions.forEach((direction) => tenants[direction.column].push(direction));
  return tenants;
}

const isOne = ({ tenants }, column) => tenants[column][0]?.role === "one";

// What a column says of the s-op nearest to it, if it says whether that has a value, or reaches one:
// `plus` if not, `times` more if so.
function memberOf(tenants) {
  const near = tenants.length === 1 ? tenants[0].holds?.[0] : undefined;
  if (!near || !(near.function.kind in SIGNS)) return null;
  const { kind, value, times, plus } = near.function;
  return { of: near.of, sign: SIGNS[kind], value: valueOf(value), times: ratio(times), plus: ratio(plus) };
}

// Columns that belong together, three or more: one for each value of something, or one for each threshold.
function familiesIn(columns, tenants) {
  const members = tenants.map(memberOf);
  const keys = members.map((one) => one && JSON.stringify([one.sign, one.of, one.times, one.plus]));
  const sizes = new Map();
  for (const key of keys) sizes.set(key, (sizes.get(key) ?? 0) + 1);
  const found = new Map();
  columns.forEach((name, column) => {
    const member = keys[column] && sizes.get(keys[column]) >= 3 ? members[column] : null;
    const key = member ? `family ${keys[column]}` : `column ${column}`;
    if (!found.has(key)) found.set(key, { id: found.size, ...familyFor(name, member) });
    const family = found.get(key);
    family.columns.push(column);
    family.values.push(member ? member.value : null);
    family.suffixes.push(member ? shown(member.value) : name);
  });
  return [...found.values()];
}

// The family of a member, or of a column alone, without its columns yet.
function familyFor(name, member) {
  const without = { columns: [], values: [], suffixes: [] };
  if (!member) return { name, title: name, sign: "", isOn: null, ...without };
  const { of, sign, times, plus } = member;
  return { name: of, title: `${of} ${sign} …`, sign, isOn: (x) => (x - plus) / times > 0.5, ...without };
}

const familiesOf = ({ familyOf }, some) => [...new Set(some.map((column) => familyOf.get(column)))];

// The program's values that the stream holds: how each is read from columns, and what the numbers mean.
function variablesOf(labels) {
  const columnOf = new Map(labels.directions.map(({ name, column }) => [name, column]));
  const termsOf = (form) => Object.entries(form).map(([name, c]) => [columnOf.get(name), ratio(c)]);
  return labels.variables.map((variable) => ({
    ...variable,
    terms: termsOf(variable.read),
    over: variable.over && termsOf(variable.over), // a quotient that is divided nowhere has two sides
    columns: [...new Set(Object.keys({ ...variable.read, ...variable.over }).map((name) => columnOf.get(name)))],
    values: variable.values.map(valueOf),
    numbers: variable.numbers.map(ratio),
  }));
}

const isThere = (variable, stream) => variable.ready <= stream && stream < variable.until; // until it is erased

function nameAt({ columns, tenants }, column, stream) {
  return tenants[column].find(({ until }) => stream < until)?.name ?? columns[column];
}

function titleAt(page, family, stream) {
  return family.sign ? family.title : nameAt(page, family.columns[0], stream);
}

// A constant that stands in a column beside what it holds, so that what is added is rounded,
// for as long as it is there.
function offsetIn({ tenants }, column, stream) {
  const found = tenants[column].find(({ offset }) => offset && stream < offset.until);
  return found ? ratio(found.offset.number) : 0;
}

const hasOffset = (page, column) => offsetIn(page, column, 0) !== 0;
