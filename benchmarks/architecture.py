"""`python -m benchmarks.architecture`: one program through every pass, with the form that each pass leaves.

In: the program below, compiled now; the docstrings of the modules. Out: `docs/architecture.md`, or the same on stdout.
Invariant: every form on the page is printed by the stage that it is about, and what is said to come in, to go out and
to hold is the module's own docstring; the circuits are those that the driver makes on its way.

    python -m benchmarks.architecture --write docs/architecture.md
"""

from __future__ import annotations

import argparse
import ast
import difflib
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import compiler
import rasp
from compiler.circuit.circuit import Circuit
from compiler.pipeline import PASSES, Compiled
from compiler.trust.compare import check
from compiler.trust.verify import verify_model
from rasp import whole

ROOT = Path(__file__).parent.parent
WIDTH = 58
"""Characters of a box of the picture."""
MODE = "size"
"""What is optimised for: only then do columns change hands in so small a model."""
LINE = 118
"""Characters of a line of the page."""
INPUT = "bac"
TEXT = """# Is the first token low: is at most one token of the input less than it?
#@ output: answer
#@ vocab: "abc"
#@ max_length: 4
smaller = selector_width(select(tokens, tokens, <));
low = smaller < 2;
answer = aggregate(select(indices, 0, ==), low);
"""
SHOWN = ("blocks.0.attn.W_K", "blocks.0.mlp.W_in", "blocks.0.mlp.W_out", "unembed.W_U")
"""The tensors that are printed; of the others, their shapes."""

TITLES = {
    "syntax": "Syntax",
    "sop": "S-ops",
    "graph": "Graph",
    "lowered": "Circuit, as lowered",
    "compressed": "Circuit, after sharing columns",
    "circuit": "Circuit, after reuse of columns",
    "certificate": "Certificate",
    "weights": "Weights",
    "fast": "Fast path",
}
"""What each form is called here; `rasp compile --emit` calls it by the name before."""
WORDS = {
    "Syntax": """
The tree of the statements, every operator in brackets. To the parser the settings in the header are comments.
""",
    "S-ops": """
The program has been run, not on an input but on names: functions, loops and lists are gone. What is left is interned:
equal s-ops are one object. The interpreter runs this form, and is the reference for all that follow.
""",
    "Graph": """
The same s-ops, for the vocabulary and the longest input of the header. Beside each stands its domain, the values that
it can take at all: `smaller` counts at most four keys. Selectors have none.
""",
    "Circuit, as lowered": """
Heads and neurons over named directions. The count is added to a direction that already holds 12582912, where floats are
whole numbers, so that the addition itself rounds (C19). Two neurons make `low` of it, one for each knot. What was tried
and is not needed is still there: a head that moves nothing, a neuron that would take the offset away.
""",
    "Circuit, after sharing columns": """
What nobody reads is swept away. `tokens in {a,b}` is the sum of two functions that are embedded anyhow, so its column
goes, and the head reads the sum.
""",
    "Circuit, after reuse of columns": """
After the first layer's head nobody reads `tokens=a`. A neuron sets it to zero, an eraser, and `answer` takes over its
column. This is done where it saves more than a fifth of the model; with `--optimize size`, as here, where it saves
anything.
""",
    "Certificate": """
Every place where a real number becomes a choice, with its margin and the largest error that can reach it; and the
largest numbers of each sublayer. Where one does not hold, the driver tries the next policy, then another graph, and
refuses in the end.
""",
    "Weights": """
Directions have become columns, forms matrices, exact numbers floats. All shapes and columns are printed, and four of
the tensors. The second dimension of `W_K` reads two columns, which is the sum above. `W_in` reads the count twice, and
what is erased. `W_U` scores the two values of the answer.
""",
    "Fast path": """
Heads whose scores say where they look run by looking there: `selection` is what the scores of a head mean. The plan is
certified again. It is made when the model is run on long inputs, not when it is compiled.
""",
    "Model": """
The weights in an ordinary transformer. What it says of its parts comes from the labels that travel with it.
""",
    "Run": """
What the model answers, and below it every variable of the program, decoded from the residual stream after each
sublayer, beside the interpreter's value. `tokens` cannot be read any more once a part of it is erased.
""",
    "Check": """
Every form above is run on many inputs: the claims about s-ops, the graph, the circuit in exact numbers, the weights in
numpy, the model in torch. A difference names the first pass that made it.
""",
    "Verify": """
The certificate again, now from the stored tensors and the program alone. Nothing is believed that labels say of
columns, heads and neurons.
""",
}
"""What happens to the program in each pass."""


