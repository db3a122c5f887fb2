"""Outcomes: every program with a source in every host that takes one, asked in a process that knows nothing of ours.

In: hosts. Out: the table of docs/hosts.md, a program a line: whether what stock classes write is what the program
decodes, greedily and with beams, alone and in batches that are padded on either side, or why it is refused; exit code 1
where something else is written. Outcomes are kept in a file, so that hosts can be tried one at a time.

    python -m tests.hosts.outcomes --hosts t5,onnx --kept outcomes.json --write docs/hosts.md
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import compiler
import rasp
from compiler.hosts import export
from compiler.model import ModelError
from compiler.pipeline import Compiled
from compiler.trust.compare.inputs import chunks
from rasp import whole
from tests.hosts import test_torch_transformer, test_two_graphs
from tests.hosts.test_two_tapes import GENERATING, joined, separator, sources, written
from tests.places import PROGRAMS, SEQ2SEQ

HOSTS = [*GENERATING, "torch-transformer", *test_two_graphs.GRAPHS]
NAMES = [path.stem for path in SEQ2SEQ]
LONGEST_SOURCE, LONGEST = 16, 33
"""Sources and targets, at most: longer ones are more of the same, and every token is a run of a host."""
WAYS = [{}, {"num_beams": 4}]
BEGIN, END = "<!-- outcomes: begin -->", "<!-- outcomes: end -->"
YES, DIFFERS = "yes", "differs"
TRIED = [*GENERATING, "torch-transformer"]
"""The hosts of the table; the graphs of the others are the native model, traced."""
TOGETHER = 6
"""Programs that one process opens."""


def program(name: str) -> Compiled:
    """A program at the lengths that are tried."""
    found = rasp.load(PROGRAMS / "seq2seq" / f"{name}.rasp")
    lengths = {
        "max_source": min(LONGEST_SOURCE, found.settings.longest_source),
        "max_length": min(LONGEST, found.settings.longest),
    }
    return compiler.compile(found.replace(**lengths))


def outcomes_of(names: Sequence[str], host: str, home: Path) -> dict[str, str]:
    """Whether the host writes what each program decodes, or why it is refused; one process opens what is written.

    What a host verifies as it is written is asked on the way.
    """
    if host in GENERATING:
        return generated(names, host, home)
    found = {}
    for name in names:
        (home / name).mkdir()
        try:
            if host == "torch-transformer":
                test_torch_transformer.require_decoded([program(name)], home / name)
            else:
                test_two_graphs.require_decoded([program(name)], host, home / name)
            found[name] = YES
        except ModelError as refusal:
            found[name] = refusal.message
        except AssertionError as problem:
            found[name] = f"{DIFFERS}: {str(problem).splitlines()[0]}"
    return found


def generated(names: Sequence[str], host: str, home: Path) -> dict[str, str]:
    """The outcomes of a host that `generate` writes for."""
    found: dict[str, str] = {}
    asked, expected = [], {}
    for name in names:
        made = program(name)
        try:
            export(made.model, host, home / name, samples=20)
        except ModelError as refusal:
            found[name] = refusal.message
            continue
        meant, between = sources(made), separator(made)
        asked.append((home / name, ["right", "left"], [joined(source, between) for source in meant]))
        expected[name] = [joined(made.program.decode(source), between) for source in meant]
    for (name, right), texts in zip(expected.items(), written(asked, WAYS, ["sdpa"]), strict=True):
        found[name] = YES if texts == [right] else f"{DIFFERS}: what is written is not what is decoded"
    return found


def table(outcomes: dict[str, dict[str, str]]) -> str:
    """The outcomes, a program a line; reasons stand below."""
    reasons: dict[str, int] = {}
    lines = [f"| program | {' | '.join(f'`{host}`' for host in TRIED)} |", f"|---|{'---|' * len(TRIED)}"]
    for name in NAMES:
        cells = []
        for host in TRIED:
            found = outcomes.get(host, {}).get(name, "")
            refused = found not in ("", YES)
            cells.append(f"no ({reasons.setdefault(found, len(reasons) + 1)})" if refused else found)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"{number}. {reason}" for reason, number in reasons.items())]).strip("\n")


def documented() -> dict[str, dict[str, bool]]:
    """What the page says: for each host, whether it writes each program."""
    page = (PROGRAMS.parent / "docs" / "hosts.md").read_text("utf-8").split(BEGIN)[1].split(END)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]
    return {host: {row[0]: row[at + 1] == YES for row in rows[2:]} for at, host in enumerate(TRIED)}


def tried(host: str, names: Sequence[str], outcomes: dict[str, dict[str, str]], kept: Path | None) -> None:
    """Try programs in a host, some at a time, and keep what comes out."""
    for some in chunks(names, TOGETHER):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as home:
            found = outcomes_of(some, host, Path(home))
        outcomes.setdefault(host, {}).update(found)
        if kept is not None:
            whole.text(kept, json.dumps(outcomes, indent=1) + "\n")
        lines = [f"{host}, {name}: {one}" for name, one in found.items()]
        print(*lines, f"{time.perf_counter() - began:.0f} s", sep="\n", file=sys.stderr, flush=True)


def main(words: Sequence[str] | None = None) -> int:
    """Try hosts, print the table, or write it into the page."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--hosts", default=",".join(TRIED), help="names of hosts, with commas between them")
    flags.add_argument("--only", default=",".join(NAMES), help="names of programs")
    flags.add_argument("--kept", type=Path, help="a file that outcomes of earlier calls are read from and added to")
    flags.add_argument("--write", type=Path, help="the page to write the table into")
    call = flags.parse_args(words)
    outcomes = json.loads(call.kept.read_text("utf-8")) if call.kept and call.kept.exists() else {}
    for host in call.hosts.split(",") if call.hosts else ():
        tried(host, call.only.split(","), outcomes, call.kept)
    made = table(outcomes)
    if call.write:
        before, rest = call.write.read_text("utf-8").split(BEGIN)
        whole.text(call.write, f"{before}{BEGIN}\n{made}\n{END}{rest.split(END)[1]}")
    else:
        print(made)
    return any(one.startswith(DIFFERS) for found in outcomes.values() for one in found.values())


if __name__ == "__main__":
    sys.exit(main())
