"""Interchange interventions: the test of whether a provenance file is the causal truth.

In: a program, a compiled one, a model, or a checkpoint folder. Out: a `Report`; of a single intervention a `Swap`.
Invariant: what must come out is said by the interpreter alone, and only where the program gives the swap a meaning.

Two inputs of one length are run, *base* and *source*. After a sublayer, exactly the columns that the file lists for a
variable are copied from the source run into the base run, at one position or at all; the model runs on. What it answers
must be what the program answers where whoever reads the variable *after* that sublayer sees the other value, and who
has read it before has seen the old one.

**Who sees what.** The file's edges say which columns a part of the model reads, its nodes say when. What is computed
before the swap is what it was. So is what is computed later and reads nothing swapped and nothing that has changed:
nothing passes where there is no edge. Everything else, a `Unit`, is computed by the interpreter from what it reads. An
s-op whose columns were swapped has its value in the source run, one whose columns were not that in the base run, one
that was computed meanwhile the value that it came to.

**Shared columns.** Several variables may live in the same columns: functions of the token are forms over a few of them,
a sum is read from the columns of its terms. A swap of one swaps what lives in its columns altogether, and mixes what
lives in some of them. Who reads only swapped columns of an s-op sees the other value; who reads only the rest, the old
one; who reads both sees something that no program says, and the swap is not meant. So it is where part of an s-op is
computed before the swap and part after it, or where something is read by no column that is listed, or where an s-op is
one thing to the keys of a head, and another to its values, which read what it is computed from.

**Two tapes.** The steps and columns of a decoder come behind those of its encoder, on one `Line`, and the s-ops of both
are one world, `SOps`. A swap in the encoder runs on through both; one in the decoder leaves what is read of the source.

**What is meant.** The compiler is right about values that can occur. A swap counts only if under it, by the
interpreter, every s-op lies in the domain that the analysis gives it, every claim about a selector is true (never
empty, at most one key), no sequence mixes strings and numbers, and s-ops that depend on common variables and are read
at one position have values there that they have together at a position of some input. The answer decides nothing.

    >>> import rasp
    >>> from compiler.trust.interventions import intervene
    >>> program = rasp.parse("o = aggregate(select(indices, length - 1 - indices, ==), tokens);")
    >>> swap = intervene.swap(program.replace(vocab="abc", max_length=4), "tokens", "abca", "cccc", position=1)
    >>> swap.outputs, swap.ok
    ({'o': ['a', 'c', 'c', 'a']}, True)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from compiler.trust.compare import Progress
from compiler.trust.interventions.report import Report, Row, Swap
from compiler.trust.interventions.study import Study
from compiler.trust.interventions.target import Target, study_of
from compiler.trust.interventions.trials import reported

__all__ = ["Report", "Row", "Study", "Swap", "intervene"]


class Intervene:
    """`compiler.intervene(target)` swaps every variable; `compiler.intervene.swap(target, ...)` makes one swap."""

    def __call__(
        self,
        target: Target,
        variables: Sequence[str] | None = None,
        *,
        document: Mapping[str, Any] | None = None,
        wanted: int = 100,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Report:
        """Swap every variable, or those of these names, of a program, a compiled one, a model, or a checkpoint folder.

        `document` is the provenance that is put to the test: the checkpoint's, or else the model's. For each variable
        pairs of runs are tried until `wanted` swaps have another answer, or no more are found.
        """
        return reported(study_of(target, document, seed), variables, wanted, progress)

    @staticmethod
    def swap(
        target: Target,
        variable: str,
        base: Iterable[object],
        source: Iterable[object],
        position: int | None = None,
        step: int | None = None,
        *,
        document: Mapping[str, Any] | None = None,
    ) -> Swap:
        """Copy a variable's columns from the run on `source` into that on `base`: what the model answers, and what the
        program does. Of a program with a source an input is a pair, `("cab", "ab")`: a source and a target so far.

        `position` None: everywhere. `step`: 0 is the embedding, 2L + 1 the attention, 2L + 2 the MLP of layer L (in a
        decoder 3L + 1, 3L + 2 what crosses, 3L + 3); None: the first after which the variable can be read. For many
        swaps in one model, make a `Study` once.
        """
        return study_of(target, document).swap(variable, base, source, position, step)


intervene = Intervene()
