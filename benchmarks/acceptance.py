"""Acceptance: every program with a source, certified at one setting, held against Python and against the interpreter.

In: a longest source, a longest target (shorter where a header says so), how many samples, a seed. Out: a table, a
program a line; exit code 1 where a program is refused or not certified, or where anything that was written or answered
differs.

* Decodes: what the model writes is what the oracle in Python says, as much of it as a target has room for. Half of the
  sources are as long as the program takes them.
* Prefixes: behind a target so far, right or wrong, the model answers at every position what the interpreter does: all
  short sources with all short targets (of a program that requires something, its shortest sources), then random ones,
  of which half of the sources and half of the targets are as long as may be; what is written is in turns any tokens,
  right so far, and right but for one token.

Invariant: the same seed gives the same inputs.

    python -m benchmarks.acceptance --samples 10000 --seed 0 --only copy,sort
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import compiler
import rasp
from benchmarks.cases import PROGRAMS
from compiler.graph.witness import Case
from compiler.pipeline import Compiled
from compiler.runtime.processes import spread
from compiler.trust.compare.inputs import chunks
from compiler.trust.compare.stages import MODEL
from compiler.trust.compare.subject import Batch, Subject, of_compilation
from rasp import RaspError
from rasp.settings import token_text
from tests.programs.transductions import TASKS, Task, Tokens

SHORT = 25_000
"""Short sources with short targets are all tried, of a whole size at a time, as long as there are no more of them."""
SHORTEST = 200
"""So many sources are short, where something is required of them."""
TOGETHER = 200
"""Inputs that are answered together."""
SHOWN = 3
"""Differences that are printed of each program."""
HEAD = (
    *("program", "source", "target", "parameters", "tightest margin / error", "decodes", "at full length"),
    *("short prefixes", "random prefixes", "without an answer", "differences", "seconds"),
)


@dataclass
class Found:
    """What came out for a program: how much was tried, and what differs."""

    name: str
    source: int = 0
    target: int = 0
    parameters: int = 0
    room: float = 0.0
    decodes: int = 0
    longest: int = 0
    short: int = 0
    prefixes: int = 0
    skipped: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def row(self) -> str:
        """A line of the table."""
        counts = (self.decodes, self.longest, self.short, self.prefixes, self.skipped, len(self.wrong))
        room = "no error" if self.room == float("inf") else f"{self.room:,.3g}"
        numbers = [
            str(self.source),
            str(self.target),
            f"{self.parameters:,}",
            room,
            *(f"{count:,}" for count in counts),
        ]
        return f"| {self.name} | {' | '.join(numbers)} | {self.seconds:.0f} |"


class Trial:
    """A compiled program, its oracle, and chance."""

    def __init__(self, name: str, made: Compiled, rng: random.Random) -> None:
        self.subject: Subject = of_compilation(made)
        self.program, self.setting, self.rng = made.program, made.setting, rng
        self.task: Task = TASKS[name]
        self.tokens: Tokens = [*map(token_text, made.program.settings.source or ())]
        self.longest = made.program.settings.longest_source

    def sources(self, count: int) -> list[Tokens]:
        """Random sources of the task, every other one as long as it has them."""
        lengths = (self.longest if at % 2 else self.rng.randint(1, self.longest) for at in range(count))
        return [self.task.random(self.rng, self.tokens, length) for length in lengths]

    def right(self, source: Tokens) -> Tokens:
        """What is written for a source, the token that ends it too."""
        written = [*self.task.oracle(source), token_text(self.program.settings.stop[0])]
        return written[: self.setting.max_length]

    def case(self, source: Sequence[str], written: Sequence[str]) -> Case:
        """A source and a target so far."""
        assert self.setting.start is not None
        return Case((self.setting.start, *written), tuple(source))

    def short(self) -> Iterator[Case]:
        """All short sources with all short targets, a whole size at a time; if something is required, the shortest."""
        if self.program.settings.requires:
            known = self.task.shortest(self.tokens) if self.task.means else self.sources(SHORTEST)
            yield from itertools.starmap(
                self.case, itertools.product(itertools.islice(known, SHORTEST), self.targets())
            )
            return
        generator, tried = self.subject.generator, 0
        for size in range(1, generator.longest + 1):
            tried += generator.count(size)
            if tried > SHORT:
                return
            yield from generator.of_size(size)

    def targets(self) -> Iterator[tuple[str, ...]]:
        """All short targets, without `start`, a whole length at a time."""
        written, tried = [*map(token_text, self.setting.written)], 0
        for length in range(self.setting.max_length):
            tried += len(written) ** length
            if tried * SHORTEST > SHORT:
                return
            yield from itertools.product(written, repeat=length)

    def prefixes(self, count: int) -> Iterator[Case]:
        """Random sources with targets of any tokens, with right ones, and with right ones but for a token."""
        written, most = [*map(token_text, self.setting.written)], self.setting.max_length - 1
        for number, source in enumerate(self.sources(count)):
            target = self.rng.choices(written, k=most)
            if number % 3:
                so_far = self.right(source)[:most]
                target[: len(so_far)] = so_far
                if number % 3 == 2:
                    target[self.rng.randrange(len(so_far))] = self.rng.choice(written)
            yield self.case(source, target[: most if number // 2 % 2 else self.rng.randint(0, most)])


def accepted(name: str, samples: int, seed: int, longest: int, most: int) -> Found:
    """A program at a setting: compiled, decoded, answered."""
    found, began = Found(name), time.perf_counter()
    program = rasp.load(PROGRAMS / "seq2seq" / f"{name}.rasp")
    settings = program.settings
    program = program.replace(max_source=min(longest, settings.longest_source), max_length=min(most, settings.longest))
    try:
        made = compiler.compile(program)
    except RaspError as refusal:
        found.wrong.append(f"refused: {refusal.diagnostics[0].message}")
        return found
    found.source, found.target = program.settings.longest_source, program.settings.longest
    tightest = made.certificate.tightest
    found.parameters = sum(tensor.numel() for tensor in made.model.state_dict().values())
    found.room = float(tightest.margin / tightest.error) if tightest is not None and tightest.error else float("inf")
    trial = Trial(name, made, random.Random(f"{seed} {name}"))
    decoded(trial, samples, found)
    answered(trial, samples, found)
    found.seconds = time.perf_counter() - began
    return found


def decoded(trial: Trial, samples: int, found: Found) -> None:
    """Decodes against the oracle."""
    drawn = trial.sources(samples)
    full = max(map(len, drawn))
    for sources in chunks(drawn, TOGETHER):
        written = trial.subject.compiled.model.decode_batch(sources)
        found.decodes += len(sources)
        found.longest += sum(len(source) == full for source in sources)
        for source, values in zip(sources, written, strict=True):
            if values != trial.right(source):
                found.wrong.append(f"{' '.join(source)} is decoded as {values}, not {trial.right(source)}")


def answered(trial: Trial, samples: int, found: Found) -> None:
    """Prefixes against the interpreter."""
    for kind, cases in (("short", trial.short()), ("prefixes", trial.prefixes(samples))):
        for some in chunks(cases, TOGETHER):
            meant = trial.subject.meant(some)
            finding = trial.subject.compare(Batch(meant, [MODEL]))
            setattr(found, kind, getattr(found, kind) + finding.tried - finding.skipped)
            found.skipped += finding.skipped
            if (wrong := finding.wrong) is not None:
                found.wrong.append(f"{wrong.case}: {wrong.found}, not {wrong.expected}")


def told(done: int, total: int) -> None:
    """Progress, beside the table."""
    print(f"{done} of {total} programs", file=sys.stderr, flush=True)


def main(words: Sequence[str] | None = None) -> int:
    """Print the table, and what differs."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--samples", type=int, default=10_000, help="decodes, and as many prefixes, of each program")
    flags.add_argument("--seed", type=int, default=0)
    flags.add_argument("--source", type=int, default=64, help="the longest source")
    flags.add_argument("--target", type=int, default=65, help="the longest target, `start` among its tokens")
    flags.add_argument("--only", default="", help="names of programs, with commas between them")
    flags.add_argument("--jobs", type=int, default=1)
    call = flags.parse_args(words)
    names = call.only.split(",") if call.only else sorted(TASKS)
    work = partial(accepted, samples=call.samples, seed=call.seed, longest=call.source, most=call.target)
    print(f"| {' | '.join(HEAD)} |", f"|---|{'---:|' * (len(HEAD) - 1)}", sep="\n", flush=True)
    bad = []
    for found in spread(work, names, call.jobs, told):
        print(found.row, flush=True)
        bad += [f"{found.name}: {one}" for one in itertools.islice(found.wrong, SHOWN)]
    print("", *(bad or ["nothing differs"]), sep="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
