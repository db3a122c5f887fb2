// Focus: what had it is drawn anew; so are boxes that were scrolled.
//
// In: the page as it is. Out: what to put back when it was drawn anew.
// Invariant: whoever uses the keyboard stays where they are.

"use strict";

const SECTIONS = "#strip, #program, #step, #detail, #stream";

// Draws, and puts back scrolls and focus.
function keepingPlace(draw) {
  const scrolls = [...document.querySelectorAll(".source, #stream .scroll")].map((node) => [
    node.className,
    node.scrollLeft,
    node.scrollTop,
  ]);
  const focus = focusKey();
  draw();
  for (const [name, left, top] of scrolls) {
    for (const node of document.querySelectorAll(`.${name.split(" ").join(".")}`)) {
      node.scrollLeft = left;
      node.scrollTop = top;
    }
  }
  if (focus) refocus(focus);
}

// What has the focus, by its section, kind and name.
function focusKey() {
  const node = document.activeElement;
  const section = node?.closest?.(SECTIONS);
  return section && ["BUTTON", "A"].includes(node.tagName)
    ? { section, name: nameOf(node), at: alike(section, nameOf(node)).indexOf(node) }
    : null;
}

function refocus({ section, name, at }) {
  const found = alike(section, name);
  found[Math.min(at, found.length - 1)]?.focus({ preventScroll: true });
}

function nameOf(node) {
  const title = node.getAttribute("aria-label") ?? node.textContent.replaceAll(/[▸▾]/gu, "");
  return `${node.className.split(" ")[0]} ${title}`;
}

function alike(section, name) {
  return [...section.querySelectorAll("button, a")].filter((node) => nameOf(node) === name);
}
