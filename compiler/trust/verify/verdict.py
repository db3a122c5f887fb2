"""Verdicts: what a verification says of a model.

In: the decisions that were found, the settings that were verified, the problem that ended the search. Out: `Verdict`.
Invariant: verified is what has decisions, all of which hold, and no problem.

    verified: 12 decisions hold; the tightest: output hist, nearest value: margin 32, error 0.0068
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from compiler.circuit.certificate import ASSUMPTIONS, PADDING, Certificate
from compiler.trust.verify.beliefs import Tried
from rasp.text.source import counted


@dataclass(frozen=True)
class Verdict:
    """What was found: every decision with its margin and error, or the problem that stopped the search."""

    certificate: Certificate
    settings: dict[str, Any]
    problem: str = ""
    tried: Tried | None = None

    @property
    def ok(self) -> bool:
        """Whether the model surely gives the interpreter's answers."""
        return not self.problem and bool(self.certificate.decisions) and self.certificate.ok

    @property
    def reason(self) -> str:
        """Why it is not verified; empty if it is."""
        if self.ok:
            return ""
        failing = [decision for decision in self.certificate.decisions if not decision.holds]
        return self.problem or (f"{failing[0]}" if failing else "the model decides nothing")

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON data."""
        found: dict[str, Any] = {"verified": self.ok, "reason": self.reason or None, "settings": self.settings}
        found["tried"] = None if self.tried is None else self.tried.to_json()
        if self.certificate.decisions:
            return found | {k: v for k, v in self.certificate.to_json().items() if k != "certified"}
        return found | {"dtype": self.certificate.dtype, "assumptions": list(ASSUMPTIONS), "decisions": []}

    def shown(self, everything: bool = False) -> str:
        """The verdict and the inputs it is about, in a few lines; every decision too, if wanted."""
        lines = [str(self), f"for {', '.join(self.settings['output'])} on {self._inputs()}"]
        if everything:
            lines += [f"  {decision}" for decision in self.certificate.decisions]
        if self.ok:
            lines.append(f"in {self.certificate.dtype}, assumed: " + "; ".join(ASSUMPTIONS))
            lines.append(f"in batches of several lengths too: {PADDING}")
            lines.append(str(self.tried))
        return "\n".join(lines)

    def _inputs(self) -> str:
        """The inputs that it is about, in words."""
        about = self.settings
        own, meant = _tokens(about["max_length"], about["vocab"]), ""
        if about["requires"]:
            meant = f", where {', '.join(about['requires'])}"
        if "source" not in about:
            return f"inputs of {own}, {about['attention']}{meant}"
        target = f"targets of {own}, {about['start']} in front"
        return f"sources of {_tokens(about['max_source'], about['source'])}, and {target}{meant}"

    def __str__(self) -> str:
        if not self.ok:
            return f"NOT verified: {self.reason}"
        count = len(self.certificate.decisions)
        hold = "holds" if count == 1 else "hold"
        return f"verified: {counted(count, 'decision')} {hold}; the tightest: {self.certificate.tightest}"


def _tokens(longest: int, vocabulary: Sequence[str]) -> str:
    """So many of which tokens, the first of them by name."""
    shown = " ".join(vocabulary[:12]) + (" ..." if len(vocabulary) > 12 else "")
    return f"1 to {longest} of the {counted(len(vocabulary), 'token')} {shown}"
