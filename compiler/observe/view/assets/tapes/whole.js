// The whole program: one text, of which each side does a part.
//
// In: both sides. Out: what the view of the program takes for its page.
// Invariant: a name that is read on both tapes leads to the side that is active, if that knows it.

"use strict";

// A name without the tape on which it is read.
const bareName = (name) => name.split("@")[0];

// Both sides as the page of one program: parts under names that say whose they are.
function wholeOf(root, data) {
  const sides = [root.encoder, root.decoder];
  const parts = sides.flatMap((page) =>
    page.parts.filter(({ across }) => !across).map((part) => ({ ...part, id: `${page.side} ${part.id}`, page, part })),
  );
  const bare = (found) => Object.fromEntries(Object.entries(found).map(([name, one]) => [bareName(name), one]));
  const names = Object.assign(
    {},
    ...sides.map(({ language }) => ({ ...bare(language.names ?? {}), ...language.names })),
  );
  const known = Object.assign({}, ...sides.map((page) => Object.fromEntries(page.names)));
  const whole = {
    ...root.decoder,
    data,
    parts,
    language: { names },
    variables: sides.flatMap(({ variables }) => variables),
    names: new Map(Object.entries({ ...bare(known), ...known })),
    lineOf: new Map(parts.map(({ id, page, part }) => [id, page.lineOf.get(part.id)])),
    state: { header: false, selected: null },
  };
  return Object.assign(whole, { show: () => leadTo(root, whole) });
}

// What was selected in the program is selected in its side; nothing, where only the text itself was folded.
function leadTo(root, { state }) {
  const { selected } = state;
  if (selected?.part) select(selected.page, selected.part);
  else if (selected?.kind === "variable" && selected !== root.inProgram) leadToName(root, selected.name);
  else root[root.active].show();
}

function leadToName(root, name) {
  const sides = [root[root.active], root.encoder, root.decoder];
  const known = ({ variables, language }) => [
    ...variables.map((one) => one.name),
    ...Object.keys(language.names ?? {}),
  ];
  const readAs = (page) => known(page).find((one) => one === name || bareName(one) === name);
  const page = sides.find(readAs);
  if (page) selectVariable(page, readAs(page));
}

// Before the program is drawn: what is selected, as it knows it.
function markInProgram(root, { state, parts }) {
  const { selected } = root[root.active].state;
  const isName = selected?.kind === "variable";
  state.selected = isName ? variableThing(bareName(selected.name)) : parts.find(({ part }) => part === selected);
  root.inProgram = state.selected;
}
