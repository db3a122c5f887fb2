"""Running: a program is executed once, on names instead of an input, and leaves s-ops and selectors.

In: a syntax tree, and the library, `prelude.rasp`. Out: what each name holds; functions, loops, lists and dictionaries
have done their work.
Invariant: no program runs for ever, fills the memory or ends in a Python traceback: steps, depth and sizes have limits.

    >>> from rasp.running.elaborate import Elaborator
    >>> from rasp.text.parser import parse_text
    >>> run = Elaborator()
    >>> run.run_all(parse_text("def twice(x) { return x + x; } y = twice(tokens);").statements)
    True
    >>> print(run.top.find("y"))
    (tokens_str + tokens_str)
"""
