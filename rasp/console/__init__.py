"""The console: lines go in, answers come out, at a terminal, from a pipe, or in a notebook's cells.

In: lines. Out: what the original's console says to them, and beyond it: `help`, `compile NAME`, warnings.
Invariant: a session outlives every mistake, and running a program without a console loads nothing of this room.

    >>> from rasp.console.console import Console
    >>> from rasp.console.session import Session
    >>> Session(Console(print)).line("1 + 1;")
        value: out =  2
"""
