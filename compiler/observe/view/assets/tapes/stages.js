// The stages: the steps of both sides, one beside the other, and the stream of each after its step.
//
// In: both sides. Out: rails, sections.
// Invariant: what is shown of a side is what the page of one tape shows of its model.

"use strict";

const SIDES = ["encoder", "decoder"];
const ACROSS =
  "Positions of the target look at those of the source: " +
  "each head fetches or counts what the encoder’s last stream holds.";
const MEMORY = "This is the encoder’s last step: heads of the decoder that cross read the stream below.";

const eachSide = (root, make) => SIDES.map((side) => make(root[side], side === root.active));

function showStages(root) {
  byId("rail").replaceChildren(...eachSide(root, railOf));
  for (const side of SIDES) centreStation(root[side]);
  byId("step").replaceChildren(...eachSide(root, stepSection));
  byId("stream").replaceChildren(...eachSide(root, streamSection));
}

// The stations of a side; like those of one tape, only the present one is reached by the tab key.
function railOf(page, isActive) {
  const { state, steps, side } = page;
  return element(
    "div",
    { class: classes("track", side, isActive && "active"), role: "group", "aria-label": `steps of the ${side}` },
    element("b", {}, side),
    arrow(page, `${side}: step back`, "←", state.step - 1),
    element(
      "div",
      { class: "stations" },
      steps.map((_, number) => station(page, number)),
    ),
    arrow(page, `${side}: step on`, "→", state.step + 1),
  );
}

function centreStation({ side, state }) {
  const track = byId("rail").querySelector(`.${side} .stations`);
  const at = track.children[state.step];
  track.scrollLeft = at.offsetLeft - track.offsetLeft - (track.clientWidth - at.clientWidth) / 2;
}

function stepSection(page, isActive) {
  const step = page.steps[page.state.step];
  const here = partsAt(page, page.state.step);
  const cards = here.filter(({ kind }) => kind === "head" || kind === "neurons").map((part) => sideCard(page, part));
  const isMemory = page.side === "encoder" && page.state.step === page.steps.length - 1;
  return element(
    "section",
    { class: classes(page.side, isActive && "active"), "aria-label": `step of the ${page.side}` },
    element("h2", {}, element("span", { class: "side" }, page.side), ` ${step.title}`),
    element("p", { class: "lead" }, step.crosses ? ACROSS : LEADS[step.kind], isMemory ? ` ${MEMORY}` : null),
    step.kind === "answer" ? null : added(page, here, Math.max(0, step.stream - 1)),
    cards.length ? element("div", { class: "cards" }, cards) : null,
  );
}

function sideCard(page, part) {
  if (part.kind === "neurons") return card(inPairs(page), part);
  return part.crosses ? crossCard(page, part) : card(page, part);
}

function streamSection(page, isActive) {
  const step = page.steps[page.state.step];
  const isEnd = step.kind === "answer";
  const view = streamView(page, step, isEnd ? [] : partsAt(page, page.state.step));
  const [values, directions] = [valueRows(page, view), directionRows(page, view)];
  const box = {
    class: `scroll tall ${page.side}`,
    tabindex: 0,
    role: "group",
    "aria-label": `the stream of the ${page.side}`,
  };
  return element(
    "section",
    { class: classes(page.side, isActive && "active"), "aria-label": `residual stream of the ${page.side}` },
    element(
      "h2",
      {},
      element("span", { class: "side" }, page.side),
      isEnd ? " Residual stream at the end" : ` Residual stream after ${step.short}`,
    ),
    element(
      "div",
      box,
      element(
        "table",
        { class: "stream" },
        streamHead(page, view),
        streamBody(page, values, "none is complete yet", "Values of the program, decoded"),
        streamBody(page, directions, "nothing is written in this step", [
          "Named directions, as they are ",
          directionSwitch(page),
        ]),
      ),
    ),
  );
}
