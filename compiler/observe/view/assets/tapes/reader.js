// The reader of a source: the page of a model with an encoder and a decoder, and what happens when it is used.
//
// In: the facts embedded in the page. Out: the page.
// Invariant: whatever has changed, everything is drawn anew; a source that has changed is first read by the decoder.

"use strict";

function rootOf(data) {
  const root = { ...sidesOf(data), active: "decoder", isWhole: true, source: null, inProgram: null };
  const whole = wholeOf(root, data);
  for (const side of SIDES) {
    root[side].show = () => {
      if (root[side].state.selected) {
        root.active = side;
        root[side === "encoder" ? "decoder" : "encoder"].state.selected = null;
      }
      refresh(root, whole);
    };
  }
  return root;
}

function refresh(root, whole) {
  const { encoder, decoder } = root;
  if (encoder.state.run !== root.source) {
    root.source = encoder.state.run;
    writeAnew(root);
  }
  const { selected } = encoder.state;
  if (selected?.across) {
    encoder.state.selected = null;
    select(decoder, selected.across); // a head of the decoder, found as a reader of the encoder's columns
  } else {
    markInProgram(root, whole);
    keepingPlace(() => drawBoth(root, whole));
  }
}

function drawBoth(root, whole) {
  showTapes(root);
  showStages(root);
  showSelected(root);
  showProgram(whole);
}

// What is selected on the active side, from near.
function showSelected(root) {
  const page = root[root.active];
  const { selected } = page.state;
  byId("detail").replaceChildren(...(selected ? detailOf(root, page, selected) : []).filter(Boolean));
}

function detailOf(root, page, selected) {
  if (selected.crosses) return crossDetail(root, selected);
  if (selected.kind === "variable" && page.language.crossing?.includes(selected.name)) {
    return crossSelector(root, selected.name);
  }
  const view = {
    head: headDetail,
    neurons: neuronsDetail,
    variable: variableDetail,
    column: columnDetail,
    embedding: embeddingDetail,
    answer: answerDetail,
  }[selected.kind];
  return view(selected.kind === "neurons" ? inPairs(page) : page, selected);
}

function showHeadline({ encoder, decoder }, data) {
  const size = ({ model, parts }) => {
    const [heads, groups] = ["head", "neurons"].map((kind) =>
      parts.filter((part) => part.kind === kind && part.layer >= 0),
    );
    const crossing = heads.filter(({ crosses }) => crosses).length;
    const across = crossing ? ` of its own, ${crossing} that cross` : "";
    const { blocks, config } = model;
    return (
      `${count(blocks.length, "layer")}, ${count(heads.length - crossing, "head")}${across}, ` +
      `${count(neuronsIn(groups), "neuron")}, d_model ${config.d_model}`
    );
  };
  const { config } = decoder;
  byId("title").textContent = data.title;
  byId("about").textContent = data.about;
  byId("summary").textContent =
    `encoder: ${size(encoder)} · decoder: ${size(decoder)} · ${config.dtype} · ` +
    `sources up to ${encoder.config.max_length} tokens, targets up to ${config.max_length}`;
  byId("theme").addEventListener("click", changeTheme);
}

// For whoever wants to ask the page from outside.
function askedFromOutside(root) {
  const asked = (texts) => {
    compute(root.encoder, texts);
    root.isWhole = true;
    root.encoder.show();
    return root;
  };
  return {
    decode: (texts) => writtenSoFar(asked(texts)).map(plain),
    streams: (texts) =>
      SIDES.map((side) => asked(texts)[side].state.run.streams.map((rows) => rows.map((x) => Array.from(x)))),
  };
}

function startReading(data) {
  const root = rootOf(data);
  const { encoder, decoder } = root;
  compute(encoder, data.input);
  root.source = encoder.state.run;
  writeAnew(root);
  showHeadline(root, data);
  showInput(encoder);
  encoder.state.step = Math.min(1, encoder.steps.length - 1);
  listen({
    get state() {
      return root[root.active].state;
    },
    get steps() {
      return root[root.active].steps;
    },
    get parts() {
      return root[root.active].parts;
    },
    show: () => root[root.active].show(),
  });
  const first = decoder.steps.findIndex(({ crosses }) => crosses);
  go(decoder, Math.max(first, 0));
  window.explorer = askedFromOutside(root);
}

startReading(JSON.parse(byId("facts").textContent));
