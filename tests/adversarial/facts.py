"""What the analysis believes, held against the interpreter: domains, forms, tables, and facts about rows.

In: a graph, and inputs that are meant, on which it has an answer. Out: every belief that one of them contradicts.
Invariant: nothing of the compiler's own tables is used to say what is true; values are compared by value.

    "the domain of x lacks 2.5"
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain

from compiler.graph.domain.linear import Terms
from compiler.graph.specialise import Graph
from rasp import RaspError
from rasp.meaning.interpreter import Run
from rasp.meaning.operators import show
from rasp.meaning.sop import Aggregate, Selector, SOp
from rasp.value import Value

MOST_POINTS = 2_000
"""Joint values up to which a table is looked at."""


def false_beliefs(graph: Graph, inputs: Sequence[tuple[Value, ...]]) -> Iterator[str]:
    """What the analysis of a graph says of its s-ops and selectors, and is not so on one of these inputs."""
    run = Run(chain.from_iterable(inputs), graph.setting.causal, lengths=[len(tokens) for tokens in inputs])
    run.compute(graph.outputs.values())
    for node in graph.nodes:
        about = _of_an_sop(graph, node, run) if isinstance(node, SOp) else _of_a_selector(graph, node, run)
        try:
            yield from (f"{graph.name(node)}: {belief}" for belief in about)
        except RaspError:  # the analysis declines, and so does the compiler where it needs to know
            continue


def _of_an_sop(graph: Graph, node: SOp, run: Run) -> Iterator[str]:
    values, analysis = run.values[node], graph.analysis
    domain = analysis.domain(node)
    if lacking := set(values) - set(domain):
        yield f"the domain lacks {show(_first(lacking))}"
    if isinstance(node, Aggregate):
        yield from _of_an_aggregate(graph, node, run)
    if (form := analysis.linear(node)) is not None:
        yield from _of_a_form(graph, form, run, values)
    yield from _of_a_table(graph, node, run)


def _of_a_form(graph: Graph, form: Terms, run: Run, values: list[Value]) -> Iterator[str]:
    columns = [(run.values.get(var, []) if var else [1] * run.n, factor) for var, factor in form.items()]
    if not all(column for column, _ in columns) or any(
        isinstance(value, str) for column, _ in columns for value in column
    ):
        return
    numbers = [sum((Fraction(column[at]) * factor for column, factor in columns), Fraction(0)) for at in range(run.n)]
    if numbers != values:
        yield "the linear form is another number"
    low, high = graph.analysis.bounds(form)
    if not low <= min(numbers) <= max(numbers) <= high:
        yield f"the linear form leaves its bounds, {low} to {high}"


def _of_a_table(graph: Graph, node: SOp, run: Run) -> Iterator[str]:
    variables = graph.analysis.variables(node)
    within = variables and all(var in run.values for var in variables)
    if not within or graph.analysis.count_points(variables) > MOST_POINTS:
        return
    table = dict(graph.analysis.table(node))
    found = dict(zip(zip(*(run.values[var] for var in variables), strict=True), run.values[node], strict=True))
    for point, value in found.items():
        if point not in table:
            yield f"the table lacks the point {', '.join(map(show, point))}"
            return
        if table[point] != value:
            yield f"the table has {show(table[point])}, not {show(value)}, at {', '.join(map(show, point))}"
            return


def _of_an_aggregate(graph: Graph, node: Aggregate, run: Run) -> Iterator[str]:
    rows, values, own = run.seen(node.selector), run.values[node.value], run.values[node]
    starts = [part.start for part in run.parts for _ in range(part.stop - part.start)]
    if graph.analysis.selects_one(node) and any(row & (row - 1) for row in rows):
        yield "it selects two keys, and is thought to select one"
    if graph.analysis.picks(node):
        for row, start, value in zip(rows, starts, own, strict=True):
            selected = {values[start + key] for key in range(row.bit_length()) if row >> key & 1}
            if row and value not in selected:
                yield f"it averages to {show(value)}, and is thought to pick a value"
                return


def _of_a_selector(graph: Graph, node: Selector, run: Run) -> Iterator[str]:
    rows, analysis = run.seen(node), graph.analysis
    cases = analysis.disjuncts(node)
    if analysis.never_empty(node) and not all(rows):
        yield "a row is empty, and is thought never to be"
    if analysis.at_most_one(node) and any(row & (row - 1) for row in rows):
        yield "a row selects two keys, and is thought to select at most one"
    together = [0] * run.n
    for case in cases:
        selector = case.selector()
        run.compute([selector])
        together = [a | b for a, b in zip(together, run.seen(selector), strict=True)]
        if analysis.unique(case) and any(row & (row - 1) for row in run.seen(selector)):
            yield f"the case {case} selects two keys, and is thought to select at most one"
        if analysis.surely_matches(case) and not all(run.seen(selector)):
            yield f"the case {case} selects nothing, and is thought to select a key"
    if together != rows:
        yield "its cases together select other keys"


def _first(values: set[Value]) -> Value:
    return min(values, key=lambda value: (isinstance(value, str), value))
