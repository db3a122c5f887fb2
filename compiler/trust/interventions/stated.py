"""What is stated of a column: the number that it holds for each value of a variable.

In: an entry of a variable's `columns` in a provenance document, and the variable's values. Out: `Stated`.
Invariant: a column agrees where it is nearer to the stated number than to every other number that is stated of it; so
no tolerance is chosen. Where only one number is stated, any that is one off counts as another.

    Stated.of({"column": 7, "function": {"kind": "is", "value": "a", "times": "1", "plus": "0"}, ...}, ["a", "b"])
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from compiler.model import exact
from rasp.value import Value


@dataclass(frozen=True)
class Stated:
    """A column, the steps after which it is stated, its offset, and its numbers."""

    column: int
    step: int
    until: int
    offset: float
    offset_until: int
    numbers: Mapping[Value, float]

    @staticmethod
    def of(entry: Mapping[str, Any], values: Sequence[Value]) -> Stated:
        """What an entry states of a variable that has these values."""
        offset = entry["offset"] or {"number": "0", "until": 0}
        function = entry["function"]
        found = {value: number for value in values if (number := _number(function, value, values)) is not None}
        number = float(exact(offset["number"]))
        return Stated(entry["column"], entry["step"], entry["until"], number, offset["until"], found)

    def there(self, step: int) -> bool:
        """Whether it is stated after a step."""
        return self.step <= step < self.until

    def wrong(self, held: Tensor, step: int, values: Sequence[Value]) -> list[int]:
        """Where what the column holds after a step [n] is not what is stated for the values; nowhere if nothing is."""
        if not self.there(step):
            return []
        stated = set(self.numbers.values())
        others = {number + 1 for number in stated} | {number - 1 for number in stated} if len(stated) == 1 else set()
        levels = torch.tensor(sorted(stated | others), dtype=torch.float64)
        wanted = torch.tensor([self.numbers.get(value, torch.nan) for value in values], dtype=torch.float64)
        number = held.double().cpu() - (self.offset if step < self.offset_until else 0)
        nearest = levels[(number[:, None] - levels).abs().argmin(-1)]
        return (nearest != wanted).nonzero()[:, 0].tolist()


def stated(variable: Mapping[str, Any]) -> Iterator[Stated]:
    """What an entry of a document's `variables` states of its columns."""
    values = [typed(one["value"]) for one in variable["values"]]
    return (Stated.of(entry, values) for entry in variable["columns"])


def _number(function: Mapping[str, Any], value: Value, values: Sequence[Value]) -> float | None:
    """The number of a function at a value; None where no input with an answer has the value."""
    if function["kind"] == "table":
        number = function["numbers"][list(values).index(value)]
        return None if number is None else float(exact(number))
    times, plus = exact(function["times"]), exact(function["plus"])
    return float(plus + times * _base(function, value))


def _base(function: Mapping[str, Any], value: Value) -> Fraction:
    match function["kind"]:
        case "number":
            return Fraction(0) if isinstance(value, str) else Fraction(value)
        case "square":
            return (Fraction(value) - exact(function["centre"])) ** 2
        case "is":
            return Fraction(value == typed(function["value"]))
        case "at_least":
            return Fraction(not isinstance(value, str) and Fraction(value) >= Fraction(typed(function["value"])))
        case "among":
            return Fraction(value in [typed(one) for one in function["values"]])
    raise ValueError(f"an unknown function of a variable: {function['kind']}")


def typed(value: Any) -> Value:
    """A value as a document writes it."""
    return exact(value["float"]) if isinstance(value, dict) else value
