"""Messages: what the interpreter says where the language gives no answer.

In: values and nodes. Out: texts.
Invariant: a hint is said only where it may help.

    incomparable(1, "a", "<")   ->   at position 0, key 0: a number and a string have no order (1 < "a")
"""

from __future__ import annotations

from rasp.meaning.operators import PREDICATES, Undefined, show
from rasp.meaning.sop import Aggregate, Lookup, SOp
from rasp.value import Value


def incomparable(key: Value, query: Value, predicate: str) -> str:
    try:
        PREDICATES[predicate](key, query)
    except Undefined as problem:
        return f"at position 0, key 0: {problem}"
    raise AssertionError("comparable after all")


def missing(node: Lookup, key: Value) -> str:
    if node.sequence is not None:
        return f"index {show(key)} is out of range for a list or string of length {node.sequence}"
    return f"{show(key)} is not in the dictionary"


def default_hint(node: SOp, number: Value) -> str | None:
    if isinstance(node, Aggregate) and number == node.default:
        return "where nothing is selected an aggregate gives its default, 0 if none is written: add one"
    return None


WANTED = {
    "asis": "a scalar",
    "str": "short enough for a string",
    "int": "an integer",
    "float": "a number",
    "bool": "a bool",
}
