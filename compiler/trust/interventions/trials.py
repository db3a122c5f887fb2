"""Trials: every variable is swapped, at every moment, until enough swaps have told something.

In: a study, names of variables, how many swaps with another answer are wanted. Out: a `Report`.
Invariants: the same seed gives the same swaps; every variable is read and swapped after every step after which it is
there, and most often where that changes answers.

    reported(study, wanted=100).ok
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from compiler.trust.compare import Progress
from compiler.trust.interventions.claims import CONSTANT, Held
from compiler.trust.interventions.line import Line
from compiler.trust.interventions.meaning import Outcome
from compiler.trust.interventions.moment import Moment
from compiler.trust.interventions.pool import Pair
from compiler.trust.interventions.report import Report, Row
from compiler.trust.interventions.study import Study

ROUND = 16
"""So many pairs are tried at a moment at a time."""
MOST, FRUITLESS = 3200, 1600
"""So many are tried of a variable at most; so many if none of them has a meaning and another answer."""
WORK = 600
"""So many units are computed of a variable, a round each; then it has been enough, in programs of many s-ops."""
REPEATED = 5
"""So many times in a row pairs are drawn that were all tried before; then there are no others."""
KEPT = 20
"""So many failures are kept."""


def reported(
    study: Study, variables: Sequence[str] | None = None, wanted: int = 100, progress: Progress | None = None
) -> Report:
    """Swap every variable, or those of these names, until so many swaps of each have another answer."""
    start = time.perf_counter()
    chosen = [study.held(name) for name in (study.claims.named if variables is None else variables)]
    contradicting = (problem for part in study.line.parts for problem in contradictions(part, study.line))
    problems = [*contradicting, *_foreign(study)]
    report = Report(problems=problems, inputs=len(study.bench.pool.inputs), wanted=wanted, seed=study.seed)
    tell = progress or (lambda done, total: None)
    for done, held in enumerate(chosen):
        tell(done, len(chosen))
        _Trials(study, held, report).all()
    report.seconds = time.perf_counter() - start
    return report


@dataclass(eq=False)
class _Where:
    """A moment, and whether all positions are swapped there or one; how often that told something."""

    moment: Moment
    everywhere: bool
    tried: int = 0
    changed: int = 0
    repeated: int = 0


class _Trials:
    """The swaps of one variable."""

    def __init__(self, study: Study, held: Held, report: Report) -> None:
        self.study, self.bench, self.held, self.report = study, study.bench, held, report
        steps = held.steps(study.line)
        columns = {place.column for place in held.places}
        first, last = (study.line.own(step) for step in (steps[0], steps[-1])) if steps else (0, -1)
        self.row = Row(held.name, len(columns), first, last, _after(steps, study.line))
        report.rows.append(self.row)
        self.rng = random.Random(f"{study.seed} {held.name}")
        self.choices = self.bench.pool.choices(held.node)
        self.tried: set[tuple[int, Pair]] = set()
        self.work = 0

    def all(self) -> None:
        """Read what stands there, then swap at every moment, then where answers change most, until there are enough."""
        self._read()
        moments = list(self.study.moments.of(self.held))
        places = [_Where(moment, everywhere) for moment in moments for everywhere in (False, True)]
        if self.choices.places:
            for place in places:
                self._round(place)
            self._go_on(places)
        self.row.exhausted = "" if self.row.changed >= self.report.wanted else self._why()

    def _go_on(self, places: list[_Where]) -> None:
        places = [place for place in places if not place.moment.reason]
        while places and self._is_wanting():
            best = max(places, key=lambda place: (place.changed + 1) / (place.tried + 2 * ROUND))
            if not self._round(best):
                places.remove(best)

    def _is_wanting(self) -> bool:
        most = MOST if self.row.changed else FRUITLESS
        return self.row.changed < self.report.wanted and self.row.tried < most and self.work < WORK

    def _round(self, place: _Where) -> bool:
        """Try some pairs at a place. Returns whether there were any that had not been tried."""
        drawn = dict.fromkeys(self.choices.draw(self.rng, ROUND, place.everywhere))
        pairs = [pair for pair in drawn if (place.moment.step, pair) not in self.tried]
        self.tried.update((place.moment.step, pair) for pair in pairs)
        self.work += len(place.moment.units)
        outcomes = self.bench.meaning.of(place.moment, pairs)
        self.row.tried += len(pairs)
        self.row.reasons.update(outcome.reason for outcome in outcomes if outcome.reason)
        meant = [(pair, outcome) for pair, outcome in zip(pairs, outcomes, strict=True) if not outcome.reason]
        before = self.row.changed
        if meant:
            self._compare(place.moment, *map(list, zip(*meant, strict=True)))
        place.tried += len(pairs)
        place.changed += self.row.changed - before
        place.repeated = 0 if pairs else place.repeated + 1
        return place.repeated < REPEATED

    def _compare(self, moment: Moment, pairs: list[Pair], outcomes: list[Outcome]) -> None:
        for swap in self.study.swaps(self.bench, moment, pairs, outcomes):
            self.row.meant += 1
            self.row.changed += swap.changes
            if not swap.ok:
                self.row.wrong += 1
                if len(self.report.failures) < KEPT:
                    self.report.failures.append(swap)

    def _read(self) -> None:
        """Whether the columns hold what is stated, on every input, after every step."""
        machine, known = self.bench.machine, self.bench.pool.values
        for stated in self.study.stated[self.held.name]:
            for size, numbers in machine.numbers.items():
                values = [value for number in numbers for value in known[number][self.held.node]]
                for step, stream in enumerate(machine.streams[size]):
                    if stated.there(step):
                        self.row.read += len(values)
                        self.row.misread += len(stated.wrong(stream[:, 1:, stated.column].flatten(), step, values))

    def _why(self) -> str:
        if not self.choices.places:
            certainly = self.study.moments.is_fixed(self.held.node)
            same = "it is the same in all inputs of one length"
            return (
                f"{same}, so there is nothing to swap"
                if certainly
                else f"{same} that were tried: there is nothing to swap"
            )
        if not self.row.tried:
            return "it is never there"
        if not self.row.meant:
            return f"no swap has a meaning in the program: {self.row.reasons.most_common(1)[0][0]}"
        if not self.row.changed:
            return f"no swap with a meaning changes an answer, of {self.row.meant}"
        return f"only {self.row.changed} swaps with another answer were found in {self.row.tried}"


def _after(steps: range, line: Line) -> str:
    """The steps after which a variable is swapped."""
    if not steps:
        return "-"
    return line.name(steps[0]) + (f" - {line.name(steps[-1])}" if len(steps) > 1 else "")


def _foreign(study: Study) -> Iterator[str]:
    """Variables of the document that the program does not have, and columns that no variable lists and one should."""
    line = study.line
    names = [one["name"] for one in line.all("variables")]
    yield from (f"the program has no {name}" for name in names if name not in study.claims.named)
    held = {(place.column, place.ready) for one in study.claims.held for place in one.places}
    for one in line.all("directions"):
        if one["role"] not in CONSTANT and (one["column"], one["step"]) not in held:
            after = line.name(one["step"])
            yield f"{line.column(one['column'])} holds a function of a variable after {after}, and none lists it"


def contradictions(part: Mapping[str, Any], line: Line) -> Iterator[str]:
    """Where what is said of a stream says one thing of a column and another of the variable, or lists a variable in no
    column, though it has more than one value."""
    yield from (
        f"{one['name']} is listed, in no column"
        for one in part["variables"]
        if len(one["values"]) > 1 and not one["columns"] + one["read"]
    )
    said = {(one["name"], place["column"], place["step"]) for one in part["variables"] for place in one["columns"]}
    told = {(name, one["column"], one["step"]) for one in part["directions"] for name in one["variables"]}
    names = {one["name"] for one in part["variables"]}
    for one in part["directions"]:
        if len(one["of"]) == 1 and names.issuperset(one["of"]) and not one["variables"]:
            yield f"{line.column(one['column'])} is computed from {one['of'][0]} alone, which does not list it"
    for name, column, step in sorted(told - said):
        where = f"{line.column(column)}, which is said to hold a function of it after {line.name(step)}"
        yield f"{name} does not list {where}"
    for name, column, step in sorted(said - told):
        where = f"{line.column(column)}, which is not said to hold a function of it after {line.name(step)}"
        yield f"{name} lists {where}"
