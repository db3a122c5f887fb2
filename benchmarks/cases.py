"""Cases: a program, its vocabulary, its longest input.

In: the files of `programs/`, and the texts below for what is measured but not part of the library. Out: `Case`s.
Invariant: a vocabulary given as a number is that many distinct tokens; None is the one the program declares.

    >>> Case("reverse", 4, 5).program().settings.vocab
    ('t0', 't1', 't2', 't3')
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import rasp
from rasp import Program

PROGRAMS = Path(__file__).parent.parent / "programs"

BRACKETS = "(){}"
LETTERS = "abcdefghijklmnopqrstuv"

TEXTS = {
    "sort unique": """
#@ output: sorted
smaller = select(tokens, tokens, <);
place = selector_width(smaller);
sorted = aggregate(select(place, indices, ==), tokens, "");
""",
    "sort by frequency": """
#@ output: sorted
hist = selector_width(select(tokens, tokens, ==));
sorted = sort(tokens, -hist);
""",
    "shuffle Dyck-2": f"""
#@ output: balanced
#@ vocab: "{BRACKETS}{LETTERS}"
so_far = select(indices, indices, <=);
def depth(opening, closing) {{
    opened = selector_width(so_far and select(tokens, opening, ==));
    return opened - selector_width(so_far and select(tokens, closing, ==));
}}
round_ones = depth("(", ")");
curly_ones = depth("{{", "}}");
mistake = round_ones < 0 or curly_ones < 0;
closed = round_ones == 0 and curly_ones == 0;
balanced = closed[-1] and not contains(mistake, True);
""",
    "pair balance": """
#@ output: balance
so_far = select(indices, indices, <=);
balance = aggregate(so_far, indicator(tokens == "t0")) - aggregate(so_far, indicator(tokens == "t1"));
""",
    "fraction of previous": """
#@ output: fraction
fraction = aggregate(select(indices, indices, <=), indicator(tokens == "t0"));
""",
    "has previous": """
#@ output: previous
previous = has_focus(select(tokens, tokens, ==) and select(indices, indices, <));
""",
}
FILES = {
    "length": "length",
    "shift": "shift",
    "reverse": "reverse",
    "histogram": "histogram",
    "sort": "sort",
    "double histogram": "double_histogram",
    "most frequent": "paper/most_frequent",
    "histogram, BOS": "paper/histogram_bos",
    "double histogram, BOS": "paper/double_histogram_bos",
    "sort, BOS": "paper/sort_bos",
    "most frequent, BOS": "paper/most_frequent_bos",
    "Dyck-1": "paper/dyck_1_ptf",
    "Dyck-2": "paper/dyck_2_ptf",
    "Dyck-3": "paper/dyck_3_ptf",
    "shuffle Dyck, PTF": "paper/shuffle_dyck",
    "long addition": "paper/long_addition",
    "rover": "paper/rover",
}


@dataclass(frozen=True)
class Case:
    """A program by its name here, under a vocabulary and a longest input; None is what the program declares."""

    name: str
    vocabulary: int | None = None
    length: int | None = None

    def __str__(self) -> str:
        program = self.program()
        assert program.settings.vocab is not None
        return f"{self.name} {len(program.settings.vocab)},{program.settings.max_length}"

    def program(self) -> Program:
        """Read from its text, library and all."""
        if self.name in TEXTS:
            program = rasp.parse(TEXTS[self.name])
        else:
            program = rasp.load(PROGRAMS / f"{FILES[self.name]}.rasp")
        return program.replace(vocab=self._tokens(), max_length=self.length)

    def _tokens(self) -> list[str] | None:
        if self.vocabulary is None:
            return None
        width = len(str(self.vocabulary - 1))
        return [f"t{number:0{width}}" for number in range(self.vocabulary)]
