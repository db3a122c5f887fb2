"""Sums over keys: what heads add up, over heads and layers, named after a count, a total or a pick of the program.

In: the `Sum`s that one column has collected, the `Meaning` of the program. Out: the `Known` that they are together.
Invariant: together they give each selected key the same multiple of what it counts for, and other keys nothing, but for
what is returned as an error.

    0.5 where a key is before, 0.5 where it is behind  ->  0.5 selector_width(others)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compiler.graph.domain.variables import LENGTH, POSITION
from compiler.trust.verify.columns import Sum
from compiler.trust.verify.meaning import Meaning, Relation
from compiler.trust.verify.space import Bits, CannotVerify, Classes, Codes, Known, Reals
from rasp.meaning.sop import Aggregate, Constant, Total, Width


def named(meaning: Meaning, sums: Sequence[Sum]) -> tuple[Known, float] | None:
    """The sums together, as a multiple of a count or total or as what an aggregate picks, and how far they are off."""
    crosses = sums[0].crosses
    if any(one.crosses != crosses for one in sums):
        return None
    atoms = {atom for one in sums for atom in (*one.queries.atoms, *one.keys.atoms)}
    nodes: list[Width | Total | Aggregate] = [*meaning.sums]
    nodes += [node for group in meaning.groups.values() for node in group if meaning.analysis.selects_one(node)]
    candidates = [node for node in nodes if node.selector.encoded == crosses]

    def distance(node: Width | Total | Aggregate) -> int:
        relation = meaning.relation(meaning.cases(node.selector))
        variables = {a for one in (*relation.queries, *relation.keys) for a in meaning.variables(one)}
        return len(atoms ^ variables)

    for node in sorted(candidates, key=distance):
        for relation in meaning.relations(meaning.cases(node.selector)):
            try:
                found = _is(meaning, sums, node, relation)
            except CannotVerify:
                continue
            if found is not None:
                return found
    return None if crosses else _of_places(meaning, sums)


def _of_places(meaning: Meaning, sums: Sequence[Sum]) -> tuple[Known, float] | None:
    """What all keys are selected for, each with a number of its place: a function of the length of their tape."""
    longest = meaning.analysis.setting.max_length
    given = np.zeros(longest)
    for one in sums:
        if one.kind != "sum" or not one.selected.all() or one.weight.atoms not in ((), (POSITION,)):
            return None
        given += np.broadcast_to(one.weight.table, (longest,))
    return Known((LENGTH,), np.cumsum(given)), 0.0


def _is(
    meaning: Meaning, sums: Sequence[Sum], node: Width | Total | Aggregate, relation: Relation
) -> tuple[Known, float] | None:
    if isinstance(node, Aggregate):
        return _one_of(meaning, sums, node, relation)
    return _added(meaning, sums, node, relation)


def _weights(
    meaning: Meaning, sums: Sequence[Sum], relation: Relation, more: Sequence[Classes]
) -> tuple[Bits, Bits, list[Bits], Reals, list[Codes]]:
    """Truth, undefined, what each sum selects, and what all give, [query, key]; the classes of `more` at the keys."""
    sides = [meaning.space.classes(one.weight) for one in sums]
    truth, undefined, q, k = meaning.agreement(
        relation,
        [one.queries for one in sums],
        [*(one.keys for one in sums), *(classes for classes, _ in sides), *more],
    )
    count = len(sums)
    selected = [one.selected[np.ix_(a, b)] for one, a, b in zip(sums, q, k, strict=False)]
    weights = [numbers[code] for (_, numbers), code in zip(sides, k[count:], strict=False)]
    given = sum((s * w[None, :] for s, w in zip(selected, weights, strict=True)), np.zeros(truth.shape))
    return truth, undefined, selected, given, k[2 * count :]


def _added(
    meaning: Meaning, sums: Sequence[Sum], node: Width | Total, relation: Relation
) -> tuple[Known, float] | None:
    """Weights that are a multiple of the number that each key counts for, and 0 at other keys."""
    if any(one.kind != "sum" for one in sums):
        return None
    classes, values = meaning.classes(node.value if isinstance(node, Total) else Constant(1))
    truth, undefined, _, given, (codes,) = _weights(meaning, sums, relation, [classes])
    wanted = np.broadcast_to(np.array([float(v) for v in values])[codes], truth.shape) * truth
    at = np.unravel_index(int(np.abs(wanted).argmax()), wanted.shape)
    if wanted[at] == 0.0:
        return None
    factor = float(round(float(given[at] / wanted[at]) * 2**10)) / 2**10
    if factor == 0.0:
        return None
    missed = float(np.abs(np.where(undefined, 0.0, given - factor * wanted)).max())
    if missed > abs(factor) / 16:
        return None
    table = factor * np.array([float(v) for v in meaning.space.values(node)])
    return Known((node,), table), missed * sums[0].longest


def _one_of(meaning: Meaning, sums: Sequence[Sum], node: Aggregate, relation: Relation) -> tuple[Known, float] | None:
    """Heads of which one at most finds a key, together: the one that the aggregate picks."""
    classes, values = meaning.classes(node.value)
    truth, undefined, selected, given, (codes,) = _weights(meaning, sums, relation, [classes])
    inside = truth | undefined
    if any((one & ~inside).any() for one in selected):
        return None
    place = {v: i for i, v in enumerate(meaning.space.values(node))}
    table = np.full(len(place), np.nan)
    for code, value in enumerate(values):
        held = given[:, codes == code][truth[:, codes == code]]
        if len(held):
            if held.min() != held.max() or value not in place:
                return None
            table[place[value]] = held[0]
    if not meaning.analysis.never_empty(node.selector):
        empty = place.get(node.default, -1)
        if empty < 0 or not (np.isnan(table[empty]) or table[empty] == 0.0):
            return None
        table[empty] = 0.0
    return meaning.space.known((node,), table, 0.0), 0.0
