"""The setting: which inputs a compilation is for, how far it goes, and how it declines.

In: a vocabulary, a longest input, whether the future is seen. Out: `Setting`, with its `Limits`; `refusal`, an error.
Invariant: an element of the vocabulary is its text; two elements have different texts.

    >>> setting = Setting((7, "7.5", "x"), max_length=3, causal=False)
    >>> print(setting.texts, setting.converted("int"))
    ('7', '7.5', 'x') {'7': 7, '7.5': None, 'x': None}
"""

from __future__ import annotations

from dataclasses import dataclass

from compiler.graph.relation import MAX_DISJUNCTS
from rasp.meaning.operators import MAX_SHOWN_BITS, TokenKind, Undefined, convert
from rasp.meaning.sop import Node
from rasp.settings import token_text
from rasp.text.source import Diagnostic, RaspError
from rasp.value import Value


@dataclass(frozen=True)
class Limits:
    """How far a compilation goes before it takes another way, or declines a program and says why."""

    nodes: int = 8_192
    """S-ops and selectors that the outputs need; a program of more is refused."""
    points: int = 60_000
    """Joint values of variables that an s-op is tabulated over; beyond, its operands are taken as independent."""
    combinations: int = 960_000
    """Combinations of independent operands that an s-op is tabulated over; beyond, it is refused."""
    fractions: int = 60_000
    """The same where operands are no whole numbers, which are combined one by one."""
    values: int = 8_192
    """Values of an s-op that combines others; one that can take more is refused. Nothing else can grow so."""
    reach: int = 1 << 21
    """Whole numbers between the least and the greatest that an s-op can be, where they are not written out."""
    decoded: int = 1 << 16
    """Values, or fractions, that an output is told apart from where they are numbers."""
    bits: int = MAX_SHOWN_BITS
    """Size of an integer, or of a fraction's parts; longer ones are refused, they could not be written down."""
    cases: int = MAX_DISJUNCTS
    """Conjunctions of a selector written as an `or` of them; one with more is refused."""
    neurons: int = 8_192
    """Neurons that one s-op may cost; where every way needs more, it is refused."""
    gates: int = 1_024
    """Gates of a product, a remainder or a quotient; one that needs more is computed in another way (C24)."""
    steps: int = 1 << 11
    """Range of a number that a staircase tells apart, in units of its smallest step (C8)."""
    pairs: int = 1 << 16
    """Pairs of joint values that an `or` of comparisons is tabulated over; beyond, it is refused (C4)."""
    logic: int = 64
    """Cases of a nested `and` and `or`; one with more is computed operation by operation (C20)."""
    tried: int = 120
    """Inputs that are run before a compilation, looking for one without an answer."""
    tried_length: int = 64
    """Tokens of the longest of them: what fails mostly fails on short ones."""


class Refusal(RaspError):
    """The error with which the compiler declines a program; `node` is the s-op at which it fails, if it is one."""

    def __init__(self, *diagnostics: Diagnostic, node: Node | None = None, called: str = "") -> None:
        """`called` is what the message calls the s-op, as it stands there."""
        super().__init__(*diagnostics)
        self.node = node
        self.called = called


def refusal(code: str, message: str, hint: str, node: Node | None = None, called: str = "") -> Refusal:
    """A refusal of one diagnostic, which has no place in a text yet."""
    return Refusal(Diagnostic(code, "error", message, None, hint), node=node, called=called)


def nothing_meant(message: str) -> Refusal:
    """The error for a program that promises nothing: what it requires is True on no input."""
    hint = "check the s-op that it names, the vocabulary (--vocab) and the longest input (--max-length)"
    return refusal("nothing-meant", message, hint)


@dataclass(frozen=True)
class Setting:
    """The inputs a compilation is for: sequences of 1 to max_length elements of the vocabulary."""

    vocabulary: tuple[Value, ...]
    max_length: int
    causal: bool
    limits: Limits = Limits()
    encoder: Setting | None = None
    """The sources, if the program reads one beside these."""
    start: Value | None = None
    """The token of the vocabulary that a target begins with, if there are sources."""
    written: tuple[Value, ...] = ()
    """The tokens that may stand behind it: all but `start`, unless the program writes that one too."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The vocabulary as text: what tells tokens apart."""
        return tuple(token_text(element) for element in self.vocabulary)

    def converted(self, how: TokenKind) -> dict[Value, Value | None]:
        """What a conversion makes of each text of the vocabulary; None where it is undefined."""
        return {text: _convert(element, how) for text, element in zip(self.texts, self.vocabulary, strict=True)}


def _convert(value: Value, how: TokenKind) -> Value | None:
    try:
        return convert(value, how)
    except Undefined:
        return None
