"""The programs that come along, by name: each is read and parsed once, however many modules ask for it.

LIBRARY["paper/rover"].program
"""

import compiler

LIBRARY = {entry.name: entry for entry in compiler.library()}
