"""Every class of node, and one program that needs them all, so that no consumer of s-ops forgets a class.

In: nothing. Out: the classes, the program's text with its settings, its nodes as the compiler sees them.
Invariant: a class that `rasp.sop` gains is in `CLASSES` by itself; the program then has to be made to need it.

    {type(node) for node in every_node()} == CLASSES
"""

from __future__ import annotations

import compiler
import rasp
from rasp.meaning import sop
from rasp.meaning.sop import Node, Selector, SOp

TEXT = """# Every class: what needs every class of node, as it is written or as the compiler rewrites it.
#@ output: o
#@ vocab: [0, 1, 2]
#@ max_length: 4
#@ example: [1, 2, 0] -> ["2-", "1b", "2c"]
so_far = select(indices, indices, <=);
total = round(aggregate(so_far, tokens_int) * selector_width(so_far));
same = select(total, total, ==) and not select(indices, indices, >) or select(tokens_int, 2, ==);
name = {0: "a", 1: "b", 2: "c"}[tokens_int];
before = aggregate(select(indices, indices - 1, ==), name, "-");
o = ["0", "1", "2", "3", "4"][selector_width(same)] + before;
"""


TWO_TAPES = """# What only a program with a source needs.
#@ output: next
#@ source: "ab"
#@ vocab: "ab."
#@ stop: "."
next = aggregate(select(indices, indices, ==), source, ".");
"""


CLASSES: set[type[Node]] = {one for one in vars(sop).values() if isinstance(one, type) and issubclass(one, Node)} - {
    Node,
    SOp,
    Selector,
}


def every_node() -> list[Node]:
    """The nodes of the program's graph: of every class of one tape one at least."""
    return compiler.compile(rasp.parse(TEXT)).graph.nodes


def two_tapes() -> list[Node]:
    """The nodes of the graph of a program with a source."""
    return compiler.compile(rasp.parse(TWO_TAPES)).graph.nodes


LOOPED = """# What only a loop needs.
#@ output: x
#@ vocab: [0, 1, 2]
#@ max_length: 4
#@ loop: x
x = tokens_int;
for turn in range(3) { x = max(x, shift(x, 1, 0)); }
"""


def looped() -> list[Node]:
    """The nodes of the graph of a program whose loop carries a name."""
    return compiler.compile(rasp.parse(LOOPED)).graph.nodes
