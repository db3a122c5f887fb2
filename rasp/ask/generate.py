"""Generation: a causal program writes on, each new token being its answer at the last position so far.

In: an s-op, the settings of its program, a prompt. Out: the tokens that follow it, one at a time.
A program with a source writes a target: the prompt is the source, and the target begins with `start`.
Invariants: every token given is one of the vocabulary or one that ends the text; a compiled model gives the same.

    >>> from rasp.meaning.sop import Tokens
    >>> list(tokens_behind(Tokens("str"), Settings().replace(attention="causal"), "ab", 3))
    ['b', 'b', 'b']
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rasp.meaning.answers import answers
from rasp.meaning.inputs import Input
from rasp.meaning.interpreter import evaluate
from rasp.meaning.sop import Node, SOp
from rasp.settings import Settings, spellings, token_text
from rasp.text.source import Span, error
from rasp.value import Value


def tokens_behind(
    node: SOp,
    settings: Settings,
    prompt: Input,
    max_tokens: int | None = None,
    spans: Mapping[Node, Span] | None = None,
) -> Iterator[Value]:
    """What follows the prompt: up to a token of `stop`, which is the last one given, or so many tokens.

    Without a number, as many as a model of the declared length can give. A token is known by its text, so "1" in the
    prompt is the 1 of the vocabulary. Raises `RaspError` where the program has no answer, or one that is no token.
    """
    source = settings.read_source(prompt) if settings.two_tapes else None
    if source is None and settings.attention != "causal":
        hint = "add `#@ attention: causal`: a token that is added must not change the answers before it"
        raise error("generate", "a bidirectional program does not generate", settings.spans.get("attention"), hint)
    ends = {token_text(token) for token in settings.stop}
    text = settings.read(prompt) if source is None else settings.read_target("")
    for _ in range(_room(settings, len(text)) if max_tokens is None else max_tokens):
        value = answers(node, evaluate(node, text, True, spans, source))[-1]
        token, ending = settings.token(value), not ends.isdisjoint(spellings(value))
        if settings.vocab and not ending and token is None:
            message = f'the next token, "{token_text(value)}" at position {len(text)}, is not in the vocabulary'
            raise error("generate", message, hint="what a program generates must be tokens: declare them in `vocab`")
        text.append(value if token is None else token)
        yield value
        if ending:
            return


def _room(settings: Settings, length: int) -> int:
    """How many tokens fit behind so many, the last of which is not read any more."""
    longest = settings.longest
    if length > longest:
        hint = "say how many tokens are wanted, or set a larger `max_length`"
        raise error("generate", f"the prompt has {length} tokens, the program is for {longest}", hint=hint)
    return longest - length + 1
