"""`python -m benchmarks.machines`: the page about the machines, with the size of each and a text of each.

In: `programs/machines/`, compiled now. Out: `docs/machines.md`, or the same on stdout.
Invariant: every number and every text comes from this run; the texts are what the transformer writes.

    | subleq | 36 | 340 | 3 | 7 | 7 | 48 | 19 | 10,878 | 7,904 | yes |
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.report import Column, Row, count, markdown_table
from compiler.pipeline import Compiled
from compiler.programs.library import Entry, library
from rasp import whole
from rasp.machines.assembler import assembled
from rasp.machines.steps import steps, table
from rasp.program import shipped_programs
from rasp.text.source import Source

COLUMNS = (
    Column("name", "machine"),
    Column("tokens", "tokens", count),
    Column("length", "length", count),
    Column("attention", "layers with attention", count),
    Column("layers", "layers", count),
    Column("heads", "heads", count),
    Column("neurons", "neurons", count),
    Column("d_model", "d_model", count),
    Column("parameters", "parameters", count),
    Column("embedding", "of these W_E, W_pos, W_U", count),
    Column("certified", "certified"),
)
SHOWN = 14
"""Rows of a text that are shown."""

PAGE = """\
# Machines

Made by `python -m benchmarks.machines --write docs/machines.md`; a test compares.

A transformer whose prompt is a program, and which writes what the program does: `programs/machines/`. Each is RASP
text, compiled like any other program, with a certificate for every prompt and every text up to its longest one.

{sizes}

*Length* is that of the longest text, prompt included. `brainfuck`, `bytes`, `counters` and `turing` write a *log*:
a step says what was done, and what is known later is looked up in the steps so far. What an address holds is what
was stored there last; equal addresses are numbered, so the last one has the number of all that there are. `subleq`
writes its memory again at every step, a *block* of 17 tokens: what an address holds stands at its place in the last
block, which is one head and no number. Its first block is the prompt.

What is wrong with a program is said in its text, at the step where it counts: `outside` (no such line or address),
`stuck` (no such case), `unbalanced`, and `endless` where the text is as long as it may be. Then it ends.

* `subleq`: one instruction, 16 cells of -16 to 16. Subtract, and jump where no more than 0 is left.
* `counters`: two numbers that can be made 1 more or less, and told from 0. Lines of three tokens, 16 at most.
* `turing`: any table of up to four states and two symbols, on a tape without ends. The table is the prompt.
* `brainfuck`: 23 signs, a tape of numbers modulo 16 without ends.
* `bytes`: two registers, 256 bytes of memory, 28 instructions, 64 lines: sums, logic bit by bit, addresses in a
  register.

## A program, step by step

`rasp asm FILE` prints the prompt that a program becomes, `rasp asm FILE --disassemble MACHINE` the program that a
prompt is. A mistake is shown at its place. `rasp machine run FILE` prints what the machine does, a row for each
step: `--until pc=12` ends behind the first row that shows this, `--fast` lets the transformer write instead of the
interpreter. The programs of this page and others are in `programs/machines/asm/`.

{texts}

## What to look at

The head of each `.rasp` file follows one step by hand. `rasp compile programs/machines/subleq.rasp -o subleq`, then
`rasp info subleq` says what every head and neuron is for; `rasp generate subleq --list PROMPT` and `rasp view` show
it at work. The references in `tests/programs/machines/` say each machine again in Python, and share nothing with
the text.
"""


def row(entry: Entry) -> Row:
    """The size of a machine."""
    compiled = Compiled(entry.program)
    model, layers = compiled.model, compiled.circuit.layers
    shape = model.config
    rows = len(shape.vocabulary) + 1 + shape.max_length + 1 + sum(len(o.codes) for o in compiled.circuit.outputs)
    return {
        "name": f"[{entry.path.stem}](../programs/machines/{entry.path.name})",
        "tokens": len(shape.vocabulary),
        "length": shape.max_length,
        "attention": sum(bool(layer.heads) for layer in layers),
        "layers": len(shape.layers),
        "heads": sum(layer.n_heads for layer in shape.layers),
        "neurons": sum(layer.d_mlp for layer in shape.layers),
        "d_model": shape.d_model,
        "parameters": model.stored(),
        "embedding": rows * shape.d_model,
        "certified": "yes" if compiled.certificate.ok else "no",
    }


def text(path: Path) -> str:
    """A program, and what the machine does with it."""
    program = path.read_text("utf-8")
    found = assembled(Source(program, path.name))
    machine = next(entry.program for entry in library("machines") if entry.path.stem == found.machine.name)
    tokens = Compiled(machine).fast.stream(list(found.tokens))
    rows = list(steps(found.machine.name, found.tokens, tokens, map(str, machine.settings.stop)))
    lines = table(rows).splitlines()
    if len(lines) > SHOWN + 1:
        lines = [*lines[:SHOWN], "...", lines[-1]]
    shown = "\n".join(lines)
    return f"```\n{program}```\n\n```console\n$ rasp machine run programs/machines/asm/{path.name}\n{shown}\n```"


def page(rows: Iterable[Row], paths: Iterable[Path]) -> str:
    """The whole page."""
    return PAGE.format(sizes=markdown_table(COLUMNS, rows), texts="\n\n".join(map(text, paths)))


def made() -> str:
    """The page, made now."""
    folder = shipped_programs() / "machines" / "asm"
    return page(
        map(row, library("machines")), [folder / f"{name}.asm" for name in ("add", "fibonacci", "double", "six")]
    )


def main(words: Sequence[str] | None = None) -> int:
    """Compile the machines and write the page; 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.machines", description="The page about the machines.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there instead of printing it")
    options = parser.parse_args(words)
    if options.write:
        whole.text(options.write, made())
    else:
        print(made())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
