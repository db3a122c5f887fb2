"""Meaning: what s-ops and selectors are, and the interpreter, which says what they come to on an input.

In: values and nodes; an input. Out: interned nodes; their exact values, in the kinds that they print in.
Invariant: a node holds data of the operator table and no Python function. The interpreter is the reference: every later
stage is right where it agrees.

    >>> from rasp.meaning.interpreter import evaluate
    >>> from rasp.meaning.sop import Indices, Map
    >>> evaluate(Map("*", (Indices(), Indices())), "abc")
    [0, 1, 4]
"""
