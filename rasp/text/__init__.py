"""Text: from characters to a syntax tree, and to errors that show the place.

In: a program, or a part of one, as text. Out: a `Module` and every diagnostic of the text.
Invariant: reading ends on every text and raises on none; every node and every diagnostic has its span. Nothing here
knows what a program means.

    >>> from rasp.text.parser import parse_text
    >>> print(parse_text("x = 1 + 2 * tokens;").module)
    ((x = (1 + (2 * tokens))) ;)
"""
