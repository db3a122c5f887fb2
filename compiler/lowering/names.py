"""Names: what directions, heads and neurons are called, for people.

In: s-ops of a graph. Out: `Names`: a label for each, and what a head selects in words.
Invariant: names decide nothing; two s-ops may have one label (a `Builder` tells their directions apart).

    tokens=a    depth >= 2    (indices)^2    positions where its tokens = my tokens
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from compiler.graph.relation import Conjunction, symbol
from compiler.graph.specialise import Graph
from compiler.numbers.exact import counts
from rasp.meaning.sop import Lookup, Map, Node, SOp, at_source
from rasp.value import Value


class Names:
    """Labels of the s-ops of a graph, and titles for those that are made on the way."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.titles: dict[Node, str] = {}
        self._stands: dict[SOp, SOp] = {}

    def entitle(self, node: SOp, title: str) -> None:
        """Give an s-op that no program has named a title, if it has none yet."""
        self.titles.setdefault(node, title)

    def stands(self, node: SOp, other: SOp) -> None:
        """Note that an s-op made on the way has the values of another one, after which it is called."""
        self._stands.setdefault(node, self.meant(other))

    def meant(self, node: SOp) -> SOp:
        """The s-op that one made on the way stands for; itself, for any other."""
        return self._stands.get(node, node)

    def label(self, node: SOp) -> str:
        """What a direction, a head or a neuron of the s-op is called."""
        if node in self.titles:
            return self.titles[node]
        if node in self._stands:
            return self.label(self._stands[node])
        match node:
            case Map(op="*", args=(a, b)) if a is b:
                return f"({self.label(a)})^2"
            case Lookup(table=table, arg=arg) if node not in self.graph.names:
                chosen = all(value in (0, 1) for _, value in table)
                return self.label(arg) + (_members(table) if chosen else "")
        return self.graph.name(node)

    def selected(self, cases: Sequence[Conjunction]) -> str:
        """Which positions a head selects, in words."""
        return " or ".join(self._in_words(case) for case in cases)

    def _in_words(self, case: Conjunction) -> str:
        compared = [f"its {self._at_key(key)} {symbol(c)} my {self._named(query)}" for key, query, c in case.parts]
        constant = [not self.graph.analysis.variables(query) for _, query, _ in case.parts]
        words = [
            w.replace(" my ", " ") if is_constant else w for w, is_constant in zip(compared, constant, strict=True)
        ]
        positions = "positions of the source" if case.crosses else "positions"
        return f"{positions} where " + " and ".join(words) if words else f"all {positions}"

    def _at_key(self, node: SOp) -> str:
        encoder = self.graph.encoder
        return self._named(node) if encoder is None or not node.encoded else encoder.name(at_source(node))

    def _named(self, node: SOp) -> str:
        return self.label(node) if node in self._stands else self.titles.get(node) or self.graph.name(node)


def _members(table: Sequence[tuple[Value, Value]]) -> str:
    """Which values a table chooses, as short as that can be said."""
    members = [key for key, value in table if value]
    if len(members) == 1:
        return f"={members[0]}"
    keys = [key for key, _ in table if not isinstance(key, str)]
    if 1 < len(members) < len(keys) == len(table):
        numbers, common = counts(keys)
        chosen = [number for number, (_, value) in zip(numbers, table, strict=True) if value]
        least, greatest = min(chosen), max(chosen)
        if sum(number >= least for number in numbers) == len(chosen):
            return f" >= {Fraction(least, common)}"
        if sum(number <= greatest for number in numbers) == len(chosen):
            return f" <= {Fraction(greatest, common)}"
    shown = [str(key) for key in (members if len(members) <= 4 else members[:3])]
    return f" in {{{','.join([*shown, f'{len(members) - 3} more'] if len(members) > 4 else shown)}}}"
