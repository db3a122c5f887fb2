"""The context: what is to be lowered, for whom, and which numbers stand for the values of its s-ops.

In: a graph, what is optimised, a policy against rounding, an arithmetic. Out: `Context`, which every part of
the lowering asks; it knows the values of s-ops and nothing of what has been placed.
Invariants: numbers stand for themselves in a numeric domain, which has no strings, and wherever they are averaged.

    tokens over "abc": a, b, c are -1, 0, 1;  indices: 0, 1, 2 are 0, 1, 2;  means of 1, 2 and "a": "a" is 3
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

from compiler.graph.specialise import Graph
from compiler.lowering.codes import Codes
from compiler.lowering.policy import Policy
from compiler.numbers.precision import Precision
from rasp.meaning.sop import Aggregate, Lookup, Node, SOp
from rasp.value import Value

SHORT_STAIRCASE = {"depth": 64, "balanced": 64, "size": 8}
"""A staircase of at most this many neurons is taken without looking for anything else, by what is optimised."""
NEURON_BUDGET = {"depth": 1 << 20, "balanced": 512, "size": 0}
"""A cap: the neurons that an s-op may cost to be ready earlier, by what is optimised."""
NEURONS_PER_LAYER = {"depth": 1 << 20, "balanced": 32, "size": 0}
"""A price: the neurons that a layer counts as, where ways to compute a choice or comparison are weighed."""
FEW = 4
"""A staircase of at most this many neurons is taken at once where something else may take fewer."""
PARAMETERS_PER_NEURON = 32
"""The weights that a neuron reads and writes with, in a stream of a common size."""

Numbered: TypeAlias = tuple[tuple[Value, Fraction], ...]
"""The values of a domain, each with the number that stands for it."""


class Context:
    """A graph to be lowered, and how; what is known of the values of its s-ops."""

    def __init__(self, graph: Graph, optimize: str, policy: Policy, precision: Precision) -> None:
        self.graph = graph
        self.optimize = optimize
        self.precision = precision
        self.whole = policy.whole and precision.counts_need_offset  # the policy, where the arithmetic has a use for it
        self.ranked = policy.ranked
        self.coarse = policy.coarse
        self.tabled = policy.tabled
        self.keeps_numbers = policy.running
        self.analysis = graph.analysis
        self.limits = graph.setting.limits
        self.own = frozenset(graph.nodes)  # what the program has; lowering makes others on the way
        self.has_several_outputs = len(graph.outputs) > 1  # one may have an answer where another has none
        self.codes = Codes(graph.setting.texts)
        self._numbered: dict[SOp, tuple[Numbered, SOp]] = {}

    @property
    def short_staircase(self) -> int:
        """How many neurons a staircase has at most that is taken at once."""
        return SHORT_STAIRCASE[self.optimize]

    @property
    def neuron_budget(self) -> int:
        """How many neurons an s-op may cost to be ready earlier."""
        return NEURON_BUDGET[self.optimize]

    @property
    def neurons_per_layer(self) -> int:
        """How many neurons a layer counts as, where ways to compute a choice or comparison are weighed."""
        return NEURONS_PER_LAYER[self.optimize]

    @cached_property
    def neurons_per_column(self) -> int:
        """How many neurons have as many parameters as a column, of which the embedding and the unembedding have a row
        for each token, position and answer."""
        answers = [self.analysis.domain_if_any(node) for node in self.graph.outputs.values()]
        rows = sum(len(domain) for domain in answers if domain is not None)
        return (len(self.graph.setting.texts) + self.graph.setting.max_length + rows) // PARAMETERS_PER_NEURON

    def numbered(self, node: SOp) -> tuple[Numbered, SOp]:
        """The domain with the number that stands for each value, and the s-op that takes these numbers.

        That s-op, the node itself if it is numeric, is called the `coded` one.
        """
        if node not in self._numbered:
            domain = self.analysis.domain(node)
            if domain.numeric:
                self._numbered[node] = tuple(zip(domain.values, domain.numbers, strict=True)), node
            elif isinstance(node, Aggregate) and not self.analysis.picks(node):
                self._numbered[node] = self._with_strings_beyond(node)
            else:
                self._numbered[node] = tuple((v, self.codes[v]) for v in domain), self.codes.of(node, domain)
        return self._numbered[node]

    def _with_strings_beyond(self, node: Aggregate) -> tuple[Numbered, SOp]:
        """An aggregate that fetches strings and averages numbers: strings are coded by numbers above all of these."""
        domain, value = self.analysis.domain(node), self.analysis.domain(node.value)
        both = dict.fromkeys([*domain, *value])
        beyond = itertools.count(math.floor(max(x for x in both if not isinstance(x, str))) + 1)
        codes = {x: Fraction(next(beyond) if isinstance(x, str) else x) for x in both}
        at_key = node.value if value.numeric else Lookup(tuple((x, codes[x]) for x in value), node.value)
        found = Aggregate(node.selector, at_key, codes.get(node.default, Fraction(0)))
        if found not in self.own:
            self.analysis.coded(found, node, codes)
        return tuple((x, codes[x]) for x in domain), found

    def range(self, node: SOp) -> tuple[Fraction, Fraction]:
        """The least and the greatest number that an s-op can be."""
        return self.analysis.domain(node).ends

    def all_numeric(self, *nodes: SOp) -> bool:
        """Whether the s-ops have no values but numbers."""
        return all(self.analysis.domain(node).numeric for node in nodes)

    def is_bit(self, node: SOp) -> bool:
        """Whether an s-op is 0 or 1."""
        return self.all_numeric(node) and set(self.analysis.domain(node)) <= {0, 1}

    def has_several_readers(self, node: SOp) -> bool:
        """Whether several s-ops of the program read the s-op, so that it is computed anyway."""
        return self._readers[node] > 1

    @cached_property
    def _readers(self) -> Counter[Node]:
        return Counter(part for node in self.graph.nodes for part in dict.fromkeys(node.inputs))

    def as_bit(self, node: SOp) -> SOp:
        """The s-op as a bit, its truth value: whether it is neither 0 nor the empty string."""
        if self.is_bit(node):
            return node
        return Lookup(tuple((value, bool(value)) for value in self.analysis.domain(node)), node)