class Room(NamedTuple):
    """A box of the picture, and what leaves it downwards."""

    folder: str
    does: str
    out: str


WAY = (
    Room("rasp/text/", "parse, or say where and why not", "a syntax tree"),
    Room("rasp/running/", "run the program on names, once", "s-ops"),
    Room("compiler/graph/", "specialise to a vocabulary and a length", "Graph: s-ops with their domains"),
    Room("compiler/lowering/", "heads and neurons, placed on demand", "Circuit: over named directions"),
    Room("compiler/circuit/", "compress, reuse, certify, emit", "Weights, with certificate and labels"),
    Room("compiler/model/", "the transformer, over torch alone", "a checkpoint, answers"),
    Room("compiler/runtime/", "checkpoints and the fast path", ""),
)
BESIDE = (
    ("rasp/meaning/", "what an s-op is; the interpreter, the reference for all"),
    ("rasp/ask/", "warnings, values as text, pictures, colours; what is written on"),
    ("rasp/console/", "the console: `rasp` alone, `%%rasp` in notebooks"),
    ("compiler/numbers/", "exact numbers, dtypes, forms: under graph, lowering, circuit"),
    ("compiler/pipeline.py", "the driver: calls the stages above, in that order"),
    ("compiler/observe/", "reads a model: traces, provenance, pages, plans, remedies"),
    ("compiler/trust/", "doubts it: check, interventions, verify"),
    ("compiler/programs/", "the library, surveyed, and as a data set"),
    ("compiler/hosts/", "the model in BERT, GPT-2, Llama, ONNX, ..."),
    ("compiler/cli/", "the `rasp` command: sees every room, nothing imports it"),
)


@dataclass(frozen=True)
class Section:
    """A pass: its title, its file, and the form in which it leaves the program."""

    title: str
    file: str
    form: str
    language: str = "text"
    note: str = ""

    def __str__(self) -> str:
        promise = "\n".join(_item(name, text) for name, text in promises(ROOT / self.file))
        link = f"[`{self.file}`](../{self.file})"
        words = WORDS[self.title].strip() + (f"\n\n{self.note}:" if self.note else "")
        return f"## {self.title}\n\n{link}\n\n{promise}\n\n{words}\n\n{block(self.form, self.language)}\n"


def made() -> Compiled:
    """The page's program, compiled."""
    return compiler.compile(rasp.parse(TEXT), optimize=MODE)


