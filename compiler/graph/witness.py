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

from compiler.graph.domain import Setting, nothing_meant, refusal
from rasp import Diagnostic, Program, RaspError
from rasp.meaning.interpreter import evaluate_each
from rasp.meaning.sop import SOp
from rasp.settings import token_text
from rasp.value import Value


def witnesses(program: Program, setting: Setting) -> list[Diagnostic]:
    """One warning for each kind of failure. Raises `RaspError` if no input that was tried has an answer."""
    tried = [*_examples(program, setting), *itertools.islice(_inputs(setting), setting.limits.tried)]
    inputs = _meant(program, tried, setting)
    if tried and not inputs:
        return [_unmet(program, len(tried), setting)]
    outputs = [node for name in program.outputs if isinstance(node := program.node(name), SOp)]
    answers = evaluate_each(outputs, inputs, setting.causal)
    failed: dict[str, Sequence[Value]] = {}
    for tokens, answer in zip(inputs, answers, strict=True):
        if isinstance(answer, RaspError):
            failed.setdefault(answer.diagnostics[0].code, tokens)
    found = [_warning(program, tokens) for tokens in failed.values()]
    if inputs and all(isinstance(answer, RaspError) for answer in answers):
        raise refusal(
            "never-an-answer",
            f"the program has no answer on any of the {len(inputs)} inputs tried; {found[0].message}",
            "check the vocabulary (--vocab) and the operation that fails",
        )
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


def _meant(program: Program, inputs: Sequence[Sequence[Value]], setting: Setting) -> list[Sequence[Value]]:
    """The inputs on which what the program requires is True everywhere."""
    needed = required(program)
    if not needed:
        return list(inputs)
    truths = evaluate_each(needed, inputs, setting.causal)
    return [
        tokens
        for tokens, truth in zip(inputs, truths, strict=True)
        if not isinstance(truth, RaspError) and all(map(all, truth))
    ]


def is_meant(program: Program, tokens: Sequence[Value]) -> bool:
    """Whether the program promises anything about an input: what it requires is True everywhere."""
    try:
        return all(all(program[name].exact(tokens)) for name in program.settings.requires)
    except RaspError:
        return False


def _warning(program: Program, tokens: Sequence[Value]) -> Diagnostic:
    problem = _failure(program, tokens)
    shown = " ".join(map(token_text, tokens))
    message = f"there is no answer on the input `{shown}`: {problem.message}"
    hint = problem.hint or "the model answers something there; nothing is promised for such inputs"
    return replace(problem, severity="warning", message=message, hint=hint)


def _failure(program: Program, tokens: Sequence[Value]) -> Diagnostic:
    """What goes wrong on an input, and at which position and place in the text: it is run once more, alone."""
    try:
        for name in program.outputs:
            program[name].exact(tokens)
    except RaspError as failure:
        return failure.diagnostics[0]
    raise AssertionError("an input that fails among others fails alone")


def _are_few(setting: Setting) -> bool:
    """Whether there are not more inputs than are tried."""
    sizes = (len(setting.vocabulary) ** length for length in range(1, setting.max_length + 1))
    return all(count <= setting.limits.tried for count in itertools.accumulate(sizes))


def _examples(program: Program, setting: Setting) -> list[Sequence[Value]]:
    """The examples of the header that are inputs of the setting."""
    given, known = [example.input for example in program.settings.examples], set(setting.texts)
    return [
        tokens for tokens in given if len(tokens) <= setting.max_length and known.issuperset(map(token_text, tokens))
    ]


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
