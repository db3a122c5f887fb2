"""Certificates: what has to hold for a model to answer as the interpreter does, and by how much it does.

In: decisions with margins and errors, and the largest numbers. Out: `Certificate`, as text and as JSON data.
Invariant: it is certified where every error is below its margin and every number stays finite.

    hist, nearest of 16 values: margin 0.5, error 7.7e-05
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from rasp.meaning.sop import Node
from rasp.text.source import counted

ASSUMPTIONS = (
    "products of two stored numbers are exact",
    "sums inside a matrix product are accumulated in float32 or better, in any order",
    "what an operation stores is rounded once to the dtype; the residual addition is an operation of its own",
    "scores may be rounded to the dtype before the softmax, which is computed in float32 or better",
    "matrix products do not run in TF32",
)
"""What the bounds take for granted of the machine."""
PADDING = (
    "rows of padding, on the right, are set to zero before each block, so that nothing in them reaches another row"
)
"""Why what holds for one input holds for a batch of several lengths."""


@dataclass(frozen=True)
class Decision:
    """A place where a real number becomes a choice: it is right while the error stays below the margin."""

    what: str
    margin: float
    error: float
    of: Node | None = field(default=None, compare=False, repr=False)  # the s-op that is decided

    @property
    def holds(self) -> bool:
        """Whether the margin exceeds the error."""
        return self.error < self.margin

    @property
    def tightness(self) -> float:
        """Error over margin: 1 or more does not hold."""
        return self.error / self.margin if self.margin > 0 else math.inf

    def __str__(self) -> str:
        error = f"error {self.error:.2g}" if self.error < 1e6 * max(self.margin, 1) else "no useful bound on the error"
        return f"{self.what}: margin {self.margin:.3g}, {error}"


@dataclass(frozen=True)
class Size:
    """The largest number that a part of the model makes, and the largest that its dtype holds."""

    what: str
    limit: float
    size: float

    @property
    def holds(self) -> bool:
        """Whether every number stays finite."""
        return self.size <= self.limit

    def __str__(self) -> str:
        size = f"numbers up to {self.size:.3g}" if math.isfinite(self.size) else "numbers that have no bound"
        return f"{self.what}: {size}, where {self.limit:.3g} is the largest"


@dataclass(frozen=True)
class Certificate:
    """All decisions of a circuit, and the sizes of the numbers in each of its parts."""

    decisions: tuple[Decision, ...]
    dtype: str = "float32"
    sizes: tuple[Size, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every decision holds, and every number stays finite."""
        return self.overflow is None and all(decision.holds for decision in self.decisions)

    @property
    def overflow(self) -> Size | None:
        """The first part whose numbers the dtype may not hold."""
        return next((size for size in self.sizes if not size.holds), None)

    @property
    def tightest(self) -> Decision:
        """The decision whose error uses up most of its margin."""
        return max(self.decisions, key=lambda decision: decision.tightness)

    def to_json(self) -> dict[str, Any]:
        """The certificate as JSON data. What has no bound is written as null."""
        decisions = [
            {"what": d.what, "margin": d.margin, "error": d.error if math.isfinite(d.error) else None}
            for d in self.decisions
        ]
        sizes = [
            {"what": s.what, "limit": s.limit, "size": s.size if math.isfinite(s.size) else None} for s in self.sizes
        ]
        return {
            "certified": self.ok,
            "dtype": self.dtype,
            "assumptions": list(ASSUMPTIONS),
            "padding": PADDING,
            "tightest": str(self.tightest),
            "decisions": decisions,
            "sizes": sizes,
        }

    def __str__(self) -> str:
        verdict = "certified" if self.ok else "not certified"
        if self.overflow is not None:
            return f"{verdict}; {self.overflow}"
        return f"{verdict}; the tightest of {counted(len(self.decisions), 'decision')} is {self.tightest}"
