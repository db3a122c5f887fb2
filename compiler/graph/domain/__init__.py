"""Domains: which values an s-op can take at all, at a given vocabulary and length.

In: s-ops and a `Setting`. Out: `Domain`, a finite set of exact values, sorted; and tables of an s-op over the
*variables* it is computed from: the token, the position, and what attention returned.
Invariants: a domain is sound (never too small), not always tight. It is relational: everything computed position by
position from the same variables is tabulated over their joint values, so ten ternaries on `tokens` are one function of
the token; the position is below the length (docs/constructions.md, C12).

Where to look: `setting` says what a compilation is for, and how it declines; `values` is a domain by itself. An
`analysis` answers all questions, with the help of `variables`, `linear` forms, `tables`, `rows` of selectors, and
`domains`, in which these meet.

    >>> from rasp.meaning.sop import Constant, Indices, Map
    >>> setting = Setting(("a", "b"), max_length=3, causal=False)
    >>> print(Analysis(setting).domain(Map("*", (Indices(), Constant(2)))))
    {0, 2, 4}
"""

from __future__ import annotations

from compiler.graph.domain.analysis import Analysis
from compiler.graph.domain.linear import summands
from compiler.graph.domain.rightmost import Rightmost
from compiler.graph.domain.rows import Interval
from compiler.graph.domain.setting import Limits, Refusal, Setting, nothing_meant, refusal
from compiler.graph.domain.values import Domain
from compiler.graph.domain.variables import LENGTH, POSITION, TOKEN, args, bounded, cone, is_length

__all__ = [
    "LENGTH",
    "POSITION",
    "TOKEN",
    "Analysis",
    "Domain",
    "Interval",
    "Limits",
    "Refusal",
    "Rightmost",
    "Setting",
    "args",
    "bounded",
    "cone",
    "is_length",
    "nothing_meant",
    "refusal",
    "summands",
]
