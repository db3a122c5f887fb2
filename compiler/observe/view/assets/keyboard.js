// The keyboard: arrows step through the computation, Escape leaves a position.
//
// In: keys. Out: changes of the state.
// Invariant: in the input, and in a box that scrolls, keys do what they do everywhere.

"use strict";

function listen(page) {
  document.addEventListener("keydown", (event) => {
    const isElsewhere = event.altKey || event.ctrlKey || event.metaKey;
    if (!isElsewhere && !["INPUT", "TEXTAREA", "SELECT"].includes(event.target.tagName)) pressed(page, event);
  });
}

function pressed(page, event) {
  const { state, steps } = page;
  const { key, target } = event;
  const to = { ArrowLeft: state.step - 1, ArrowRight: state.step + 1, Home: 0, End: steps.length - 1 }[key];
  if (key === "Escape") {
    state.position = null;
    go(page, state.step);
  } else if (to !== undefined && !isTaken(key, target)) {
    event.preventDefault();
    go(page, to, true);
  }
}

// Arrows scroll a box that has the focus; Home and End go to the first and the last step only from the rail.
function isTaken(key, target) {
  if (key === "Home" || key === "End") return !target.closest?.("#rail");
  const box = target.closest?.(".scroll");
  return box === target && box.scrollWidth > box.clientWidth;
}
