"""Neurons: whatever is neither a linear form of operands nor fetched by a head, computed in the best of several ways.

In: an s-op. Out: its `Operand`: a staircase if it has few knots, else whichever is ready first within the context's
`neuron_budget`, or takes the fewest neurons. A staircase is over a pivot: a number, and the s-op as a function of it,
given by its values at finitely many arguments (the pivot's `Curve`).
Invariant: a way that is tried and not taken leaves neurons that nobody reads; `compress` removes them as dead code.

    a and b, of two bits:  0 + 0 x + 1 relu(x - 2) over the number 2a + b
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from compiler.graph.domain import refusal
from compiler.lowering.attention import Operand
from compiler.lowering.builder import Builder
from compiler.lowering.choices import Choices
from compiler.lowering.context import FEW, Context
from compiler.lowering.mlp import Staircase
from compiler.lowering.operations import Operations
from compiler.lowering.pivots import Pivot, Pivots
from compiler.lowering.staircases import Staircases
from compiler.numbers.powers import is_dyadic
from rasp.meaning.sop import SOp
from rasp.text.source import RaspError

_Way: TypeAlias = Callable[[], Operand | None]


class Neurons:
    """Functions that take neurons."""

    def __init__(
        self,
        context: Context,
        builder: Builder,
        pivots: Pivots,
        staircases: Staircases,
        operations: Operations,
        choices: Choices,
    ) -> None:
        self.context = context
        self.builder = builder
        self.pivots = pivots
        self.staircases = staircases
        self.operations = operations
        self.choices = choices

    def computed(self, node: SOp) -> Operand:
        """The best way to compute a function with neurons: a staircase if it has few knots, else whichever is best."""
        stairs = self._stairs(node)
        # staircases over a number that the stream has without further neurons
        direct = [option for option in stairs if all(self.pivots.takes_no_neurons(term) for term, _ in option[1].terms)]
        wanted = stairs if self.context.optimize == "size" else direct
        is_choice = self.choices.applies_to(node)  # then neurons are weighed against layers; else layers come first
        most = max(FEW, 2 * self.context.neurons_per_column) if is_choice else self.context.short_staircase
        if wanted and len(wanted[0][0].knots) <= most:
            return self.staircases.computed(node, *wanted[0])
        since = len(self.builder.neurons)
        ways: list[_Way] = [partial(self.choices.of, node), partial(self.operations.computed, node)]
        ways += [partial(self.staircases.computed, node, *option) for option in direct[:1] + stairs[:1]]
        found = [option for way in ways if (option := self._cost(way, since)) is not None]
        if not stairs and (option := self._cost(partial(self._over_outermost, node, not found), since)) is not None:
            found.append(option)
        return self._worth(found) if is_choice and found else self._best(node, found)

    def _stairs(self, node: SOp) -> list[tuple[Staircase, Pivot]]:
        """The staircases that come to the s-op, those of few neurons first."""
        stairs = [(self.staircases.over(node, pivot), pivot) for pivot in self.pivots.within_limits(node)]
        usable = [s for s in stairs if len(s[0].knots) <= self.context.limits.neurons and self._fits_accumulator(*s)]
        return sorted(usable, key=lambda s: (len(s[0].knots), not is_dyadic(s[1].curve.arguments.unit)))

    def _fits_accumulator(self, stairs: Staircase, pivot: Pivot) -> bool:
        """Whether what the neurons of a staircase add up to is small enough to be exact beside the values (C8)."""
        low, high = pivot.curve.arguments.range
        total = sum(abs(knot.weight) for knot in stairs.knots) * (high - low)
        return total <= self.context.precision.sum_whole / 4

    def _best(self, node: SOp, found: list[tuple[Operand, int]]) -> Operand:
        """What is ready first within the budget of neurons, else what takes the fewest."""
        if not found:
            raise refusal(
                "too-large",
                f"`{self.context.graph.told(node)}` combines its operands in too many ways",
                "round an operand, or compile with a smaller max_length or vocabulary",
                node,
            )
        affordable = [option for option in found if option[1] <= self.context.neuron_budget]
        if affordable:
            return min(affordable, key=lambda option: (option[0].ready, option[1]))[0]
        return min(found, key=lambda option: (option[1], option[0].ready))[0]

    def _worth(self, found: list[tuple[Operand, int]]) -> Operand:
        """What takes the fewest neurons, each layer taken for some."""

        def price(option: tuple[Operand, int]) -> tuple[int, int]:
            operand, neurons = option
            layers = self.builder.slots.layer(self.builder.after_mlp(operand.ready))  # of the first MLP to read it
            return neurons + self.context.neurons_per_layer * layers, operand.ready

        return min(found, key=price)[0]

    def _cost(self, way: _Way, since: int) -> tuple[Operand, int] | None:
        """Try a way: what it makes, and how many neurons that needs of those placed since there were so many.

        What is not chosen is dead code.
        """
        before = len(self.builder.neurons)
        try:
            operand = way()
        except RaspError:
            return None
        if operand is None:
            return None
        if self.context.precision.is_half:
            # each neuron rounds again: what is tried on the way counts, so that one wins
            return operand, len(self.builder.neurons) - before
        return operand, self.builder.needed(operand.form, since)

    def _over_outermost(self, node: SOp, wanted: bool) -> Operand | None:
        """The s-op as a staircase over the outermost number that it is a function of, which neurons compute first.

        None where that sums up to more than is exact, unless it is wanted anyway.
        """
        pivot = self.pivots.outermost(node)
        if pivot is None:
            return None
        stairs = self.staircases.over(node, pivot)
        taken = wanted or self._fits_accumulator(stairs, pivot)
        return self.staircases.computed(node, stairs, pivot) if taken else None
