// The rail: the steps of the computation, one beside the other.
//
// In: the steps, the one that is shown. Out: a station for each, an arrow on either side.
// Invariant: of the stations only the present one is reached by the tab key; it keeps the focus while steps change.

"use strict";

function showRail(page) {
  const { state, steps } = page;
  const focused = document.activeElement?.closest?.("#rail") !== null && document.activeElement !== document.body;
  const stations = steps.map((_, number) => station(page, number));
  byId("rail").replaceChildren(
    arrow(page, "step back", "←", state.step - 1),
    element("div", { class: "stations" }, stations),
    arrow(page, "step on", "→", state.step + 1),
  );
  const track = byId("rail").querySelector(".stations");
  const at = stations[state.step];
  track.scrollLeft = at.offsetLeft - track.offsetLeft - (track.clientWidth - at.clientWidth) / 2;
  if (focused) at.focus({ preventScroll: true });
}

function station(page, number) {
  const step = page.steps[number];
  const isHere = number === page.state.step;
  return button(
    {
      class: `station ${step.kind}`,
      "aria-current": isHere ? "step" : null,
      tabindex: isHere ? 0 : -1,
      onclick: () => go(page, number, true),
    },
    element("b", {}, step.short),
    element("small", {}, sizeOf(page, step.kind, partsAt(page, number))),
  );
}

function arrow(page, label, sign, to) {
  return button(
    { class: "arrow", "aria-label": label, disabled: !(to in page.steps), onclick: () => go(page, to, true) },
    sign,
  );
}

// How much there is in a step.
function sizeOf({ config }, kind, parts) {
  switch (kind) {
    case "embedding":
      return "tokens, positions";
    case "attention":
      return count(parts.length, "head");
    case "mlp":
      return count(neuronsIn(parts), "neuron");
    default:
      return count(
        config.outputs.reduce((sum, { values }) => sum + values.length, 0),
        "logit",
      );
  }
}

const neuronsIn = (groups) => groups.reduce((sum, { members }) => sum + members.length, 0);
