"""Ask: what editors, consoles and pages want to know of a program.

In: a tree, an s-op, an input, the settings. Out: warnings, tokens written on, values as text, pictures, colours.
Invariant: whoever asks changes nothing; no question knows who asks it.
"""
