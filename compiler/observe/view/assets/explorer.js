// The explorer: what the page shows, and what happens when it is used.
//
// In: the facts embedded in the page. Out: the page.
// State is one object; whoever changes it calls `show`, which draws everything anew from the state.

"use strict";

(() => {
  const data = JSON.parse(document.getElementById("facts").textContent);
  const { config, labels, language } = data;
  const model = machine(data);
  const columns = labels.columns;
  const byId = (id) => document.getElementById(id);
  const MOST_KEYS = 48; // a larger vocabulary gets no keys below the input
  const single = config.vocabulary.every((text) => lengthOf(text) === 1);
  const outputs = config.outputs.map(({ name, values }) => ({ name, values: values.map(untagged) }));

  // ------------------------------------------------------------------------------------------------ what there is

  const ratio = (text) => {
    const [n, d] = String(text).split("/").map(Number);
    return n / (d ?? 1);
  };
  // A column may have several tenants, one after the other: the directions that the labels tell of.
  const tenants = columns.map(() => []);
  labels.directions.forEach((direction) => tenants[direction.column].push(direction));
  const isOne = (column) => tenants[column][0]?.role === "one";
  const valueOf = (value) =>
    value !== null && typeof value === "object"
      ? untagged(`f${value.float}${String(value.float).includes("/") ? "" : "/1"}`)
      : typeof value === "number"
        ? BigInt(value)
        : value;

  // What a column says of the s-op nearest to it, if it says whether that has a value, or reaches one:
  // `plus` if not, `times` more if so.
  const SIGNS = { is: "=", at_least: ">=" };
  function member(column) {
    const near = tenants[column].length === 1 ? tenants[column][0].holds?.[0] : undefined;
    if (!near || !(near.function.kind in SIGNS)) return null;
    const { kind, value, times, plus } = near.function;
    return { of: near.of, sign: SIGNS[kind], value: valueOf(value), times: ratio(times), plus: ratio(plus) };
  }

  // Columns that belong together: one for each value of something, or one for each threshold.
  const families = (() => {
    const parts = columns.map((_, column) => member(column));
    const sizes = new Map();
    const keyOf = (part) => JSON.stringify([part.sign, part.of, part.times, part.plus]);
    parts.forEach((part) => {
      if (part) sizes.set(keyOf(part), (sizes.get(keyOf(part)) ?? 0) + 1);
    });
    const found = new Map();
    columns.forEach((name, column) => {
      const part = parts[column];
      const together = part && sizes.get(keyOf(part)) >= 3;
      const key = together ? `family ${keyOf(part)}` : `column ${column}`;
      if (!found.has(key)) {
        found.set(key, {
          name: together ? part.of : name,
          sign: together ? part.sign : "",
          isOn: together ? (x) => (x - part.plus) / part.times > 0.5 : null,
          columns: [],
          values: [],
          suffixes: [],
        });
      }
      found.get(key).columns.push(column);
      found.get(key).values.push(together ? part.value : null);
      found.get(key).suffixes.push(together ? shown(part.value) : name);
    });
    return [...found.values()].map((family, id) => ({
      ...family,
      id,
      title: family.sign ? `${family.name} ${family.sign} …` : family.name,
    }));
  })();
  const familyOf = new Map(families.flatMap((family) => family.columns.map((column) => [column, family])));
  const familiesOf = (some) => [...new Set(some.map((column) => familyOf.get(column)))];

  const rowsOf = (matrix) => [...new Set(matrix.row)].sort((a, b) => a - b);
  const columnsOf = (matrix) => [...new Set(matrix.column)].sort((a, b) => a - b);

  const columnOf = new Map(labels.directions.map(({ name, column }) => [name, column]));
  const sumOf = (form) => Object.entries(form).map(([name, c]) => [columnOf.get(name), ratio(c)]);
  const variables = labels.variables.map((variable) => ({
    ...variable,
    terms: sumOf(variable.read),
    over: variable.over && sumOf(variable.over), // a quotient that is divided nowhere has two sides
    columns: [...new Set(Object.keys({ ...variable.read, ...variable.over }).map((name) => columnOf.get(name)))],
    values: variable.values.map(valueOf),
    numbers: variable.numbers.map(ratio),
  }));

  const nameAt = (column, stream) =>
    (stream === null ? null : tenants[column].find(({ until }) => stream < until)?.name) ?? columns[column];
  const titleAt = (family, stream) => (family.sign ? family.title : nameAt(family.columns[0], stream));
  const isThere = (variable, stream) => variable.ready <= stream && stream < variable.until; // until it is erased

  // Everything that reads or writes the stream, in order of computation.
  const steps = [{ kind: "embedding", stream: 0, title: "Embedding", short: "embedding" }];
  const parts = [
    {
      kind: "embedding",
      id: "embedding",
      step: 0,
      reads: [],
      writes: columnsOf(model.tensors["embed.W_E"][0]).concat(
        model.positions ? columnsOf(model.tensors["embed.W_pos"][0]) : [],
      ),
    },
  ];
  model.blocks.forEach((block, layer) => {
    if (block.heads.length) {
      steps.push({
        kind: "attention",
        layer,
        stream: 2 * layer + 1,
        title: `Layer ${layer}, attention`,
        short: `L${layer} attention`,
      });
    }
    block.heads.forEach((head, number) => {
      const [queries, keys, values] = ["Q", "K", "V"].map((letter) => rowsOf(head[letter]));
      parts.push({
        kind: "head",
        id: `L${layer}H${number}`,
        layer,
        number,
        step: steps.length - 1,
        ...labels.layers[layer].heads[number],
        queries,
        keys,
        values,
        reads: [...new Set([...queries, ...keys, ...values])],
        writes: columnsOf(head.O),
        scale: data.scales[layer][number],
        link: language.heads?.[layer]?.[number] ?? { node: null, line: null },
      });
    });
    if (block.neurons) {
      steps.push({ kind: "mlp", layer, stream: 2 * layer + 2, title: `Layer ${layer}, MLP`, short: `L${layer} MLP` });
    }
    if (block.neurons) {
      for (const group of neuronGroups(block.neurons)) {
        parts.push({ kind: "neurons", layer, step: steps.length - 1, ...group });
      }
    }
    function neuronGroups(neurons) {
      const reading = Array.from(neurons.bias, () => []);
      const writing = Array.from(neurons.bias, () => []);
      neurons.in.value.forEach((value, at) => reading[neurons.in.column[at]].push([neurons.in.row[at], value]));
      neurons.out.value.forEach((value, at) => writing[neurons.out.row[at]].push([neurons.out.column[at], value]));
      const groups = new Map();
      reading.forEach((terms, n) => {
        const size = terms.length ? Math.min(...terms.map(([, value]) => Math.abs(value))) : 0; // 0: it reads nothing
        const sign = Math.sign(terms[0]?.[1] ?? 1);
        const form = terms.map(([column, value]) => [column, (sign * value) / size]);
        const key = form.map(([column, value]) => `${column}:${value.toPrecision(6)}`).join();
        if (!groups.has(key)) groups.set(key, { form, members: [] });
        groups.get(key).members.push({
          n,
          factor: sign * size,
          bias: neurons.bias[n],
          out: writing[n],
          name: labels.layers[layer].neurons[n].name,
          does: labels.layers[layer].neurons[n].does,
        });
      });
      return [...groups.values()].map(({ form, members }, number) => ({
        id: `L${layer} group ${number}`,
        form,
        members,
        reads: form.map(([column]) => column),
        writes: [...new Set(members.flatMap(({ out }) => out.map(([column]) => column)))].sort((a, b) => a - b),
      }));
    }
  });
  steps.push({ kind: "answer", stream: 2 * model.blocks.length, title: "Unembedding", short: "answer" });
  parts.push({ kind: "answer", id: "answer", step: steps.length - 1, reads: rowsOf(model.unembedding), writes: [] });

  // A constant that stands in a column beside what it holds, so that what is added is rounded,
  // for as long as it is there.
  const offsetIn = (column, stream) => {
    const found = tenants[column].find(({ offset }) => offset && stream < offset.until);
    return found ? ratio(found.offset.number) : 0;
  };
  const hasOffset = (column) => offsetIn(column, 0) !== 0;
  const withoutOffsets = (x, stream) => x.map((value, column) => value - offsetIn(column, stream));
  const firstWritten = columns.map((_, column) =>
    Math.min(
      ...parts
        .filter((part) => part.writes.includes(column) && !(part.step === 0 && hasOffset(column)))
        .map((part) => part.step),
    ),
  );
  const partsOf = (step) => parts.filter((part) => part.step === step);
  const headName = (head) => clipped(head.what ?? head.purpose, 200);

  // The line of the program a part stands for: of its selector, of a variable it writes, or of what it serves.
  const lineOf = new Map();
  const names = new Map(Object.entries(language.lines ?? {}));
  for (const part of [...parts].reverse()) {
    const written = variables.filter((variable) =>
      variable.columns.some((column) => part.writes.includes(column) && !isOne(column)),
    );
    const own = written.find(
      (variable) =>
        variable.columns.every((column) => part.writes.includes(column) || isOne(column)) && names.has(variable.name),
    );
    const next = parts.find(
      (other) =>
        other.step > part.step && lineOf.get(other.id) && other.reads.some((column) => part.writes.includes(column)),
    );
    if (part.kind === "embedding") continue;
    lineOf.set(
      part.id,
      part.link?.line ??
        names.get(own?.name) ??
        names.get(part.kind === "answer" ? outputs[0].name : undefined) ??
        (next ? lineOf.get(next.id) : undefined),
    );
  }

  // ------------------------------------------------------------------------------------------------------- state

  const state = {
    texts: data.input,
    run: null,
    truth: null,
    step: 0,
    selected: null,
    position: null,
    everything: families.length <= 24,
    wide: new Set(),
    header: false,
  };

  function compute(texts) {
    const ids = model.encode(texts);
    state.texts = texts;
    state.run = model.run(ids);
    state.truth = language.nodes ? interpret(language.nodes, ids, config.causal) : null;
    if (state.position !== null && state.position >= texts.length) state.position = null;
  }

  const booleans = new Set(language.booleans);
  const tokenOf = (value) => spellings(value).find((text) => config.vocabulary.includes(text));

  function truthOf(name) {
    const says = state.truth && name in language.names ? state.truth[language.names[name]] : null;
    return Array.isArray(says) && !language.selectors.includes(name)
      ? says.map((value) => printed(value, booleans.has(name)))
      : says;
  }

  const answersOf = (output) => state.run.answers[output].map((choice) => outputs[output].values[choice]);

  const plain = (value) => (isText(value) ? value : Number(numerator(value)) / Number(denominator(value)));
  const same = (a, b) => plain(a) === plain(b) || (!isText(a) && !isText(b) && sameness(a) === sameness(b));

  function decoded(variable, stream) {
    return state.run.streams[stream].slice(1).map((x) => {
      const read = (terms) => terms.reduce((sum, [column, c]) => sum + c * x[column], 0);
      const at = read(variable.terms) / (variable.over ? read(variable.over) : 1);
      let best = 0;
      variable.numbers.forEach((number, choice) => {
        if (Math.abs(number - at) < Math.abs(variable.numbers[best] - at)) best = choice;
      });
      return printed(variable.values[best], booleans.has(variable.name));
    });
  }

  function go(step, keep = false) {
    state.step = Math.max(0, Math.min(steps.length - 1, step));
    if (!keep || !["variable", "column"].includes(state.selected?.kind)) state.selected = partsOf(state.step)[0];
    show();
  }

  function select(thing, jump = true) {
    state.selected = thing;
    if (jump && "step" in thing) state.step = thing.step;
    show();
    const detail = byId("detail").getBoundingClientRect();
    if (detail.top > window.innerHeight * 0.8 || detail.bottom < 80) {
      byId("detail").scrollIntoView({ block: "start", behavior: "smooth" });
    }
  }

  const selectVariable = (name) => select({ kind: "variable", id: `variable ${name}`, name });
  const selectFamily = (family) => select({ kind: "column", id: `column ${family.id}`, family });
  const isSelected = (thing) => state.selected?.id === thing.id;

  // ----------------------------------------------------------------------------------------------------- pieces

  const code = (text) => element("code", {}, text);
  const tokenName = (text) => (text === " " ? "␣" : text === "\n" ? "⏎" : text === "" ? "∅" : text);
  const tokenNames = () => state.texts.map(tokenName);

  function chip(text, title, action, more = "") {
    return element("button", { type: "button", class: `chip ${more}`, title, onclick: action }, clipped(text, 34));
  }
  const familyChipAt = (stream) => (family) =>
    chip(
      titleAt(family, stream),
      family.columns
        .map((column) => columns[column])
        .slice(0, 40)
        .join(", "),
      () => selectFamily(family),
      "direction",
    );
  // The stream that a part reads.
  const before = (part) => Math.max(0, steps[part.step].stream - (steps[part.step].kind === "answer" ? 0 : 1));
  const partChip = (part) => chip(partTitle(part), partDoes(part), () => select(part), part.kind);
  const chips = (some) => element("span", { class: "chips" }, some.length ? some : "nothing");

  function partTitle(part) {
    switch (part.kind) {
      case "head":
        return part.id;
      case "neurons":
        return part.form.length
          ? `L${part.layer} ${count(part.members.length, "neuron")} of ${formText(part.form, 18, before(part))}`
          : `L${part.layer} ${count(part.members.length, "constant neuron")}`;
      case "embedding":
        return "embedding";
      default:
        return "answer";
    }
  }
  const partDoes = (part) =>
    part.kind === "head" ? part.purpose : part.kind === "neurons" ? part.members[0].does : part.kind;

  const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

  // A form over what the columns hold: the constants that stand beside that are taken out of it, as far as they cancel.
  function foldedInto(form, stream) {
    const constant = form.reduce((sum, [column, c]) => sum + c * (isOne(column) ? 1 : offsetIn(column, stream)), 0);
    const one = columns.findIndex((_, column) => isOne(column));
    const rest = form.filter(([column]) => !isOne(column));
    return constant ? [...rest, [one, constant]] : rest;
  }

  function formText(form, most, stream) {
    const text = form
      .map(([column, c], at) => {
        const size = Math.abs(c) === 1 ? "" : `${brief(Math.abs(c))}·`;
        return `${c < 0 ? (at ? " − " : "−") : at ? " + " : ""}${size}${nameAt(column, stream)}`;
      })
      .join("");
    return clipped(text, most);
  }

  function lineChip(part) {
    const line = lineOf.get(part.id);
    return line
      ? chip(
          `line ${line}`,
          "where the program says so",
          () => {
            byId("program").querySelector("details")?.setAttribute("open", "");
            byId(`line${line}`)?.scrollIntoView({ block: "center", behavior: "smooth" });
          },
          "line",
        )
      : null;
  }

  // ------------------------------------------------------------------------------------------------------ header

  function showHeader() {
    byId("title").textContent = data.title;
    byId("about").textContent = data.about;
    const attention = config.causal ? "causal attention" : "bidirectional attention";
    byId("summary").textContent =
      `${data.summary} · ${attention} · ${config.dtype} · up to ${config.max_length} tokens`;
    const keys = config.vocabulary.length <= MOST_KEYS;
    const known = keys ? "" : `, of: ${config.vocabulary.slice(0, 24).map(tokenName).join(" ")} …`;
    byId("hint").textContent =
      `${single ? "One token a character" : "Tokens with blanks between them, or a JSON list"}${known}`;
    const box = byId("tokens");
    box.value = written(state.texts);
    box.addEventListener("input", () => edit(read(box.value)));
    if (keys) {
      byId("palette").append(
        ...config.vocabulary.map((text) =>
          element(
            "button",
            {
              type: "button",
              class: "key",
              onclick: () => put([...read(box.value), text]),
              "aria-label": `append ${text}`,
            },
            tokenName(text),
          ),
        ),
        element(
          "button",
          {
            type: "button",
            class: "key",
            "aria-label": "remove the last token",
            onclick: () => put(read(box.value).slice(0, -1)),
          },
          "⌫",
        ),
      );
    }
    function put(texts) {
      box.value = written(texts);
      edit(texts);
    }
    byId("theme").addEventListener("click", () => {
      const root = document.documentElement;
      const dark = root.dataset.theme
        ? root.dataset.theme === "dark"
        : window.matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
    });
  }

  const written = (texts) =>
    single
      ? texts.join("")
      : texts.every((text) => /^[^\s["\]]+$/u.test(text))
        ? texts.join(" ")
        : JSON.stringify(texts);

  // An element of a list as the text of a token: 1 may be written 1.0, which JSON does not tell apart here.
  function textOf(item) {
    if (typeof item === "boolean") return item ? "True" : "False";
    return [String(item), `${item}.0`].find((text) => config.vocabulary.includes(text)) ?? String(item);
  }

  function read(text) {
    if (single) {
      const letters = Array.from(text);
      if (letters.every((letter) => config.vocabulary.includes(letter))) return letters;
    }
    if (text.trim().startsWith("[")) {
      try {
        const list = JSON.parse(text);
        if (Array.isArray(list) && list.every((item) => ["string", "number", "boolean"].includes(typeof item))) {
          return list.map(textOf);
        }
      } catch {
        /* not a list: read it as tokens */
      }
    }
    return single ? Array.from(text) : text.split(/\s+/u).filter(Boolean);
  }

  function edit(texts) {
    try {
      compute(texts);
      byId("problem").textContent = "";
      byId("tokens").removeAttribute("aria-invalid");
      show();
    } catch (problem) {
      byId("problem").textContent = problem.message;
      byId("tokens").setAttribute("aria-invalid", "true");
    }
  }

  function showStrip() {
    const place = (at) => ({ class: at === state.position ? "here" : null });
    const rows = [
      element(
        "tr",
        { class: "indices" },
        element("th", { scope: "row" }, "position"),
        state.texts.map((_, at) => element("td", place(at), String(at))),
      ),
      element(
        "tr",
        { class: "tokens" },
        element("th", { scope: "row" }, "tokens"),
        state.texts.map((text, at) =>
          element(
            "td",
            place(at),
            element(
              "button",
              {
                type: "button",
                class: "token",
                "aria-pressed": String(at === state.position),
                onclick: () => {
                  state.position = at === state.position ? null : at;
                  show();
                },
              },
              tokenName(text),
            ),
          ),
        ),
      ),
      ...outputs.map((output, number) =>
        element(
          "tr",
          { class: "answers" },
          element("th", { scope: "row" }, clipped(output.name, 18)),
          answersOf(number).map((value, at) => element("td", place(at), element("b", {}, tokenName(shown(value))))),
        ),
      ),
    ];
    byId("strip").replaceChildren(element("table", {}, element("tbody", {}, rows)), next() ?? "");
    const wrong = outputs.flatMap((output, number) => {
      const expected = truthOf(output.name);
      return Array.isArray(expected) ? answersOf(number).filter((value, at) => !same(value, expected[at])) : [];
    });
    const failed = outputs.map(({ name }) => truthOf(name)).find((values) => values instanceof Error);
    const verdict = byId("verdict");
    verdict.className = wrong.length ? "bad" : failed || !state.truth ? "" : "good";
    verdict.textContent = !state.truth
      ? language.missing
      : failed
        ? `The program has no answer on this input: ${failed.message}.`
        : wrong.length
          ? `The program itself answers otherwise in ${count(wrong.length, "place")}.`
          : "✓ The program itself, interpreted in this page, gives the same answer.";
  }

  // For a program that generates: a button that writes its next token behind the input.
  function next() {
    const at = outputs.findIndex(({ name }) => name === config.generate);
    if (at < 0) return null;
    const value = answersOf(at).at(-1);
    const text = tokenOf(value);
    if (text === undefined) return null;
    const over = state.texts.length >= config.max_length || config.stop.includes(state.texts.at(-1));
    return element(
      "button",
      {
        type: "button",
        class: "next",
        disabled: over,
        onclick: () => {
          byId("tokens").value = written([...state.texts, text]);
          edit([...state.texts, text]);
        },
      },
      over ? "the text has ended" : `write on: ${tokenName(text)}`,
    );
  }

  function showRail() {
    const focused = document.activeElement?.closest?.("#rail") !== null && document.activeElement !== document.body;
    const buttons = steps.map((step, number) => {
      const here = partsOf(number);
      const size =
        step.kind === "attention"
          ? count(here.length, "head")
          : step.kind === "mlp"
            ? count(
                here.reduce((sum, part) => sum + part.members.length, 0),
                "neuron",
              )
            : step.kind === "embedding"
              ? "tokens, positions"
              : count(
                  config.outputs.reduce((sum, { values }) => sum + values.length, 0),
                  "logit",
                );
      return element(
        "button",
        {
          type: "button",
          class: `station ${step.kind}`,
          "aria-current": number === state.step ? "step" : null,
          tabindex: number === state.step ? 0 : -1,
          onclick: () => go(number, true),
        },
        element("b", {}, step.short),
        element("small", {}, size),
      );
    });
    byId("rail").replaceChildren(
      element(
        "button",
        {
          type: "button",
          class: "arrow",
          "aria-label": "step back",
          disabled: state.step === 0,
          onclick: () => go(state.step - 1, true),
        },
        "←",
      ),
      element("div", { class: "stations" }, buttons),
      element(
        "button",
        {
          type: "button",
          class: "arrow",
          "aria-label": "step on",
          disabled: state.step === steps.length - 1,
          onclick: () => go(state.step + 1, true),
        },
        "→",
      ),
    );
    const track = byId("rail").querySelector(".stations");
    const at = buttons[state.step];
    track.scrollLeft = at.offsetLeft - track.offsetLeft - (track.clientWidth - at.clientWidth) / 2;
    if (focused) at.focus({ preventScroll: true });
  }

  // ----------------------------------------------------------------------------------------------------- program

  function showProgram() {
    const open = byId("program").querySelector("details")?.open ?? window.matchMedia("(min-width: 900px)").matches;
    const marked = new Set();
    const selected = state.selected;
    if (selected?.kind === "variable" && names.has(selected.name)) marked.add(names.get(selected.name));
    else if (selected && lineOf.get(selected.id)) marked.add(lineOf.get(selected.id));
    const known = (text) =>
      (language.names && text in language.names) || variables.some((variable) => variable.name === text);
    const first = data.source.findIndex((pieces) => pieces.some(([kind, text]) => kind !== "comment" && text.trim()));
    const header = first > 3 ? first : 0;
    const badges = (line) => parts.filter((part) => part.kind === "head" && lineOf.get(part.id) === line);
    const groups = (line) => parts.filter((part) => part.kind === "neurons" && lineOf.get(part.id) === line);
    const lines = data.source.map((pieces, at) => {
      const line = at + 1;
      const heads = badges(line);
      const neurons = groups(line);
      const size = neurons.reduce((sum, part) => sum + part.members.length, 0);
      return element(
        "li",
        { id: `line${line}`, class: marked.has(line) ? "marked" : null, hidden: line <= header && !state.header },
        element("span", { class: "number", "aria-hidden": "true" }, String(line)),
        element(
          "code",
          {},
          pieces.map(([kind, text]) =>
            ["name", "builtin", ""].includes(kind) && known(text)
              ? word(text, selected?.name === text && selected.kind === "variable")
              : element("span", { class: kind || null }, text),
          ),
        ),
        heads.length || neurons.length
          ? element(
              "span",
              { class: "badges" },
              heads.map((head) =>
                element(
                  "button",
                  {
                    type: "button",
                    class: isSelected(head) ? "badge chosen" : "badge",
                    title: head.purpose,
                    onclick: () => select(head),
                  },
                  head.id,
                ),
              ),
              neurons.length
                ? element(
                    "button",
                    {
                      type: "button",
                      class: neurons.some(isSelected) ? "badge neurons chosen" : "badge neurons",
                      title: `${count(size, "neuron")} on the way to this line`,
                      onclick: () => select(neurons[0]),
                    },
                    `${size} N`,
                  )
                : null,
            )
          : null,
      );
    });
    byId("program").replaceChildren(
      element(
        "details",
        { open },
        element("summary", {}, element("h2", {}, "The program")),
        element(
          "p",
          { class: "quiet" },
          "Click a name to see its values and who reads or writes it; " +
            "a badge leads to the head or neurons that do a line’s work.",
        ),
        header > 3
          ? element(
              "button",
              {
                type: "button",
                class: "plain fold",
                "aria-expanded": String(state.header),
                onclick: () => {
                  state.header = !state.header;
                  show();
                },
              },
              `${state.header ? "▾" : "▸"} ${header} lines of comment and settings`,
            )
          : null,
        element("ol", { class: "source scroll", tabindex: 0, role: "group", "aria-label": "program text" }, lines),
      ),
    );
  }

  // A name of the program within its text; a link, so that lines break around it as around any word.
  function word(text, chosen) {
    const go = (event) => {
      event.preventDefault();
      selectVariable(text);
    };
    return element(
      "a",
      {
        class: chosen ? "word chosen" : "word",
        href: "#detail",
        role: "button",
        onclick: go,
        onkeydown: (event) => {
          if (event.key === " ") go(event);
        },
      },
      text,
    );
  }

  // ------------------------------------------------------------------------------------------------------- steps

  function showStep() {
    const step = steps[state.step];
    const here = partsOf(state.step);
    const written = familiesOf(here.flatMap((part) => part.writes));
    const added = element(
      "p",
      { class: "added" },
      "adds to ",
      chips(written.slice(0, 12).map(familyChipAt(Math.max(0, step.stream - 1)))),
      written.length > 12 ? ` and ${written.length - 12} more` : null,
    );
    const text = {
      embedding: "Every token and every position is looked up in a table. Nothing has moved between positions yet.",
      attention: "Positions look at each other: each head fetches or counts what it finds where it looks.",
      mlp: "Each position by itself: neurons compute a new number from what the position already holds.",
      answer: "Each possible answer gets a score, linear in the stream; the largest one wins.",
    }[step.kind];
    const cards = here
      .filter((part) => part.kind === "head" || part.kind === "neurons")
      .map((part) =>
        element(
          "button",
          {
            type: "button",
            class: `card ${part.kind}`,
            "aria-pressed": String(isSelected(part)),
            onclick: () => select(part),
          },
          picture(part),
          element(
            "span",
            { class: "words" },
            element("b", {}, part.kind === "head" ? `${part.id} ` : `${count(part.members.length, "neuron")} `),
            element("span", {}, cardText(part)),
          ),
        ),
      );
    byId("step").replaceChildren(
      element("h2", {}, step.title),
      element("p", { class: "lead" }, text),
      step.kind === "answer" ? "" : added,
      cards.length ? element("div", { class: "cards" }, cards) : "",
    );
  }

  function cardText(part) {
    const into = familiesOf(part.writes).map((family) => clipped(titleAt(family, before(part)), 28));
    if (part.kind === "head") return `${headName(part)}, into ${into.slice(0, 3).join(", ")}`;
    if (!part.form.length) {
      const adds = part.members.length === 1 ? "it adds" : "they add";
      const why = part.writes.some(hasOffset) ? ", and so take away a constant that made it round" : "";
      return `always on: ${adds} the same everywhere, to ${into.slice(0, 3).join(", ")}${why}`;
    }
    const more = into.length > 2 ? ` and ${into.length - 2} more` : "";
    return `read ${formText(part.form, 44, before(part))}, into ${into.slice(0, 2).join(", ")}${more}`;
  }

  function picture(part) {
    if (part.kind === "head") return thumbnail(state.texts.length, state.texts.length + 1, patternCells(part));
    if (!part.form.length) {
      return plot({
        curves: [
          [
            [0, 1],
            [1, 1],
          ],
        ],
        dots: [],
        label: "",
        width: 84,
        height: 60,
        bare: true,
      });
    }
    return plot({ ...staircase(part), label: "", width: 84, height: 60, bare: true });
  }

  // The attention of a head as cells: what one selected key adds, and BOS in front.
  function patternCells(head) {
    const cells = [];
    state.run.patterns[head.layer][head.number].slice(1).forEach((weights, row) =>
      weights.forEach((weight, column) => {
        const value = column === 0 ? weight : Math.min(1, weight * head.scale);
        if (value > 1e-4) cells.push({ row, column, value });
      }),
    );
    return cells;
  }

  function looksAt(head) {
    const least = head.scale > 1 ? 0.5 : 1e-6;
    return state.run.patterns[head.layer][head.number]
      .slice(1)
      .map((weights) => Array.from(weights.slice(1), (weight) => weight * head.scale > least));
  }

  // The constants in the number that neurons read, and the number, without them, from which on a neuron is active.
  const shiftOf = (part) => part.form.reduce((sum, [column, c]) => sum + c * offsetIn(column, 2 * part.layer + 1), 0);
  const stopOf = (part, { factor, bias }) => -bias / factor - shiftOf(part);

  // Of neurons that read one number: the functions they add up to, and where this input stands.
  function staircase(part) {
    const after = 2 * part.layer + 1;
    const shift = shiftOf(part);
    const stops = part.members.map((member) => stopOf(part, member));
    const at = state.run.streams[after]
      .slice(1)
      .map((x) => part.form.reduce((sum, [column, c]) => sum + c * x[column], 0) - shift);
    const [low, high] = [Math.min(...stops, ...at), Math.max(...stops, ...at)];
    const room = Math.max((high - low) * 0.08, 0.5);
    const xs = [...new Set([low - room, ...stops, ...at, high + room])].sort((a, b) => a - b);
    const value = (column, x) =>
      part.members.reduce(
        (sum, { factor, bias, out }) =>
          sum + Math.max(factor * (x + shift) + bias, 0) * out.reduce((c, [to, by]) => (to === column ? c + by : c), 0),
        0,
      );
    const curves = part.writes.map((column) => xs.map((x) => [x, value(column, x)]));
    const dots =
      part.writes.length > 6
        ? []
        : part.writes.flatMap((column) =>
            at.map((x, p) => ({
              x,
              y: value(column, x),
              name: `${tokenName(state.texts[p])} at ${p}: ${brief(x)} → ${brief(value(column, x))}`,
            })),
          );
    return { curves, dots };
  }

  // ------------------------------------------------------------------------------------------------------ detail

  function showDetail() {
    const selected = state.selected;
    const draw = {
      head: headDetail,
      neurons: neuronsDetail,
      variable: variableDetail,
      column: columnDetail,
      embedding: embeddingDetail,
      answer: answerDetail,
    }[selected.kind];
    byId("detail").replaceChildren(...draw(selected).filter(Boolean));
  }

  const figure = (caption, ...content) => element("figure", {}, element("figcaption", {}, caption), content);
  const wide = (node) => {
    node.classList.add("wide");
    return node;
  };
  const fact = (name, ...content) =>
    element("div", { class: "fact" }, element("dt", {}, name), element("dd", {}, content));
  const cellSide = (size) =>
    Math.min(
      size <= 10 ? 28 : size <= 16 ? 22 : size <= 24 ? 17 : size <= 40 ? 12 : size <= 80 ? 8 : 5,
      Math.max(16, (window.innerWidth - 95) / (size + 1)),
    );

  function headDetail(head) {
    const tokens = tokenNames();
    const side = cellSide(tokens.length);
    const counts = head.scale > 1;
    const power = Math.round(Math.log(head.scale));
    const weights = state.run.patterns[head.layer][head.number];
    const shared = { rows: tokens, cell: side, future: config.causal, row: state.position, tall: ["bos", ...tokens] };
    const pattern = grid({
      ...shared,
      columns: ["bos", ...tokens],
      cells: patternCells(head),
      kind: "weight",
      pale: new Set([0]),
      side: "query",
      top: "key",
      label: `attention of ${head.id}: a row for each position that looks, a column for each that is looked at`,
      says: (q, k) => {
        const weight = weights[q + 1][k];
        const adds = counts && k ? `, so it adds ${brief(weight * head.scale)}` : "";
        return `${tokens[q]} at ${q} looks at ${k ? `${tokens[k - 1]} at ${k - 1}` : "bos"}: ${brief(weight)}${adds}`;
      },
    });
    return [
      heading(head.id, headName(head), lineChip(head)),
      element(
        "div",
        { class: (head.link.text?.length ?? 0) + (head.link.name?.length ?? 0) > 34 ? "figures pair" : "figures" },
        figure(
          [element("b", {}, "Attention"), " on this input"],
          pattern,
          element(
            "p",
            { class: "quiet" },
            counts
              ? `Shown times e^${power}, as much as the head’s output is enlarged: ` +
                  "each selected key adds 1, and bos holds the rest."
              : "Rows that select nothing look at bos.",
          ),
        ),
        truthFigure(head, shared),
      ),
      state.position === null ? null : element("p", { class: "spoken" }, spoken(head)),
      element(
        "dl",
        { class: "facts" },
        fact("query reads", chips(familiesOf(head.queries).map(familyChipAt(before(head))))),
        fact("key reads", chips(familiesOf(head.keys).map(familyChipAt(before(head))))),
        fact("value reads", chips(familiesOf(head.values).map(familyChipAt(before(head))))),
        fact("writes", chips(familiesOf(head.writes).map(familyChipAt(before(head))))),
      ),
      element(
        "div",
        { class: "figures" },
        matrixFigure(
          "W_QK",
          "score of a key for a query, in nats",
          folded(
            product(
              model.blocks[head.layer].heads[head.number].Q,
              transposed(model.blocks[head.layer].heads[head.number].K),
            ),
            before(head),
            true,
          ),
          "query",
          "key",
        ),
        matrixFigure(
          "W_OV",
          counts ? `what one selected key adds (divided by e^${power})` : "what a key hands over",
          folded(
            product(
              model.blocks[head.layer].heads[head.number].V,
              model.blocks[head.layer].heads[head.number].O,
              1 / head.scale,
            ),
            before(head),
          ),
          "reads",
          "writes",
        ),
      ),
      element(
        "details",
        {},
        element("summary", {}, "The head as a formula"),
        element("p", { class: "formula" }, head.does),
      ),
    ];
  }

  function spoken(head) {
    const row = looksAt(head)[state.position];
    const keys = row.flatMap((on, key) => (on ? [`${tokenName(state.texts[key])} at ${key}`] : []));
    const seen = keys.length ? keys.join(", ") : "nothing: at bos";
    return `Position ${state.position}, ${tokenName(state.texts[state.position])}, looks at ${seen}.`;
  }

  function truthFigure(head, shared) {
    const { link } = head;
    if (!state.truth) {
      return figure(
        element("b", {}, "What the program says"),
        element("p", { class: "quiet" }, `Not shown: ${language.missing}.`),
      );
    }
    if (link.node === null) {
      return figure(
        element("b", {}, "What the program says"),
        element(
          "p",
          { class: "quiet" },
          "No single selector of the program selects exactly what this head looks at; " +
            "the compiler divided or joined them.",
        ),
      );
    }
    const title = link.name
      ? [
          element("b", {}, "Selector "),
          chip(link.name, link.text, () => selectVariable(link.name), "variable"),
          " ",
          code(clipped(link.text, 90)),
        ]
      : [element("b", {}, "Selector "), code(link.text)];
    const rows = state.truth[link.node];
    if (rows instanceof Error) {
      return figure(
        title,
        element("p", { class: "quiet" }, `The program has no value for it on this input: ${rows.message}.`),
      );
    }
    const seen = withoutFuture(rows, config.causal);
    const sharing = link.sharing.map((number) => parts.find((part) => part.id === `L${head.layer}H${number}`));
    const own = looksAt(head);
    const found = sharing.length
      ? sharing.map(looksAt).reduce((a, b) => a.map((row, q) => row.map((on, k) => on || b[q][k])))
      : own;
    const cells = cellsOf(seen).map((one) => ({
      ...one,
      value: sharing.length && !own[one.row][one.column] ? 0.3 : 1,
    }));
    const wrong =
      link.meaning !== "any"
        ? found.flatMap((row, q) => row.flatMap((on, k) => (on === seen[q][k] ? [] : [[q, k]])))
        : found.flatMap((row, q) =>
            row.some(Boolean) === seen[q].some(Boolean)
              ? row.flatMap((on, k) => (on && !seen[q][k] ? [[q, k]] : []))
              : [[q, 0]],
          );
    const verdict = wrong.length
      ? element("p", { class: "bad" }, `✗ The head looks elsewhere in ${count(wrong.length, "cell")}.`)
      : sharing.length
        ? element(
            "p",
            { class: "good" },
            "✓ ",
            chips(sharing.map(partChip)),
            " together look exactly where the selector is true; this head at the strong cells.",
          )
        : element(
            "p",
            { class: "good" },
            link.meaning === "all"
              ? "✓ The head looks exactly where the selector is true."
              : "✓ The head only asks whether there is such a key: it looks at one of them.",
          );
    return figure(
      title,
      grid({
        ...shared,
        columns: shared.rows,
        cells,
        kind: "truth",
        wrong,
        side: "query",
        top: "key",
        label: "the selector’s truth on this input",
        says: (q, k) =>
          `${shared.rows[q]} at ${q}, ${shared.rows[k]} at ${k}: ${seen[q][k] ? "selected" : "not selected"}`,
      }),
      verdict,
      element(
        "p",
        { class: "quiet" },
        "Computed from the program in this page. " +
          `Which selector the head stands for was tried on ${link.inputs} inputs when the page was made.`,
      ),
    );
  }

  const cellsOf = (rows) =>
    rows.flatMap((row, q) => row.flatMap((on, k) => (on ? [{ row: q, column: k, value: 1 }] : [])));

  // Sparse product, as cells; sums that cancel are left out.
  function product(first, second, factor = 1) {
    const rows = new Map();
    second.row.forEach((row, at) => {
      if (!rows.has(row)) rows.set(row, []);
      rows.get(row).push([second.column[at], second.value[at]]);
    });
    const found = new Map();
    first.row.forEach((row, at) =>
      (rows.get(first.column[at]) ?? []).forEach(([column, value]) => {
        const key = row * columns.length + column;
        found.set(key, (found.get(key) ?? 0) + first.value[at] * value * factor);
      }),
    );
    return [...found]
      .filter(([, value]) => value !== 0)
      .map(([key, value]) => ({ row: Math.floor(key / columns.length), column: key % columns.length, value }));
  }

  // The matrix over what the columns hold: what it makes of the constants beside that is a part of what it makes of 1.
  function folded(cells, stream, both = false) {
    const one = columns.findIndex((_, column) => isOne(column));
    const found = new Map();
    const add = (row, column, value) => {
      const key = `${row} ${column}`;
      found.set(key, {
        row,
        column,
        value: (found.get(key)?.value ?? 0) + value,
        size: Math.max(found.get(key)?.size ?? 0, Math.abs(value)),
      });
    };
    for (const { row, column, value } of cells) {
      const [down, across] = [offsetIn(row, stream), both ? offsetIn(column, stream) : 0];
      add(row, column, value);
      if (down) add(one, column, value * down);
      if (across) add(row, one, value * across);
      if (down && across) add(one, one, value * down * across);
    }
    return [...found.values()].filter(({ value, size }) => Math.abs(value) > size * 1e-12);
  }

  const transposed = (matrix) => ({
    rows: matrix.columns,
    columns: matrix.rows,
    row: matrix.column,
    column: matrix.row,
    value: matrix.value,
  });

  // A matrix without its empty rows and columns; with `all`, without its empty rows only.
  function matrixFigure(name, caption, cells, side, top, rowNames = columns, columnNames = columns, all = false) {
    const rows = [...new Set(cells.map(({ row }) => row))].sort((a, b) => a - b);
    const across = all
      ? [...columnNames.keys()]
      : [...new Set(cells.map(({ column }) => column))].sort((a, b) => a - b);
    const title = [element("b", {}, name), ` ${caption}`];
    if (!rows.length) return figure(title, element("p", { class: "quiet" }, "Zero: nothing is read."));
    const placed = cells
      .map(({ row, column, value }) => ({ row: rows.indexOf(row), column: across.indexOf(column), value }))
      .sort((a, b) => a.row - b.row || a.column - b.column);
    const numbers = rows.length * across.length <= 260 && across.length <= 18;
    const values = new Map(placed.map(({ row, column, value }) => [row * across.length + column, value]));
    return figure(
      title,
      grid({
        rows: rows.map((row) => rowNames[row]),
        columns: across.map((column) => columnNames[column]),
        cells: placed,
        kind: "signed",
        numbers,
        cell: numbers ? 24 : Math.max(7, cellSide(Math.max(rows.length, across.length))),
        side,
        top,
        label: `${name}: ${caption}`,
        says: (r, c) => {
          const value = values.get(r * across.length + c) ?? 0;
          return `${side} ${rowNames[rows[r]]}, ${top} ${columnNames[across[c]]}: ${brief(value)}`;
        },
      }),
    );
  }

  const heading = (name, text, ...more) =>
    element(
      "h3",
      {},
      element("span", { class: "title" }, name),
      " ",
      element("span", {}, text),
      " ",
      more.filter(Boolean),
    );

  function neuronsDetail(part) {
    const into = part.writes.map((column) => nameAt(column, before(part)));
    if (!part.form.length) return constantDetail(part);
    const { curves, dots } = staircase(part);
    const x = formText(part.form, 60, before(part));
    const hidden = state.run.hidden[part.layer];
    const tokens = tokenNames();
    const active = part.members.map(({ n }) => hidden.slice(1).map((row) => row[n]));
    const cells = active.flatMap((row, r) =>
      row.flatMap((value, column) => (value ? [{ row: r, column, value }] : [])),
    );
    const what =
      into.length === 1
        ? `this function of x to ${into[0]}`
        : `${into.length} functions of x, one to each of ${into.length} directions`;
    return [
      heading(count(part.members.length, "neuron"), `of layer ${part.layer} that read x = ${x}`, lineChip(part)),
      element(
        "div",
        { class: "figures" },
        wide(
          figure(
            [element("b", {}, "Together"), ` they add ${what}; dots are this input`],
            element(
              "div",
              {},
              plot({
                curves,
                dots,
                label: `what the neurons add, as functions of ${x}`,
                xName: `x = ${x}`,
                yName: into.length === 1 ? into[0] : "added",
              }),
            ),
          ),
        ),
        figure(
          [element("b", {}, "Each"), " neuron’s activation on this input"],
          grid({
            rows: part.members.map(
              (member) => `N${member.n} ${member.factor < 0 ? "below" : "from"} ${brief(stopOf(part, member))}`,
            ),
            columns: tokens,
            cells,
            kind: "signed",
            cell: cellSide(tokens.length),
            height: 15,
            rowMost: 20,
            label: "activations: a row for each neuron, a column for each position",
            says: (r, c) =>
              `L${part.layer}N${part.members[r].n} at ${tokens[c]}, position ${c}: ${brief(active[r][c])}`,
          }),
        ),
      ),
      element(
        "dl",
        { class: "facts" },
        fact("read", chips(familiesOf(part.reads).map(familyChipAt(before(part))))),
        fact("write", chips(familiesOf(part.writes).map(familyChipAt(before(part))))),
      ),
      element(
        "details",
        {},
        element("summary", {}, "The neurons as formulas"),
        element(
          "ul",
          { class: "formula" },
          part.members.map(({ n, does }) => element("li", {}, `L${part.layer}N${n}  ${does}`)),
        ),
      ),
    ];
  }

  // Neurons that read nothing: they add a constant.
  function constantDetail(part) {
    const cells = part.members.flatMap(({ bias, out }, row) =>
      out.map(([column, by]) => ({ row, column, value: Math.max(bias, 0) * by })),
    );
    return [
      heading(count(part.members.length, "neuron"), `of layer ${part.layer}, always on`, lineChip(part)),
      element(
        "p",
        { class: "quiet" },
        part.writes.some(hasOffset)
          ? "The embedding put a large constant into this direction, so that what heads add there is rounded to " +
              "whole numbers. Here the constant is taken away again."
          : "It reads nothing and adds the same at every position.",
      ),
      matrixFigure(
        "b_in, W_out",
        "what is added",
        cells,
        "neuron",
        "direction",
        part.members.map(({ n }) => `L${part.layer}N${n}`),
      ),
      element(
        "details",
        {},
        element("summary", {}, "The neurons as formulas"),
        element(
          "ul",
          { class: "formula" },
          part.members.map(({ n, does }) => element("li", {}, `L${part.layer}N${n}  ${does}`)),
        ),
      ),
    ];
  }

  function embeddingDetail() {
    const cellsOfMatrix = (rows) =>
      rows.flatMap((row, r) => Array.from(row).flatMap((value, column) => (value ? [{ row: r, column, value }] : [])));
    const rounding = columns.flatMap((_, column) => (hasOffset(column) ? [column] : []));
    const ids = [...new Set(state.run.ids)];
    const used = ids.map((id) => model.embedding[id]);
    const shown = [config.vocabulary.length, ...config.vocabulary.map((_, id) => id)].slice(0, 41);
    const rows = config.vocabulary.length <= 40 ? shown.map((id) => model.embedding[id]) : used;
    const rowNames =
      config.vocabulary.length <= 40
        ? shown.map((id) => (id === config.vocabulary.length ? "bos" : tokenName(config.vocabulary[id])))
        : ids.map((id) => tokenName(config.vocabulary[id]));
    return [
      heading("Embedding", "what a token and a position bring along"),
      element(
        "div",
        { class: "figures" },
        matrixFigure(
          "W_E",
          config.vocabulary.length <= 40
            ? "a row for each token of the vocabulary"
            : "a row for each token of this input",
          cellsOfMatrix(rows.map((row) => withoutOffsets(Array.from(row), 0))),
          "token",
          "direction",
          rowNames,
        ),
        rounding.length
          ? figure(
              [
                element("b", {}, "Constants"),
                " that stand in columns at every position, so that what is added is rounded; " +
                  "left out in all other figures",
              ],
              chips(
                rounding.map((column) =>
                  chip(
                    `${nameAt(column, 0)}: ${brief(offsetIn(column, 0))}`,
                    String(offsetIn(column, 0)),
                    () => selectFamily(familyOf.get(column)),
                    "direction",
                  ),
                ),
              ),
            )
          : null,
        model.positions
          ? matrixFigure(
              "W_pos",
              "a row for each position of this input, bos first",
              cellsOfMatrix(model.positions.slice(0, state.texts.length + 1)),
              "position",
              "direction",
              ["bos", ...state.texts.map((_, at) => String(at))],
            )
          : null,
      ),
    ];
  }

  function answerDetail() {
    const tokens = tokenNames();
    let start = 0;
    return [
      heading("Answer", "the value with the largest logit, at each position"),
      ...outputs.map((output, number) => {
        const from = start;
        start += output.values.length;
        const answers = state.run.answers[number];
        const chosen = new Set(answers.map((choice, at) => `${choice} ${at}`));
        const near = output.values.map((_, choice) =>
          state.run.logits.map((row, at) => row[from + choice] - row[from + answers[at]]),
        );
        const cells = near
          .flatMap((row, choice) =>
            row.map((gap, column) => ({
              row: choice,
              column,
              value: Math.max(0, 1 + gap / 256) ** 2 * (chosen.has(`${choice} ${column}`) ? 1 : 0.55),
            })),
          )
          .filter(({ value }) => value > 0.01);
        return figure(
          [element("b", {}, output.name), " logits, as far as they are from the best one; the darkest is the answer"],
          grid({
            rows: output.values.map((value) => tokenName(shown(value))),
            columns: tokens,
            cells,
            kind: "weight",
            cell: cellSide(Math.max(tokens.length, output.values.length)),
            top: "position",
            side: "answer",
            label: `logits of ${output.name}: a row for each possible answer`,
            says: (r, c) => {
              const place = r === answers[c] ? "is the answer" : `is ${brief(-near[r][c])} nats behind`;
              return `${tokens[c]} at ${c}: ${shown(output.values[r])} ${place}`;
            },
          }),
        );
      }),
      element(
        "dl",
        { class: "facts" },
        fact("reads", chips(familiesOf(parts.at(-1).reads).map(familyChipAt(before(parts.at(-1)))))),
      ),
      element(
        "div",
        { class: "figures" },
        matrixFigure(
          "W_U",
          "what each direction adds to each logit",
          folded(
            model.unembedding.value.map((value, at) => ({
              row: model.unembedding.row[at],
              column: model.unembedding.column[at],
              value,
            })),
            2 * model.blocks.length,
          ),
          "direction",
          "logit",
          columns,
          outputs.flatMap(({ values }) => values.map((value) => tokenName(shown(value)))),
          true,
        ),
      ),
    ];
  }

  function connections(some) {
    const writers = parts.filter((part) => part.writes.some((column) => some.includes(column)));
    const readers = parts.filter((part) => part.reads.some((column) => some.includes(column)));
    return element(
      "dl",
      { class: "facts" },
      fact("written by", chips(writers.map(partChip))),
      fact("read by", chips(readers.map(partChip))),
    );
  }

  function valuesTable(rows) {
    return element(
      "div",
      { class: "scroll", tabindex: 0, role: "group", "aria-label": "values at each position" },
      element(
        "table",
        { class: "values" },
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            element("th", {}),
            tokenNames().map((name) => element("th", { scope: "col" }, name)),
          ),
        ),
        element(
          "tbody",
          {},
          rows.map(({ name, values, kind, now }) =>
            element(
              "tr",
              { class: [kind, now ? "now" : ""].join(" ").trim() || null },
              element("th", { scope: "row" }, name),
              values instanceof Error
                ? element("td", { colspan: state.texts.length, class: "quiet" }, `no answer: ${values.message}`)
                : values.map((value) => element("td", {}, tokenName(shown(value)))),
            ),
          ),
        ),
      ),
    );
  }

  function variableDetail({ name }) {
    const variable = variables.find((one) => one.name === name);
    const line = names.get(name);
    const says = truthOf(name);
    const head = heading(
      name,
      variable
        ? "a value of the program that the stream holds"
        : language.selectors?.includes(name)
          ? "a selector of the program"
          : "a value of the program",
      line
        ? chip(
            `line ${line}`,
            "where it is defined",
            () => byId(`line${line}`)?.scrollIntoView({ block: "center", behavior: "smooth" }),
            "line",
          )
        : null,
    );
    if (Array.isArray(says) && language.selectors.includes(name)) {
      const heads = parts.filter((part) => part.kind === "head" && part.link.name === name);
      const tokens = tokenNames();
      return [
        head,
        figure(
          [element("b", {}, "Where it is true"), " on this input, by the program"],
          grid({
            rows: tokens,
            columns: tokens,
            cells: cellsOf(says),
            kind: "truth",
            cell: cellSide(tokens.length),
            side: "query",
            top: "key",
            label: `the truth of ${name}`,
            row: state.position,
            says: (q, k) => `${tokens[q]} at ${q}, ${tokens[k]} at ${k}: ${says[q][k] ? "selected" : "not selected"}`,
          }),
        ),
        heads.length
          ? element("dl", { class: "facts" }, fact("heads that look just there", chips(heads.map(partChip))))
          : element(
              "p",
              { class: "quiet" },
              "No head looks at exactly this: it is a part of what heads look at, or nothing needs it.",
            ),
      ];
    }
    if (!variable) {
      return [
        head,
        says ? valuesTable([{ name: "the program", values: says }]) : null,
        element(
          "p",
          { class: "quiet" },
          "The stream holds it in no column of its own: " +
            "whoever needs it computes it from what it is made of, as a part of its weights.",
        ),
      ];
    }
    const rows = [
      ...(says ? [{ name: "the program", values: says, kind: "program" }] : []),
      ...steps
        .filter((step) => isThere(variable, step.stream) && step.kind !== "answer")
        .map((step) => ({
          name: step.short,
          values: decoded(variable, step.stream),
          now: step.stream === steps[state.step].stream,
        })),
    ];
    const some = variable.columns.filter((column) => !isOne(column));
    const folded = (terms) => code(formText(foldedInto(terms, variable.ready), 160, variable.ready));
    return [
      head,
      valuesTable(rows),
      element(
        "p",
        { class: "quiet" },
        "It reads ",
        folded(variable.terms),
        ...(variable.over ? [", divided by ", folded(variable.over)] : []),
        ", and means the value whose number is nearest.",
      ),
      connections(some),
      element("dl", { class: "facts" }, fact("directions", chips(familiesOf(some).map(familyChipAt(variable.ready))))),
    ];
  }

  function columnDetail({ family }) {
    const using = variables.filter((variable) => variable.columns.some((column) => family.columns.includes(column)));
    const stream = steps[state.step].stream;
    const told = family.sign
      ? []
      : tenants[family.columns[0]].filter((direction) => direction.what && direction.role === "value");
    return [
      heading(
        family.title,
        family.sign
          ? `${count(family.columns.length, "column")} of the residual stream, ` +
              `one for each ${family.sign === "=" ? "value" : "threshold"}`
          : "a column of the residual stream",
      ),
      matrixFigure(
        "Now",
        `what it holds after ${steps[state.step].short}`,
        family.columns.flatMap((column, row) =>
          state.run.streams[stream].flatMap((x, at) => {
            const value = x[column] - offsetIn(column, stream);
            return value ? [{ row, column: at, value }] : [];
          }),
        ),
        "direction",
        "position",
        family.columns.map((column) => columns[column]),
        ["bos", ...tokenNames()],
        true,
      ),
      told.length
        ? element(
            "dl",
            { class: "facts" },
            fact("what it holds", chips(told.map((direction) => code(clipped(direction.what, 96))))),
          )
        : null,
      connections(family.columns),
      using.length
        ? element(
            "dl",
            { class: "facts" },
            fact(
              "holds",
              chips(
                using.map((variable) =>
                  chip(variable.name, "a value of the program", () => selectVariable(variable.name), "variable"),
                ),
              ),
            ),
          )
        : null,
    ];
  }

  // ------------------------------------------------------------------------------------------------------ stream

  function showStream() {
    const step = steps[state.step];
    const stream = state.run.streams[step.stream];
    const fresh = new Set(step.kind === "answer" ? [] : partsOf(state.step).flatMap((part) => part.writes));
    const here = (at) => (at === state.position ? "here" : null);
    const tokens = tokenNames();
    const head = element(
      "thead",
      {},
      element(
        "tr",
        {},
        element("th", { class: "corner" }, element("span", { class: "sr" }, "name")),
        element("th", { class: "bos" }, "bos"),
        tokens.map((name, at) => element("th", { scope: "col", class: here(at) }, name)),
      ),
    );
    const decodedRows = variables
      .filter((variable) => isThere(variable, step.stream))
      .map((variable) => {
        const values = decoded(variable, step.stream);
        const says = truthOf(variable.name);
        const isFresh = variable.ready === step.stream && step.kind !== "answer";
        return element(
          "tr",
          { class: isFresh ? "fresh" : null },
          element(
            "th",
            { scope: "row" },
            chip(
              variable.name,
              "a value of the program",
              () => selectVariable(variable.name),
              isSelected({ id: `variable ${variable.name}` }) ? "variable chosen" : "variable",
            ),
          ),
          element("td", { class: "bos" }),
          values.map((value, at) => {
            const off = Array.isArray(says) && !same(value, says[at]);
            return element(
              "td",
              {
                class: [here(at), off ? "off" : null].filter(Boolean).join(" ") || null,
                title: off ? `the program says ${shown(says[at])}` : null,
              },
              tokenName(shown(value)),
            );
          }),
        );
      });
    const visible = state.everything
      ? families
      : families.filter((family) => family.columns.some((column) => fresh.has(column)));
    const rows = visible.flatMap((family) => familyRows(family, stream, fresh, here));
    const choice = (name, value) =>
      element(
        "button",
        {
          type: "button",
          "aria-pressed": String(state.everything === value),
          onclick: () => {
            state.everything = value;
            show();
          },
        },
        name,
      );
    const body = (title, rows, more) =>
      element(
        "tbody",
        {},
        element(
          "tr",
          { class: "section" },
          element("th", { colspan: tokens.length + 2 }, element("span", { class: "sticky" }, title, more)),
        ),
        rows,
      );
    byId("stream").replaceChildren(
      element("h2", {}, step.kind === "answer" ? "Residual stream at the end" : `Residual stream after ${step.short}`),
      element(
        "p",
        { class: "lead" },
        "A column for each position. ",
        step.kind === "answer"
          ? null
          : [element("span", { class: "legend fresh" }, "Marked rows"), " were written just now."],
      ),
      element(
        "div",
        { class: "scroll tall", tabindex: 0, role: "group", "aria-label": "the residual stream" },
        element(
          "table",
          { class: "stream" },
          head,
          body(
            "Values of the program, decoded",
            decodedRows.length
              ? decodedRows
              : [
                  element(
                    "tr",
                    {},
                    element("td", { colspan: tokens.length + 2, class: "quiet" }, "none is complete yet"),
                  ),
                ],
          ),
          body(
            "Named directions, as they are ",
            rows.length
              ? rows
              : [
                  element(
                    "tr",
                    {},
                    element("td", { colspan: tokens.length + 2, class: "quiet" }, "nothing is written in this step"),
                  ),
                ],
            element(
              "span",
              { class: "switch", role: "group", "aria-label": "which directions" },
              choice("written now", false),
              choice(`all ${columns.length}`, true),
            ),
          ),
        ),
      ),
    );
  }

  function familyRows(family, stream, fresh, here) {
    const isFresh = family.columns.some((column) => fresh.has(column));
    const open = state.wide.has(family.id);
    const chosen = isSelected({ id: `column ${family.id}` }) ? "direction chosen" : "direction";
    const cells = (column) =>
      stream.map((x, at) => {
        const offset = offsetIn(column, steps[state.step].stream);
        const value = x[column] - offset;
        const text = value || (!family.sign && at && firstWritten[column] <= state.step) ? brief(value) : "·";
        return element(
          "td",
          {
            class:
              [at ? here(at - 1) : "bos", value ? null : "zero", offset ? "offset" : null].filter(Boolean).join(" ") ||
              null,
            title: offset ? `${x[column]}: with ${offset}, which rounds it` : String(x[column]),
          },
          text,
        );
      });
    const offset = offsetIn(family.columns[0], steps[state.step].stream);
    const note = offset
      ? element(
          "small",
          {
            class: "quiet",
            title: `The column holds ${offset} more than shown, so that additions to it are rounded.`,
          },
          " + const",
        )
      : null;
    if (!family.sign) {
      return [
        element(
          "tr",
          { class: isFresh ? "fresh" : null },
          element(
            "th",
            { scope: "row" },
            chip(titleAt(family, steps[state.step].stream), family.title, () => selectFamily(family), chosen),
            note,
          ),
          cells(family.columns[0]),
        ),
      ];
    }
    const toggle = element(
      "button",
      {
        type: "button",
        class: "plain",
        "aria-expanded": String(open),
        "aria-label": `the ${family.columns.length} columns of ${family.name}`,
        onclick: () => {
          if (open) state.wide.delete(family.id);
          else state.wide.add(family.id);
          show();
        },
      },
      open ? "▾" : "▸",
    );
    const summary = element(
      "tr",
      { class: isFresh ? "fresh" : null },
      element(
        "th",
        { scope: "row" },
        toggle,
        chip(family.title, `${family.columns.length} columns`, () => selectFamily(family), chosen),
      ),
      stream.map((x, at) =>
        element(
          "td",
          {
            class: [at ? here(at - 1) : "bos", "coded"].filter(Boolean).join(" "),
            title:
              family.columns
                .filter((column) => x[column])
                .map((column) => `${columns[column]}: ${x[column]}`)
                .join("\n") || "all are 0",
          },
          at ? coded(family, x) : "·",
        ),
      ),
    );
    return open
      ? [
          summary,
          ...family.columns.map((column, at) =>
            element(
              "tr",
              { class: fresh.has(column) ? "fresh part" : "part" },
              element("th", { scope: "row" }, `${family.sign} ${clipped(family.suffixes[at], 24)}`),
              cells(column),
            ),
          ),
        ]
      : [summary];
  }

  // A family of columns at one position in one word: the value that is on, or the highest threshold that is reached.
  function coded(family, x) {
    const on = family.columns.flatMap((column, at) => (family.isOn(x[column]) ? [at] : []));
    if (!on.length) return "·";
    if (family.sign !== "=") {
      const highest = on.reduce((best, at) => (plain(family.values[at]) > plain(family.values[best]) ? at : best));
      return `≥ ${family.suffixes[highest]}`;
    }
    return on.length === 1 ? tokenName(family.suffixes[on[0]]) : `${on.length} on`;
  }

  // -------------------------------------------------------------------------------------------------------- whole

  function show() {
    const scrolls = [...document.querySelectorAll(".source, #stream .scroll")].map((node) => [
      node.className,
      node.scrollLeft,
      node.scrollTop,
    ]);
    const key = focusKey();
    showStrip();
    showRail();
    showStep();
    showDetail();
    showProgram();
    showStream();
    for (const [name, left, top] of scrolls) {
      for (const node of document.querySelectorAll(`.${name.split(" ").join(".")}`)) {
        node.scrollLeft = left;
        node.scrollTop = top;
      }
    }
    if (key) restore(key);
  }

  // What had the focus is drawn anew: find it again by its section, kind and name.
  const SECTIONS = "#strip, #program, #step, #detail, #stream";
  const nameOf = (node) => {
    const title = node.getAttribute("aria-label") ?? node.textContent.replaceAll(/[▸▾]/gu, "");
    return `${node.className.split(" ")[0]} ${title}`;
  };
  const alike = (section, name) => [...section.querySelectorAll("button, a")].filter((node) => nameOf(node) === name);

  function focusKey() {
    const node = document.activeElement;
    const section = node?.closest?.(SECTIONS);
    return section && ["BUTTON", "A"].includes(node.tagName)
      ? { section, name: nameOf(node), at: alike(section, nameOf(node)).indexOf(node) }
      : null;
  }

  function restore({ section, name, at }) {
    const found = alike(section, name);
    found[Math.min(at, found.length - 1)]?.focus({ preventScroll: true });
  }

  document.addEventListener("keydown", (event) => {
    if (
      event.altKey ||
      event.ctrlKey ||
      event.metaKey ||
      ["INPUT", "TEXTAREA", "SELECT"].includes(event.target.tagName)
    ) {
      return;
    }
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      const box = event.target.closest?.(".scroll");
      if (box === event.target && box.scrollWidth > box.clientWidth) return; // the keys scroll a box that has the focus
      event.preventDefault();
      go(state.step + (event.key === "ArrowRight" ? 1 : -1), true);
    } else if (event.key === "Home" || event.key === "End") {
      if (!event.target.closest?.("#rail")) return;
      event.preventDefault();
      go(event.key === "Home" ? 0 : steps.length - 1, true);
    } else if (event.key === "Escape") {
      state.position = null;
      go(state.step);
    }
  });

  compute(data.input);
  showHeader();
  go(Math.min(1, steps.length - 1));
  // For whoever wants to ask the page from outside.
  window.explorer = {
    answers: (texts) => {
      const { answers } = model.run(model.encode(texts));
      return outputs.map(({ name, values }, number) => [name, answers[number].map((choice) => plain(values[choice]))]);
    },
    run: (texts) => {
      const run = model.run(model.encode(texts));
      return {
        streams: run.streams.map((stream) => stream.map((x) => Array.from(x))),
        logits: run.logits.map((row) => Array.from(row)),
      };
    },
  };
})();
