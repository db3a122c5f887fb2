"""Witnesses: inputs on which a program has no answer, looked for before it is compiled.

In: a program and a `Setting`. Out: a warning for each kind of failure met, with the input that shows it.
Invariant: a warning is true (its input was run); silence proves nothing, the search is bounded.

    warning[undefined]: there is no answer on the input `a b`: division by zero (1 / 0) at position 1
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

from compiler.graph.domain import Setting, nothing_meant, refusal
from rasp import Diagnostic, Program, RaspError
from rasp.meaning.interpreter import evaluate_each
from rasp.meaning.sop import SOp
from rasp.meaning.tapes import BOTH
from rasp.settings import token_text
from rasp.value import Value


class Case(NamedTuple):
    """An input. With a source, the tokens are those of the target so far, its `start` in front."""

    tokens: tuple[Value, ...]
    source: tuple[Value, ...] | None = None

    def __str__(self) -> str:
        if self.source is None:
            return f"the input `{_shown(self.tokens)}`"
        return f"the source `{_shown(self.source)}` and the target `{_shown(self.tokens)}`"


def _shown(tokens: Sequence[Value]) -> str:
    return " ".join(map(token_text, tokens))


def witnesses(program: Program, setting: Setting) -> list[Diagnostic]:
    """One warning for each kind of failure. Raises `RaspError` if no input that was tried has an answer."""
    tried = [*examples(program, setting), *itertools.islice(_tried(setting), setting.limits.tried)]
    inputs = meant(program, tried, setting)
    if tried and not inputs:
        return [_unmet(program, len(tried), setting)]
    outputs = [program.placed(node) for name in program.outputs if isinstance(node := program.node(name), SOp)]
    answers = run_each(outputs, inputs, setting)
    failed: dict[str, Case] = {}
    for tokens, answer in zip(inputs, answers, strict=True):
        if isinstance(answer, RaspError):
            failed.setdefault(answer.diagnostics[0].code, tokens)
    found = [_warning(program, tokens) for tokens in failed.values()]
    if inputs and all(isinstance(answer, RaspError) for answer in answers):
        refused = refusal(
            "never-an-answer",
            f"the program has no answer on any of the {len(inputs)} inputs tried; {found[0].message}",
            "check the vocabulary (--vocab) and the operation that fails",
        )
        refused.diagnostics = [replace(one, span=found[0].span) for one in refused.diagnostics]
        raise refused
    return found


def _unmet(program: Program, tried: int, setting: Setting) -> Diagnostic:
    """What there is to say where no input that was tried is meant. Raises `RaspError` if these were all inputs."""
    names = ", ".join(program.settings.requires)
    if _are_few(setting):
        raise nothing_meant(f"no input meets `requires` ({names}): all {tried} were tried")
    message = f"none of the {tried} inputs that were tried meets `requires` ({names})"
    hint = "nothing is promised for others; an `example` in the header that meets it shows that there are some"
    return Diagnostic("nothing-meant", "warning", message, program.settings.spans.get("requires"), hint)


def required(program: Program) -> list[SOp]:
    """The s-ops that the header's `requires` names."""
    return [node for name in program.settings.requires if isinstance(node := program.node(name), SOp)]


def run_each(nodes: Sequence[SOp], inputs: Sequence[Case], setting: Setting) -> list[list[list[Value]] | RaspError]:
    """The values of every node on each input, or the error that says why there are none."""
    sources = None if setting.encoder is None else [one.source or () for one in inputs]
    return evaluate_each(nodes, [one.tokens for one in inputs], setting.causal, sources)


def meant(program: Program, inputs: Sequence[Case], setting: Setting) -> list[Case]:
    """The inputs that the program promises something about: what it requires is True everywhere, on the tape that it is
    about."""
    needed = asked_for(program)
    if not needed:
        return list(inputs)
    truths = run_each(needed, inputs, setting)
    return [
        tokens
        for tokens, truth in zip(inputs, truths, strict=True)
        if not isinstance(truth, RaspError) and all(map(all, truth))
    ]


def asked_for(program: Program) -> list[SOp]:
    """What is required, as the interpreter takes it: with a source, where it is asked."""
    if not program.two_tapes:
        return required(program)
    found = [program.instances.required(node) for node in required(program)]
    return [one[tape] for tape in BOTH for one in found if tape in one]


def is_meant(program: Program, tokens: Sequence[Value]) -> bool:
    """Whether the program promises anything about an input: what it requires is True everywhere."""
    try:
        return all(all(program[name].exact(tokens)) for name in program.settings.requires)
    except RaspError:
        return False


def _warning(program: Program, given: Case) -> Diagnostic:
    problem = _failure(program, given)
    message = f"there is no answer on {given}: {problem.message}"
    hint = problem.hint or "the model answers something there; nothing is promised for such inputs"
    return replace(problem, severity="warning", message=message, hint=hint)


def _failure(program: Program, given: Case) -> Diagnostic:
    """What goes wrong on an input, and at which position and place in the text: it is run once more, alone."""
    try:
        for name in program.outputs:
            if program.two_tapes:
                program[name].exact(given.source or (), target=given.tokens[1:])
            else:
                program[name].exact(given.tokens)
    except RaspError as failure:
        return failure.diagnostics[0]
    raise AssertionError("an input that fails among others fails alone")


def _are_few(setting: Setting) -> bool:
    """Whether there are not more inputs than are tried."""
    sizes = (len(setting.vocabulary) ** length for length in range(1, setting.max_length + 1))
    return all(count <= setting.limits.tried for count in itertools.accumulate(sizes))


def examples(program: Program, setting: Setting) -> list[Case]:
    """The examples of the header that are inputs of the setting; sources, of which nothing is written yet."""
    given, of = [example.input for example in program.settings.examples], setting.encoder or setting
    known = set(of.texts)
    found = [tokens for tokens in given if len(tokens) <= of.max_length and known.issuperset(map(token_text, tokens))]
    if setting.encoder is None:
        return [Case(tokens) for tokens in found]
    return [Case((program.settings.start,), tokens) for tokens in found]


def _tried(setting: Setting) -> Iterator[Case]:
    """Inputs of the setting. Where they have a source, each is tried with another target."""
    if setting.encoder is None:
        yield from map(Case, _inputs(setting))
        return
    assert setting.start is not None
    behind = replace(setting, vocabulary=setting.written, max_length=max(setting.max_length - 1, 1))
    for source, target in zip(_inputs(setting.encoder), chain([()], _inputs(behind)), strict=False):
        yield Case((setting.start, *target)[: setting.max_length], source)


def _inputs(setting: Setting) -> Iterator[tuple[Value, ...]]:
    """All inputs where they are few; else short ones in order, then random ones of every length.

    More of these are short: they cost less and fail as well.
    """
    vocabulary, rng, limits = setting.vocabulary, random.Random(0), setting.limits
    lengths = range(1, setting.max_length + 1)
    if _are_few(setting):
        yield from itertools.chain.from_iterable(itertools.product(vocabulary, repeat=length) for length in lengths)
        return
    longest = min(setting.max_length, limits.tried_length)
    for length in lengths[:2]:
        yield from itertools.islice(itertools.product(vocabulary, repeat=length), limits.tried // 4)
    while True:
        yield tuple(rng.choices(vocabulary, k=rng.randint(1, rng.randint(1, longest))))
