"""Meaning: what the program in a checkpoint asks for, as tables to hold a model's heads and logits against.

In: the lowered graph of the program. Out: `Meaning`: its counts, its aggregates by what they select, and the truth of
each selector over classes of joint values. With a source there are two: what stands at the keys of cross-attention is
looked up in that of the encoder, whose atoms, the position and the token among them, are others than the decoder's.
Invariants: nothing here comes from the tensors or from the labels; only the language and the analysis are trusted. No
table has atoms of both tapes.

    select(indices, length - 1 - indices, ==)  ->  truth[query class, key class]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, NamedTuple

import numpy as np

from compiler.graph.domain import POSITION, TOKEN, Analysis, Rightmost, args, cone
from compiler.graph.relation import EQUAL, PREDICATE_OF, Compared, Comparison, Conjunction
from compiler.graph.rules import rebuilt
from compiler.graph.specialise import Graph
from compiler.trust.verify.space import MAX_PAIRS, MAX_POINTS, Bits, CannotVerify, Classes, Codes, Space
from rasp.meaning.sop import (
    Aggregate,
    Constant,
    Encoded,
    Lookup,
    Map,
    Node,
    Selector,
    SOp,
    Total,
    Width,
    at_source,
    reachable,
)
from rasp.value import Value


class Cases(NamedTuple):
    """A selector as an `or` of conjunctions, and whether its keys stand on the source, where only the encoder is."""

    any: tuple[Conjunction, ...]
    crosses: bool


@dataclass(frozen=True)
class Relation:
    """Which keys a query selects: classes of the compared s-ops, and a table for each comparison of each case.

    Of these keys it sees all, or the one that comes `last` or `first` (C43).
    """

    cases: Cases
    keys: tuple[SOp, ...]
    queries: tuple[SOp, ...]
    sees: Literal["all", "last", "first"] = "all"


class Meaning:
    """The attention of a graph: what is counted, what is aggregated, by which relations."""

    def __init__(self, graph: Graph, encoder: Meaning | None = None, readers: int | None = None) -> None:
        """`encoder` is that of the source, if there is one; of an encoder itself, `readers` says how many outputs the
        program has: a single one needs all that is encoded, of several nobody asks which needs what."""
        self.graph = graph
        self.encoder = encoder
        self.single = (len(graph.outputs) if readers is None else readers) == 1
        self.shared = readers is not None and readers > 1
        self.analysis: Analysis = graph.analysis
        self._refined = refined(graph)
        self.outputs = {name: _sop(self._refined[node]) for name, node in graph.outputs.items()}
        self.space = Space(graph.analysis, graph.name)
        nodes = reachable([*self.outputs.values()])
        self.sums: list[Width | Total] = [node for node in nodes if isinstance(node, Width | Total)]
        self.groups: dict[Cases, list[Aggregate]] = {}
        for node in nodes:
            if isinstance(node, Aggregate):
                self.groups.setdefault(self.cases(node.selector), []).append(node)
        for group in self.groups.values():
            if len(fetched := self.fetched(group)) > 1:
                self.space.together.append((fetched, self.of_one_key))
        for sums in self._summed():
            self.space.together.append((sums, self.of_sums))
        self._cuts: set[SOp] = set()
        self._classes: dict[SOp, tuple[Classes, tuple[Value, ...]]] = {}
        self._holds: dict[tuple[SOp, SOp, Comparison], tuple[Bits, Bits]] = {}

    def fetched(self, group: Sequence[Aggregate]) -> tuple[Aggregate, ...]:
        """The aggregates of one selector that fetch from one key, on every input on which an output that asks for them
        has an answer: with several outputs, what one of them cannot average may be averaged by another."""
        one = [node for node in group if self.analysis.selects_one(node)]
        return tuple(group if one and self.single else one)

    def needed(self) -> set[Node]:
        """What every output of the program needs: where one of these has no value, none of them has."""
        each = [reachable([output]) for output in self.outputs.values()]
        if self.single:
            return {node for nodes in each for node in nodes}
        return set(each[0]).intersection(*each) if not self.shared else set()

    def of_keys(self, crosses: bool) -> Meaning:
        """The meaning of what stands at keys: that of the encoder where they are the source's."""
        if not crosses:
            return self
        if self.encoder is None:
            raise CannotVerify("the program has no source to look at")
        return self.encoder

    def variables(self, node: SOp) -> set[SOp]:
        """The atoms of an s-op, on the tape that it stands on."""
        return set(self.of_keys(node.encoded).analysis.variables(at_source(node)))

    def _summed(self) -> list[tuple[SOp, ...]]:
        """The counts and the sums over keys that are chosen from the same ones, where there are several."""
        groups: dict[object, list[SOp]] = {}
        for node in self.sums:
            groups.setdefault(self.analysis.counted_among(node), []).append(node)
        return [tuple(group) for group in groups.values() if len(group) > 1]

    def of_sums(self, nodes: tuple[SOp, ...]) -> Bits:
        """Which joint values a count and sums over one selector can have: what so many keys add up to."""
        shape = self.space.shape(nodes)
        rows = self.analysis.joint(nodes)
        if rows is None:
            return np.ones(shape, dtype=np.bool_)
        found = np.zeros(shape, dtype=np.bool_)
        places = [{value: i for i, value in enumerate(self.space.values(node))} for node in nodes]
        found[tuple([place[x] for x in column] for place, column in zip(places, rows.T.tolist(), strict=True))] = True
        return found

    def of_one_key(self, nodes: tuple[SOp, ...]) -> Bits:
        """Which joint values aggregates of one selector can have: all are of the one selected key, or the defaults."""
        found = np.zeros(self.space.shape(nodes), dtype=np.bool_)
        group = [node for node in nodes if isinstance(node, Aggregate)]
        sides = [self.classes(node.value) for node in group]
        places = [{value: i for i, value in enumerate(self.space.values(node))} for node in group]
        _, members = self.of_keys(group[0].selector.encoded).space.joint([classes for classes, _ in sides])
        rows = [
            np.array([place.get(value, -1) for value in values], dtype=np.int64)[codes]
            for place, (_, values), codes in zip(places, sides, members, strict=True)
        ]
        kept = np.logical_and.reduce([row >= 0 for row in rows])
        found[tuple(row[kept] for row in rows)] = True
        if not self.analysis.never_empty(group[0].selector):
            found[tuple(place[node.default] for place, node in zip(places, group, strict=True))] = True
        return found

    def cases(self, selector: Selector) -> Cases:
        """The selector as an `or` of conjunctions."""
        cases = tuple(self.analysis.disjuncts(selector))
        if any(case.crosses != selector.encoded for case in cases):
            raise CannotVerify("a selector looks at both tapes")
        return Cases(cases, selector.encoded)

    def nowhere(self, cases: Cases) -> Fraction | None:
        """The position that a query may ask for in vain, if it finds whatever else it asks for (C47)."""
        found = self.analysis.nowhere(cases.any[0]) if len(cases.any) == 1 else None
        key = self.analysis.linear(cases.any[0].parts[0][0]) if found is not None else None
        return None if found is None or key is None else found - key.get(None, Fraction(0))

    def relation(self, cases: Cases) -> Relation:
        """The relation of some cases."""
        parts = [part for case in cases.any for part in case.parts]
        on_tapes = [key.encoded == cases.crosses or isinstance(key, Constant) for key, _, _ in parts]
        if not all(on_tapes) or any(query.encoded for _, query, _ in parts):
            raise CannotVerify("a selector compares what does not stand where its keys and queries do")
        return Relation(
            cases,
            tuple(dict.fromkeys(key for key, _, _ in parts)),
            tuple(dict.fromkeys(query for _, query, _ in parts)),
        )

    def relations(self, cases: Cases) -> list[Relation]:
        """The relation of some cases, and the same with what all queries have in common asked of each key (C37)."""
        found = tuple(Conjunction(tuple(map(self._at_keys, case.parts)), case.crosses) for case in cases.any)
        moved = Cases(found, cases.crosses)
        ends = [self.analysis.rightmost(case) for case in cases.any] if len(cases.any) == 1 else []
        told = [self._of_end(end) for end in ends if end is not None]
        return [*told, self.relation(cases)] + ([self.relation(moved)] if moved != cases else [])

    def _of_end(self, end: Rightmost) -> Relation:
        """Of the keys of a simpler case the one at an end: they are told apart by their positions."""
        found = self.relation(Cases((end.among,), crosses=False))
        keys = tuple(dict.fromkeys((*found.keys, POSITION)))
        return replace(found, keys=keys, sees="first" if end.first else "last")

    def _at_keys(self, part: Compared) -> Compared:
        key, query, how = part
        if key.encoded or len(how - EQUAL) != 1 or not self.analysis.variables(query):
            return part
        if not self.analysis.is_uniform(query):
            return part
        return Map(PREDICATE_OF[how], (key, query)), Constant(True), EQUAL

    def classes(self, node: SOp) -> tuple[Classes, tuple[Value, ...]]:
        """An s-op's value at each joint value of what it is a function of; undefined is "cannot occur".

        That is its variables, and what has been `cut`. Where their joint values are too many, the s-op is an atom: what
        it is computed from is not told.
        """
        if node.encoded:
            return self.of_keys(True).classes_of_read(at_source(node))
        if node not in self._classes:
            leaves = self._leaves(node)
            known = self.space.points([leaves]) <= MAX_POINTS
            self._classes[node] = self._tabulated(node, leaves) if known else self._alone(node)
        return self._classes[node]

    def classes_of_read(self, node: SOp) -> tuple[Classes, tuple[Value, ...]]:
        """The same of an s-op that a decoder reads, which has it as the graph does."""
        for one in reachable([node], self._refined.__contains__):
            self._refined[one] = rebuilt(one, self._refined)
        return self.classes(_sop(self._refined[node]))

    def cut(self, node: SOp) -> None:
        """Take an s-op that a column is a function of for an atom, if its variables have too many joint values."""
        if self.space.points([self.analysis.variables(node)]) > MAX_POINTS:
            self._cuts.add(node)
            self._classes.clear()
            self._holds.clear()  # whose axes are the values of classes

    def _leaves(self, node: SOp) -> tuple[SOp, ...]:
        """What an s-op is seen as a function of: itself if it is cut."""
        if node in self._cuts:
            return (node,)
        found: dict[SOp, None] = {}
        for one in cone(node, self._cuts):
            if isinstance(one, Map | Lookup):
                found |= dict.fromkeys(arg for arg in args(one) if arg in self._cuts)
            else:
                found |= dict.fromkeys(self.analysis.variables(one))
        return tuple(found)

    def _tabulated(self, node: SOp, leaves: tuple[SOp, ...]) -> tuple[Classes, tuple[Value, ...]]:
        whole = self._cuts.isdisjoint(leaves)
        leaves = self.analysis.variables(node) if whole else leaves
        table = self.analysis.full_table(node) if whole else self.analysis.table_over(node, leaves)
        atoms = self.space.union([leaves])
        codes = np.broadcast_to(table.codes, [len(self.space.values(leaf)) for leaf in leaves]).astype(np.int64)
        codes = codes.transpose([leaves.index(atom) for atom in atoms])
        undefined = [code for code, value in enumerate(table.values) if value is None]
        codes = np.where(np.isin(codes, undefined), -1, codes) if undefined else codes
        values = tuple(0 if value is None else value for value in table.values)
        return Classes(atoms, codes, len(values)), values

    def _alone(self, node: SOp) -> tuple[Classes, tuple[Value, ...]]:
        values = tuple(self.space.values(node))
        return Classes((node,), np.arange(len(values)), len(values)), values

    def truth(self, relation: Relation, queries: Sequence[Codes], keys: Sequence[Codes]) -> tuple[Bits, Bits]:
        """[query, key]: whether the relation holds, and whether the program has no answer where the two meet."""
        shape = (len(queries[0]) if queries else 1, len(keys[0]) if keys else 1)
        found, undefined = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
        for case in relation.cases.any:
            all_hold = np.ones(shape, dtype=np.bool_)
            for key, query, comparison in case.parts:
                holds, fails = self._compared(key, query, comparison)
                pick = np.ix_(queries[relation.queries.index(query)], keys[relation.keys.index(key)])
                all_hold &= holds[pick]
                undefined |= fails[pick]
            found |= all_hold
        return found & ~undefined, undefined

    def agreement(
        self, relation: Relation, queries: Sequence[Classes], keys: Sequence[Classes]
    ) -> tuple[Bits, Bits, list[Codes], list[Codes]]:
        """Truth of a relation over joint classes of its own s-ops and of others; the others' class in each."""
        asked = [self.classes(node)[0] for node in relation.queries]
        offered = [self.classes(node)[0] for node in relation.keys]
        _, q = self.space.joint([*queries, *asked])
        _, k = self.of_keys(relation.cases.crosses).space.joint([*keys, *offered])
        wide, high = len(q[0]), len(k[0])
        if wide * high > MAX_PAIRS:
            raise CannotVerify(f"{wide} queries times {high} keys are more than {MAX_PAIRS} pairs")
        truth, undefined = self.truth(relation, q[len(queries) :], k[len(keys) :])
        shape = (wide, high)
        return np.broadcast_to(truth, shape), np.broadcast_to(undefined, shape), q[: len(queries)], k[: len(keys)]

    def _compared(self, key: SOp, query: SOp, comparison: Comparison) -> tuple[Bits, Bits]:
        """[query value, key value]: whether the comparison holds, and whether it is undefined."""
        if (key, query, comparison) not in self._holds:
            keys, queries = self.classes(key)[1], self.classes(query)[1]
            ranks = _ranks([*keys, *queries])
            k, q = ranks[: len(keys)][None, :], ranks[len(keys) :][:, None]
            holds = np.zeros((len(queries), len(keys)), dtype=np.bool_)
            for sign, one in (("<", k < q), ("=", k == q), (">", k > q)):
                if sign in comparison:
                    holds |= one
            names = np.array([isinstance(value, str) for value in (*keys, *queries)])
            mixed = names[: len(keys)][None, :] != names[len(keys) :][:, None]
            ordered = not comparison >= {"<", ">"} and bool(comparison & {"<", ">"})
            if comparison >= {"<", ">"}:
                holds |= mixed
            self._holds[key, query, comparison] = holds & ~(mixed & ordered), mixed & ordered
        return self._holds[key, query, comparison]


