"""The header: the lines `#@ key: value` of a program.

In: the comments of a module. Out: a `Settings` and the diagnostics of the lines.
A value is JSON; a bare word, and for lists a string of characters, is shorthand. Later lines replace earlier ones,
except `example`, which collects.
Invariant: a line is read in time that grows with its length, whatever stands in it.

    >>> from rasp.text.parser import parse_text
    >>> read_settings(parse_text("#@ max_length: 4").module.comments)[0].max_length
    4
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Collection, Iterable
from fractions import Fraction
from typing import Any

from rasp.settings import MAX_DIGITS, MAX_LENGTH, READERS, Settings, cut, long_number
from rasp.text.source import Diagnostic, RaspError, Span, did_you_mean, error
from rasp.text.syntax import Comment

MAX_ERRORS = 20
"""After so many errors the rest of a header is not read."""
NAMES = ("output", "requires", "loop")
"""The settings whose value may be names with commas between them."""
MAX_EXAMPLES = 1_000
"""How many examples a program may give."""

_BARE = re.compile(r"[\[,:]\s*[A-Za-z_]\w*\s*[\],}]")
"""A word without quotes in a list."""
_WORD = re.compile(r"[^\s\"\[\]{},:]+")


def read_settings(comments: Iterable[Comment], instead: Collection[str] = ()) -> tuple[Settings, list[Diagnostic]]:
    """The settings of a text and what is wrong with them. A `source` is read first: others depend on it. A line whose
    setting is given by others `instead` is read, too, but nothing is wrong with it."""
    settings = Settings()
    spans: dict[str, Span] = {}
    found: list[Diagnostic] = []
    lines = [comment for comment in comments if comment.span.text.startswith("#@")]
    for comment in sorted(lines, key=lambda one: not re.match(r"#@\s*(source|loop)\s*:", one.span.text)):
        if len(found) < MAX_ERRORS:
            try:
                settings = _read_line(settings, comment.span, spans)
            except RaspError as problem:
                if _key(comment) == "source":  # whatever it was to be: there is one
                    settings = dataclasses.replace(settings, source=())
                found += [_at(one, comment.span) for one in problem.diagnostics if _key(comment) not in instead]
    settings = dataclasses.replace(settings, spans=spans)
    return settings, found + _too_long(settings)


def _key(comment: Comment) -> str:
    return comment.span.text[len("#@") :].partition(":")[0].strip()


def _at(diagnostic: Diagnostic, span: Span) -> Diagnostic:
    return dataclasses.replace(diagnostic, span=diagnostic.span or span)


def _read_line(settings: Settings, span: Span, spans: dict[str, Span]) -> Settings:
    keys, place = _halves(span)
    key = keys.text
    if key not in READERS:
        hint = did_you_mean(key, READERS) or f"known are {', '.join(READERS)}"
        raise error("setting", f"there is no setting `{cut(key)}`", keys, hint)
    try:
        changed = settings.replace(**{key: _read_value(key, place.text)})
    except RaspError as problem:
        raise RaspError(*[_at(one, place) for one in problem.diagnostics]) from None
    spans[key] = place
    if key == "example":
        if len(settings.examples) >= MAX_EXAMPLES:
            raise error("setting", f"more than {MAX_EXAMPLES} examples", place, "leave some out")
        latest = dataclasses.replace(changed.examples[-1], span=place)
        return dataclasses.replace(changed, examples=(*settings.examples, latest))
    return changed


def _halves(span: Span) -> tuple[Span, Span]:
    """Where the key and the value of a line stand."""
    colon = span.text.find(":")
    key = _trimmed(Span(span.source, span.start + len("#@"), span.start + max(colon, len("#@"))))
    if not key.text:
        raise error("setting", "a setting reads `#@ key: value`", span)
    return key, _trimmed(Span(span.source, span.start + colon + 1, span.end))


def _trimmed(span: Span) -> Span:
    """The same place without the blanks at both ends."""
    start = span.end - len(span.text.lstrip())
    return Span(span.source, start, max(start, span.start + len(span.text.rstrip())))


def _read_value(key: str, text: str) -> Any:
    if not text:
        raise error("setting", f"`{key}` has no value")
    if key == "example":
        return [_read_example(text)]
    value, end = _read_json(text)
    if text[end:].strip():
        names = [name.strip() for name in text.split(",")]
        if key in NAMES and all(re.fullmatch(r"\w+", name) for name in names):
            return names
        raise error("setting", f"`{cut(text[end:].strip())}` is left over behind the value")
    return value


def _read_example(text: str) -> tuple[Any, Any]:
    shown, end = _read_json(text)
    rest = text[end:].lstrip()
    if not rest.startswith("->"):
        raise error("setting", "an example reads `INPUT -> OUTPUT`", hint='for instance `"abc" -> "cba"`')
    answer, end = _read_json(rest[2:].lstrip())
    if rest[2:].lstrip()[end:].strip():
        raise error("setting", "something is left over behind the example's output")
    return shown, answer


def _read_json(text: str) -> tuple[Any, int]:
    """A JSON value or a bare word at the beginning of a text, and where it ends."""
    try:
        value, end = json.JSONDecoder(parse_float=_decimal, parse_constant=str).raw_decode(text)
        if end == len(text) or not re.match(r"[\w.#-]", text[end]) or text[end:].startswith("->"):
            return value, end
    except (ValueError, RecursionError):
        pass
    word = _WORD.match(text)
    if word is None:
        hint = "booleans are written `true` and `false`, strings in quotes" if _BARE.search(text) else None
        raise error("setting", f"`{text[:40]}` is neither JSON nor a single word", hint=hint)
    return word[0], word.end()


def _decimal(text: str) -> Fraction:
    """A JSON number that has a point or an exponent. Raises `RaspError` before it grows."""
    mantissa, _, exponent = text.lower().partition("e")
    if len(text) > MAX_DIGITS or abs(int(exponent or "0")) + len(mantissa) > MAX_DIGITS:
        raise long_number(f"`{cut(text)}`")
    return Fraction(text)


def _too_long(settings: Settings) -> list[Diagnostic]:
    """The examples of a header that are longer than it says itself; with a source, the sources among them."""
    longest, name = settings.max_length or MAX_LENGTH, f"the maximum length, {settings.max_length}"
    if settings.two_tapes:
        longest, name = settings.longest_source, f"`max_source`, {settings.longest_source}"
    message = f"this {'source' if settings.two_tapes else 'example'} is longer than {name}"
    long = [(message, e.span) for e in settings.examples if len(e.input) > longest]
    if settings.two_tapes:
        message = f"this target is longer than the maximum length, {settings.longest}"
        long += [(message, e.span) for e in settings.examples if len(e.output) > settings.longest]
    return [Diagnostic("setting", "error", message, span) for message, span in long]
