"""What a check found: counts, and the smallest input on which something differs.

In: what the stages answered. Out: `Report`, as text and as JSON data. An input is a `Case`: of a program with a source
it is shown with both of its tapes.
Invariant: a report is good news only if most of its inputs had an answer to compare.

    363 short inputs, 1000 random, 40 awkward: analysis, graph, circuits, weights, model agree with the interpreter
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from compiler.graph.witness import Case
from compiler.model import Scalar
from rasp.ask.examples import Judged
from rasp.settings import token_text
from rasp.text.source import counted
from rasp.value import Value, to_python

MOST_EXAMPLES = 5
"""How many wrong examples are printed."""
MOST_ROWS = 8
"""How many inputs of a batch are printed."""
CIRCUITS = ("lowered", "compressed", "circuit")
"""The stages that are run exactly, in rational numbers: slowly, on few inputs."""
DECODE, GENERATE, REREAD = "decode", "generate", "generate without a cache"
FAST_DECODE, FAST_GENERATE = "fast decode", "fast generate"
TOGETHER, ALONE = (DECODE, FAST_DECODE), (GENERATE, REREAD, FAST_GENERATE)
"""The stages that write whole targets: of many sources together, and of a few alone."""
WHOLE = (*TOGETHER, *ALONE)
Input: TypeAlias = tuple[Value, ...]
"""An input of one tape."""


def _shown(tokens: Input) -> str:
    return " ".join(map(token_text, tokens))


def _lines(one: Case) -> list[str]:
    """An input, a line for each of its tapes."""
    if one.source is None:
        return [f"  input        {_shown(one.tokens)}"]
    return [f"  source       {_shown(one.source)}", f"  target       {_shown(one.tokens)}"]


def _in_a_line(one: Case) -> str:
    source = "" if one.source is None else f"{_shown(one.source)} -> "
    return source + _shown(one.tokens)


def _data(one: Case) -> dict[str, Any]:
    """An input as JSON data; its tokens are those of the target, where there is a source."""
    tokens = {"tokens": [to_python(token) for token in one.tokens]}
    return tokens if one.source is None else {"source": [to_python(token) for token in one.source], **tokens}


@dataclass(frozen=True)
class Place:
    """The first s-op of the program whose value differs, where the difference shows first, and both values."""

    sop: str
    where: str
    expected: list[Scalar]
    found: list[Scalar]

    def __str__(self) -> str:
        return f"{self.sop}, {self.where}: {self.found} instead of {self.expected}"


@dataclass(frozen=True)
class Difference:
    """The smallest input found on which something differs from the interpreter, and the first stage that does.

    Where it does so only as a row of a `batch`, among others; `again` says whether it did when it was tried again.
    Or on which the analysis is wrong: then `claim` is what it says of the s-op or selector `output`.
    """

    stage: str
    output: str
    case: Case
    expected: list[Scalar]
    found: list[Scalar] = field(default_factory=list)
    place: Place | None = None
    batch: tuple[Case, ...] = ()
    row: int = 0
    again: bool = True
    claim: str = ""

    @property
    def tokens(self) -> Input:
        """The tokens of the input; of its target, where it has a source."""
        return self.case.tokens

    @property
    def source(self) -> Input | None:
        """The source, if there is one."""
        return self.case.source

    def __str__(self) -> str:
        if self.claim:
            return "\n".join(
                [
                    f"{self.stage} is wrong: {self.claim}",
                    *_lines(self.case),
                    f"  interpreter  {self.expected}",
                ]
            )
        lines = [
            f"{self.stage} differs from the interpreter in {self.output}",
            *self._input(),
            f"  interpreter  {self.expected}",
            f"  {self.stage:<11}  {self.found}",
        ]
        if self.place is not None:
            lines.append(f"  first wrong  {self.place}")
        return "\n".join([*lines, *self._beside()])

    def _input(self) -> list[str]:
        """The input; of what is decoded from a source there is no target yet."""
        return _lines(self.case)[: 1 if self.stage in WHOLE else None]

    def _beside(self) -> list[str]:
        """That it happens in a batch only, and in which one."""
        if not self.batch:
            return []
        inputs = counted(len(self.batch), "input")
        what = f"only as row {self.row} of {inputs} together; alone it is right"
        if not self.again:
            what = f"once, as row {self.row} of {inputs} together; not again, neither so nor alone"
        rows = [f"  row {i:<9}{_in_a_line(one)}" for i, one in enumerate(self.batch[:MOST_ROWS])]
        more = len(self.batch) - len(rows)
        return [f"  differs      {what}", *rows, *([f"  and {counted(more, 'more input')}"] if more else [])]

    def to_json(self) -> dict[str, Any]:
        """The difference as JSON data."""
        place = self.place
        return {
            "stage": self.stage,
            "output": self.output,
            **_data(self.case),
            "batch": [_data(one)["tokens"] if one.source is None else _data(one) for one in self.batch],
            "row": self.row,
            "again": self.again,
            "expected": self.expected,
            "found": self.found,
            "claim": self.claim or None,
            "first_wrong": None
            if place is None
            else {"sop": place.sop, "where": place.where, "expected": place.expected, "found": place.found},
        }


@dataclass(frozen=True)
class Endless:
    """A source, and the target that is decoded from it: it is as long as may be, and has no token of `stop`."""

    source: Input
    written: list[Scalar]

    def __str__(self) -> str:
        return "\n".join(
            [
                f"a decode has no end: {counted(len(self.written), 'token')}, none of them of `stop`",
                f"  source       {_shown(self.source)}",
                f"  interpreter  {self.written}",
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """The decode as JSON data."""
        return {"source": [to_python(token) for token in self.source], "written": self.written}


@dataclass
class Report:
    """What a check found. `complete` is the length up to which every input was among them; `examples` is what the
    interpreter says to those of the header.

    `decoded` sources were decoded as a whole, `unended` of them met no token of `stop`; `endless` is one of these,
    unless they are allowed.
    """

    stages: list[str]
    short: int = 0
    random: int = 0
    awkward: int = 0
    skipped: int = 0
    reason: str = ""
    differences: list[Difference] = field(default_factory=list)
    complete: int = 0
    exact: int = 0
    seed: int = 0
    seconds: float = 0.0
    examples: Judged = field(default_factory=Judged)
    decoded: int = 0
    unended: int = 0
    endless: Endless | None = None

    @property
    def two_tapes(self) -> bool:
        """Whether an input is a source and a target."""
        return DECODE in self.stages

    @property
    def inputs(self) -> int:
        """How many inputs were tried, those included that had no answer."""
        return self.short + self.random + self.awkward

    @property
    def ok(self) -> bool:
        """No difference, no decode without an end, no wrong example, and at least half of the inputs had an answer to
        compare."""
        return not (self.differences or self.endless or self.examples.wrong) and self._enough

    @property
    def _enough(self) -> bool:
        return self.inputs > self.skipped and 2 * self.skipped <= self.inputs

    def __str__(self) -> str:
        endless = [] if self.endless is None else [str(self.endless)]
        return "\n".join([self._compared(), *endless, *self._wrong_examples()])

    def _wrong_examples(self) -> list[str]:
        wrong = self.examples.wrong
        if not wrong:
            return []
        many = f"{counted(len(wrong), 'example')} of the header {'is' if len(wrong) == 1 else 'are'} wrong"
        return [f"examples: {many}", *map(str, wrong[:MOST_EXAMPLES])]

    def _compared(self) -> str:
        counts = f"{counted(self.short, 'short input')}, {self.random} random, {self.awkward} awkward"
        if self.two_tapes:
            counts += f", {counted(self.decoded, 'whole decode')}"
        if self.skipped:
            counts += f" ({self.skipped} skipped, the interpreter has no answer: {self.reason})"
        if self.differences:
            return "\n".join([counts, *map(str, self.differences)])
        if not self.inputs:
            return f"{counts}: no input was found that meets `requires`"
        if not self._enough:
            return f"{counts}: too few had an answer to tell anything"
        agree = "agrees" if len(self.stages) == 1 else "agree"
        told = ", ".join(self.stages).replace(", ".join(CIRCUITS), "circuits")
        return f"{counts}: {told} {agree} with the interpreter"

    def details(self) -> str:
        """In a line: what was tried completely, where the slow stage looked, how fast it went."""
        upto = "of one token" if self.complete == 1 else f"of up to {self.complete} tokens"
        what = "every source with every target" if self.two_tapes else "every input"
        parts = [f"{what} {upto} is among them"] if self.complete else []
        if self.exact:
            parts.append(f"the circuits, in exact arithmetic, ran on {self.exact} of them")
        if self.unended:
            parts.append(f"{counted(self.unended, 'decode')} met no token of `stop`")
        parts += [one.message for one in self.examples.note]
        return "; ".join([*parts, f"seed {self.seed}, {self.seconds:.1f} s"])

    def to_json(self) -> dict[str, Any]:
        """The report as JSON data."""
        return {
            "ok": self.ok,
            "stages": self.stages,
            "inputs": {"short": self.short, "random": self.random, "awkward": self.awkward, "circuit": self.exact}
            | ({"decoded": self.decoded} if self.two_tapes else {}),
            "every_input_up_to": self.complete,
            "skipped": self.skipped,
            "reason": self.reason,
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
            "inputs_per_second": round(self.inputs / self.seconds) if self.seconds else 0,
            "examples": {
                "held": self.examples.held,
                "left_out": [one.to_json() for one in self.examples.left_out],
                "wrong": [one.to_json() for one in self.examples.wrong],
            },
            **({"unended": self.unended, "endless": self.endless and self.endless.to_json()} if self.two_tapes else {}),
            "differences": [difference.to_json() for difference in self.differences],
        }