def promises(file: Path) -> Iterator[tuple[str, str]]:
    """What comes in, what goes out and what holds, by the module's docstring."""
    path = file / "__init__.py" if file.is_dir() else file
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    found = re.search(r"^In: (.*?)\s+Out: (.*?)\s+(Invariants?): (.*?)(?:\n\n|\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"the docstring of {path} does not say what comes in, what goes out and what holds")
    into, out, name, holds = found.groups()
    yield from (("In", into), ("Out", out), (name, holds))


def _item(name: str, text: str) -> str:
    """A bullet: lines that are not too long, and the items of a list below it."""
    first, *items = re.split(r"\s+(?=\d\. )", f"* **{name}:** {text.strip()}")
    found = [textwrap.fill(first, LINE, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)]
    found += [""] if items else []
    found += [f"  {' '.join(item.split())}" for item in items]
    return "\n".join(found)


def wrapped(text: str) -> str:
    """Printed text, its long lines broken."""
    return "\n".join(textwrap.fill(line, LINE, subsequent_indent="  ") for line in text.splitlines())


def block(text: str, language: str = "text") -> str:
    """Text in a fence, without spaces at the ends of lines."""
    lines = [line.rstrip() for line in text.rstrip().splitlines()]
    return "\n".join([f"```{language}", *lines, "```"])


def picture() -> str:
    """The rooms on a program's way as boxes, with what flows between them; the others in a list."""
    lines = ["a program, as text".center(WIDTH).rstrip()]
    for room in WAY:
        lines += [
            "|".center(WIDTH).rstrip(),
            "+" + "v".center(WIDTH - 2, "-") + "+",
            f"| {room.folder:<{WIDTH - 4}} |",
            f"|   {room.does:<{WIDTH - 6}} |",
            "+" + "-" * (WIDTH - 2) + "+",
        ]
        if room.out:
            lines += ["|".center(WIDTH).rstrip(), room.out.center(WIDTH).rstrip()]
    wide = max(len(name) for name, _ in BESIDE)
    return "\n".join([*lines, "", "beside the way", *(f"  {name:<{wide}}  {does}" for name, does in BESIDE)])


def changes(before: Circuit, after: Circuit) -> str:
    """A circuit as a change of another, whole."""
    old, new = (str(circuit).splitlines() for circuit in (before, after))
    lines = difflib.unified_diff(old, new, n=len(old) + len(new), lineterm="")
    return "\n".join([*lines][3:])


def size(circuit: Circuit) -> str:
    """How large a model a circuit makes."""
    return f"{circuit.parameters()} parameters in {len(set(circuit.columns().values()))} columns"


def tensors(text: str) -> str:
    """The printed weights: all shapes and columns, and the few tensors that are shown."""
    shapes, columns, *rest = re.split(r"\n\n(?=column |[a-z.0-9]+(?:\.[A-Za-z_]+)+:)", text)
    return "\n\n".join([shapes, columns, *(one for one in rest if one.partition(":")[0] in SHOWN)])


def sections(compiled: Compiled) -> Iterator[Section]:
    """The page, pass by pass; then what is done with what they made."""
    circuits = {"lowered": compiled.lowered, "compressed": compiled.compressed, "circuit": compiled.circuit}
    last: Circuit | None = None
    for one in PASSES:
        circuit, form = circuits.get(one.makes), compiled.emit(one.makes)
        if circuit is None:
            shown = Section(TITLES[one.makes], path(one.by), tensors(form) if one.makes == "weights" else form)
        elif last is None:
            shown = Section(TITLES[one.makes], path(one.by), form, note=size(circuit))
        else:
            form, note = changes(last, circuit) + _homes(circuit), f"{size(circuit)}, as a change of the form above"
            shown = Section(TITLES[one.makes], path(one.by), form, "diff", note)
        yield shown
        last = circuit or last
    run = f"model.run({INPUT!r}) = {compiled.model.run(INPUT)}\n\n{compiled.trace(INPUT)}"
    yield Section("Model", "compiler/model", compiled.info())
    yield Section("Run", "compiler/observe/trace.py", run)
    yield Section("Check", "compiler/trust/compare", wrapped(str(check(compiled))))
    yield Section("Verify", "compiler/trust/verify", wrapped(verify_model(compiled.model).shown(everything=True)))


def path(module: str) -> str:
    """Where a module stands."""
    found = ROOT / module.replace(".", "/")
    return str((found if found.is_dir() else found.with_suffix(".py")).relative_to(ROOT))


def _homes(circuit: Circuit) -> str:
    """Which column changes hands, as a line of a change."""
    return "".join(f"\n+column of {home}: then {later}" for later, home in circuit.homes.items())


def follow() -> str:
    """How a reader gets the forms of this page."""
    return (
        f"Saved as `low.rasp`, `rasp compile low.rasp --optimize {MODE} --emit FORM` prints what stands below; FORM is "
        f"one of {', '.join(TITLES)}. What is run is run on `{INPUT}`."
    )


def page(compiled: Compiled) -> str:
    """The whole page."""
    return f"""# One program through every pass

Made by `python -m benchmarks.architecture --write docs/architecture.md`; a test compares. *In*, *out* and *invariant*
are the docstrings of the modules. Words are in [glossary.md](glossary.md), numbered constructions (C19) in
[constructions.md](constructions.md), what each folder is for in the [README](../README.md#the-map).

{block(picture())}

The driver, [`compiler/pipeline.py`](../compiler/pipeline.py), calls one function for each arrow. Where the certificate
of a circuit does not hold it goes back and has another one made.

## Text

The program that is followed, small enough that every form of it fits a screen. It needs a head that counts, two
neurons, a head that fetches, and an output with two values.

{block(TEXT)}

{textwrap.fill(follow(), LINE)}

{chr(10).join(map(str, sections(compiled))).rstrip()}
"""


def main(words: Sequence[str] | None = None) -> int:
    """Compile the program and write the page; 0."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.architecture", description="Follow one program through every pass."
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there instead of printing it")
    options = parser.parse_args(words)
    text = page(made())
    if options.write:
        whole.text(options.write, text)
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
