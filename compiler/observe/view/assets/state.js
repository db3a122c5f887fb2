// State: what changes while the page is used, and what follows from it.
//
// In: what the page knows. Out: one object, `page.state`, and all that may be done to it.
// Invariant: whoever changes the state calls `page.show`, which draws everything anew from it.

"use strict";

const MOST_SHOWN = 24; // a stream of more families than this begins with those that a step writes

const initialState = ({ families }) => ({
  texts: [],
  run: null,
  truth: null,
  step: 0,
  selected: null,
  position: null,
  everything: families.length <= MOST_SHOWN,
  wide: new Set(),
  header: false,
});

// Another input. Throws an Error with what is wrong with it, and changes nothing then.
function compute({ state, model, language, config }, texts) {
  const ids = model.encode(texts);
  state.texts = texts;
  state.run = model.run(ids);
  state.truth = language.nodes ? interpret(language.nodes, ids, config.causal) : null;
  if (state.position !== null && state.position >= texts.length) state.position = null;
}

// To a step, and to the first of its parts. `keep`: a selected variable or column stays selected.
function go(page, step, keep = false) {
  const { state, steps } = page;
  state.step = Math.max(0, Math.min(steps.length - 1, step));
  if (!keep || !["variable", "column"].includes(state.selected?.kind)) state.selected = partsAt(page, state.step)[0];
  page.show();
}

// A part, a variable or a family of columns, and the step of a part.
function select(page, thing) {
  page.state.selected = thing;
  if ("step" in thing) page.state.step = thing.step;
  page.show();
  const detail = byId("detail").getBoundingClientRect();
  if (detail.top > window.innerHeight * 0.8 || detail.bottom < 80) {
    byId("detail").scrollIntoView({ block: "start", behavior: "smooth" });
  }
}

const variableThing = (name) => ({ kind: "variable", id: `variable ${name}`, name });
const familyThing = (family) => ({ kind: "column", id: `column ${family.id}`, family });
const selectVariable = (page, name) => select(page, variableThing(name));
const selectFamily = (page, family) => select(page, familyThing(family));
const isSelected = ({ state }, thing) => state.selected?.id === thing.id;

// What the program says of a name on the input: values, rows of a selector, an Error, or null.
function truthOf({ state, language, booleans }, name) {
  const says = state.truth && name in language.names ? state.truth[language.names[name]] : null;
  return Array.isArray(says) && !language.selectors.includes(name)
    ? says.map((value) => printed(value, booleans.has(name)))
    : says;
}

const answersOf = ({ state, outputs }, output) =>
  state.run.answers[output].map((choice) => outputs[output].values[choice]);

// The values of a variable in a stream: those whose numbers are nearest.
function decoded({ state, booleans }, variable, stream) {
  return state.run.streams[stream].slice(1).map((x) => {
    const at = valueIn(variable.terms, x) / (variable.over ? valueIn(variable.over, x) : 1);
    let best = 0;
    variable.numbers.forEach((number, choice) => {
      if (Math.abs(number - at) < Math.abs(variable.numbers[best] - at)) best = choice;
    });
    return printed(variable.values[best], booleans.has(variable.name));
  });
}

const plain = (value) => (isText(value) ? value : Number(numerator(value)) / Number(denominator(value)));
const same = (a, b) => plain(a) === plain(b) || (!isText(a) && !isText(b) && sameness(a) === sameness(b));