def _ranks(values: Sequence[Value]) -> Codes:
    """Places among the values in ascending order, equal ones alike; numbers come before strings."""
    numbers = sorted({Fraction(value) for value in values if not isinstance(value, str)})
    rank: dict[Fraction | str, int] = {value: place for place, value in enumerate(numbers)}
    for text in sorted({value for value in values if isinstance(value, str)}):
        rank[text] = len(rank)
    return np.array([rank[v if isinstance(v, str) else Fraction(v)] for v in values], dtype=np.int64)


def refined(graph: Graph) -> dict[Node, Node]:
    """What becomes of each node, where an aggregate of a constant over an `or` asks for each of its cases alone.

    It is found where any case selects a key: ``c if (found_1 > 0 or found_2 > 0) else default``.
    """
    new: dict[Node, Node] = {}
    for node in graph.nodes:
        made = rebuilt(node, new)
        if isinstance(made, Aggregate) and len(graph.analysis.domain(made.value)) == 1:
            cases = graph.analysis.disjuncts(made.selector)
            if len(cases) > 1:
                made = _any_of(cases, graph.analysis.domain(made.value).values[0], made.default)
        new[node] = made
    return new


def _any_of(cases: Sequence[Conjunction], value: Value, default: Value) -> SOp:
    found: SOp = Constant(False)
    for case in cases:
        one: SOp = Encoded(Constant(1)) if case.crosses else Constant(1)
        count = Aggregate(case.selector(), one, 0)
        found = Map("or", (found, Map(">", (count, Constant(0)))))
    return Map("if", (found, Constant(value), Constant(default)))


def _sop(node: Node) -> SOp:
    assert isinstance(node, SOp)
    return node


def token_order(meaning: Meaning, vocabulary: Sequence[str]) -> list[int]:
    """For each value of the token's axis, its row of the embedding."""
    place = {text: row for row, text in enumerate(vocabulary)}
    return [place[str(text)] for text in meaning.space.values(TOKEN)]
