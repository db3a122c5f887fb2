"""Variables: the named s-ops that can be read off the stream without further work.

In: the names of a graph, and what has been read on the way to the outputs. Out: `Variable`s, for people and tools.
Invariant: nothing is placed for a variable; from the time it is ready on, its form is the number of its value.

    length: length, from time 1 on;   tokens: tokens=a + 2 tokens=b, which is 0 for the third token
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from compiler.circuit.circuit import Variable
from compiler.lowering.attention import Operand
from compiler.lowering.context import Context
from compiler.lowering.lines import sides
from compiler.numbers.direction import total
from rasp.meaning.sop import Lookup, SOp
from rasp.value import Value


def readable(context: Context, operands: Mapping[SOp, Operand]) -> Iterator[Variable]:
    """The named s-ops that can be read off the stream without further work."""
    functions: dict[SOp, list[Lookup]] = {}
    for read in operands:
        if isinstance(read, Lookup):
            functions.setdefault(read.arg, []).append(read)
    needed = set(context.graph.nodes)
    for node, name in context.graph.names.items():
        if (
            isinstance(node, SOp)
            and node in needed
            and not node.encoded
            and len(context.analysis.domain(node)) <= context.limits.values
        ):
            numbers, coded = context.numbered(node)  # `coded`: the s-op of the numbers that stand for the values
            a, b = sides(coded)
            if coded in operands:
                operand = operands[coded]
                yield Variable(name, operand.form, operand.ready, numbers)
            elif a in operands and b in operands:
                over, under = operands[a], operands[b]
                yield Variable(name, over.form, max(over.ready, under.ready), numbers, over=under.form)
            elif node in functions:
                domain = dict.fromkeys(context.analysis.domain(node))
                yield from _told_apart(name, domain, {read: operands[read] for read in functions[node]})


def _told_apart(name: str, domain: Mapping[Value, None], functions: Mapping[Lookup, Operand]) -> Iterator[Variable]:
    """A variable of which functions are read: from one that is injective, or from indicators of all values but one."""
    tables = {read: {value: answer for value, answer in read.table if value in domain} for read in functions}
    complete = {read: table for read, table in tables.items() if len(table) == len(domain)}
    numeric = {read: table for read, table in complete.items() if not any(isinstance(x, str) for x in table.values())}
    for read, table in numeric.items():
        if len(set(table.values())) == len(domain):
            operand = functions[read]
            yield Variable(name, operand.form, operand.ready, tuple((v, Fraction(table[v])) for v in domain))
            return
    ones = {value: read for read, table in numeric.items() if (value := _only_one(table)) is not None}
    if len(ones) >= len(domain) - 1:
        yield _by_ones(name, domain, {value: functions[read] for value, read in ones.items()})


def _by_ones(name: str, domain: Mapping[Value, None], ones: Mapping[Value, Operand]) -> Variable:
    """A variable read from the indicators of its values, of all but one at least."""
    operands = list(enumerate(ones.values(), start=1))
    form = total(operand.form * i for i, operand in operands)
    ordinals = {value: Fraction(i) for i, value in enumerate(ones, start=1)}
    numbers = tuple((value, ordinals.get(value, Fraction(0))) for value in domain)
    return Variable(name, form, max(operand.ready for _, operand in operands), numbers)


def _only_one(table: Mapping[Value, Value]) -> Value | None:
    """The value for which a table says 1, where it says 0 for all others."""
    members = [key for key, value in table.items() if value]
    return members[0] if len(members) == 1 and table[members[0]] == 1 else None
