"""Inputs: what a config says of them, held against the settings of the program.

In: a config and a program. Out: the `Setting` that the model is verified for.
Invariant: nothing is verified for inputs, or outputs, that the config and the program call differently.

    max_length: the config says 7, the program 6
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import rasp
from compiler.graph.domain import Setting
from compiler.trust.verify.space import CannotVerify
from rasp.settings import Settings, token_text

if TYPE_CHECKING:
    from compiler.model import Config

_Pairs: TypeAlias = dict[str, tuple[Any, Any]]
"""What is compared, as the config has it, and as the program does."""


def agreed(config: Config, program: rasp.Program) -> Setting:
    """The setting. Raises `CannotVerify` where config and program do not agree on it."""
    declared = program.settings
    if declared.vocab is None:
        raise CannotVerify("the program declares no vocabulary")
    setting = _setting(declared)
    for what, (held, wanted) in {**_of_target(config, program, setting), **_of_source(config, setting)}.items():
        if held != wanted:
            raise CannotVerify(f"{what}: the config says {_shown(held)}, the program {_shown(wanted)}")
    return setting


def _setting(declared: Settings) -> Setting:
    assert declared.vocab is not None
    if declared.source is None:
        return Setting(declared.vocab, declared.longest, declared.attention == "causal")
    sources = Setting(declared.source, declared.longest_source, causal=False)
    known = {token_text(token): token for token in (declared.start, *declared.vocab)}
    start = known[token_text(declared.start)]
    read = declared.vocab if start in declared.vocab else (*declared.vocab, start)
    return Setting(read, declared.longest, causal=True, encoder=sources, start=start, written=declared.vocab)


def _of_target(config: Config, program: rasp.Program, setting: Setting) -> _Pairs:
    """What there is to agree on of the one tape, or of the target."""
    declared = program.settings
    named, first = declared.generate, program.outputs[0] if program.outputs else None
    generate = named if isinstance(named, str) else first if named else None
    return {
        "the vocabulary": (config.vocabulary, setting.texts),
        "max_length": (config.max_length, setting.max_length),
        "who sees whom": (config.causal, setting.causal),
        "the unknown token": (config.unknown, None if declared.unknown is None else token_text(declared.unknown)),
        "the next token": (config.generate, generate if generate in program.outputs else None),
        "the tokens that end a text": (config.stop, tuple(token_text(token) for token in declared.stop)),
        "the outputs": (tuple(output.name for output in config.outputs), program.outputs),
    }


def _of_source(config: Config, setting: Setting) -> _Pairs:
    """What there is to agree on of the source, if there is one."""
    held, wanted = config.encoder, setting.encoder
    if held is None or wanted is None:
        return {"whether there is a source": (held is not None, wanted is not None)}
    start = None if setting.start is None else token_text(setting.start)
    return {
        "the source's vocabulary": (held.vocabulary, wanted.texts),
        "max_source": (held.max_length, wanted.max_length),
        "who sees whom in the source": (held.causal, wanted.causal),
        "whether the source has a source": (held.encoder is not None, False),
        "the token that a target begins with": (config.start, start),
    }


def _shown(thing: object) -> str:
    text = repr(thing)
    return text if len(text) <= 60 else text[:57] + "..."
