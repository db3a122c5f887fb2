"""What people write: sums, picks and means in plain words, each certified, small, and right on short and long inputs.

`beside` is how many parameters a program may have beside the unembedding.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import cache

import pytest

import compiler
import rasp
from compiler.trust.verify import verify_model
from rasp.value import to_python
from tests.inputs import every

DIGITS: list[object] = [*range(10)]
LETTERS: list[object] = [*"abcdefghijklmnopqrstuvwxyz"]
BRACKETS: list[object] = [*"()x"]
UP_TO = "select(indices, indices, <=)"
HALF = "h = (length - length % 2) / 2;"
ORDER = "select(tokens_int, tokens_int, <) or (select(tokens_int, tokens_int, ==) and select(indices, indices, <))"


@dataclass(frozen=True)
class Natural:
    """A program whose output is y, the inputs it is compiled for, and how large it may be."""

    text: str
    beside: int
    vocab: list[object]
    length: int = 64


PROGRAMS = {
    "sum": Natural("y = aggregate(full_s, tokens_int) * length;", 5_000, DIGITS),
    "sum, rounded": Natural("y = round(length * aggregate(full_s, tokens_int));", 5_000, DIGITS),
    "prefix sum": Natural(f"y = aggregate({UP_TO}, tokens_int) * (indices + 1);", 20_000, DIGITS),
    "class sum": Natural(
        "s = select(tokens, tokens, ==); y = aggregate(s, indices) * selector_width(s);", 20_000, DIGITS
    ),
    "sum of a choice": Natural("y = aggregate(full_s, 1 if tokens_int > 4 else 0) * length;", 5_000, DIGITS),
    "sum of squares": Natural("y = aggregate(full_s, tokens_int * tokens_int) * length;", 5_000, DIGITS),
    "weighted sum": Natural("y = aggregate(full_s, tokens_int * (indices + 1)) * length;", 5_000, DIGITS),
    "sum of counts": Natural(
        "h = selector_width(select(tokens, tokens, ==)); y = aggregate(full_s, h) * length;", 5_000, DIGITS
    ),
    "checksum": Natural("y = round(aggregate(full_s, tokens_int * (indices + 1)) * length) % 97;", 5_000, DIGITS, 32),
    "frequency": Natural("y = selector_width(select(tokens, tokens, ==)) / length;", 5_000, DIGITS),
    "share of a letter": Natural('y = count(tokens, "a") / length;', 5_000, LETTERS, 32),
    "per cent": Natural("y = round(100 * count(tokens_int, 1) / length);", 5_000, DIGITS),
    "sort by number": Natural("y = sort(tokens_int, tokens_int);", 20_000, DIGITS),
    "place of the largest": Natural(
        f"b = selector_width({ORDER.replace('tokens_int, <', 'tokens_int, >')});"
        "y = aggregate(select(b, 0, ==), indices);",
        5_000,
        DIGITS,
    ),
    "median": Natural(
        f"r = selector_width({ORDER});y = aggregate(select(r, (length - 1 - (length - 1) % 2) / 2, ==), tokens_int);",
        20_000,
        DIGITS,
    ),
    "maximum": Natural(
        "b = selector_width(select(tokens_int, tokens_int, >)); y = aggregate(select(b, 0, ==), tokens_int);",
        5_000,
        DIGITS,
    ),
    "range": Natural(
        "b = selector_width(select(tokens_int, tokens_int, >)); s = selector_width(select(tokens_int, tokens_int, <));"
        "y = aggregate(select(b, 0, ==), tokens_int) - aggregate(select(s, 0, ==), tokens_int);",
        5_000,
        DIGITS,
    ),
    "whether the largest is above two": Natural(
        "x = tokens_int if aggregate(select(indices, 0, ==), tokens) == tokens else 0;"
        "b = selector_width(select(x, x, >)) == 0; y = aggregate(select(b, True, ==), x) > 2;",
        5_000,
        DIGITS,
    ),
    "share of a letter among the vowels": Natural(
        'v = tokens in ["a", "e", "i", "o", "u"];'
        'y = round(100 * count(tokens, "a") / max(1, selector_width(select(v, True, ==))));',
        5_000,
        LETTERS,
        32,
    ),
    "mean of the squares": Natural("y = aggregate(full_s, tokens_int ^ 2);", 5_000, DIGITS, 32),
    "deepest nesting": Natural(
        f'p = {UP_TO}; o = select(tokens, "(", ==) and p; c = select(tokens, ")", ==) and p;'
        "d = selector_width(o) - selector_width(c);"
        "b = selector_width(select(d, d, >)); y = aggregate(select(b, 0, ==), d);",
        5_000,
        BRACKETS,
    ),
    "largest count": Natural(
        "h = selector_width(select(tokens, tokens, ==)); b = selector_width(select(h, h, >));"
        "y = aggregate(select(b, 0, ==), h);",
        5_000,
        DIGITS,
    ),
    "previous occurrence": Natural(
        "k = selector_width(select(tokens, tokens, ==) and select(indices, indices, <));"
        "y = aggregate(select(tokens, tokens, ==) and select(k, k - 1, ==), indices, -1);",
        20_000,
        DIGITS,
    ),
    "mean of the neighbours": Natural(
        "y = aggregate(select(indices, indices - 1, ==) or select(indices, indices + 1, ==), tokens_int);",
        1_000,
        DIGITS,
    ),
    "mean of a window": Natural(
        "y = aggregate(select(indices, indices - 2, >=) and select(indices, indices + 2, <=), tokens_int);",
        2_000,
        DIGITS,
    ),
    "difference of shares": Natural(
        f'p = {UP_TO}; y = aggregate(p, indicator(tokens == "(")) - aggregate(p, indicator(tokens == ")"));',
        5_000,
        BRACKETS,
        32,
    ),
    "more closed than opened": Natural(
        f'p = {UP_TO}; y = aggregate(p, indicator(tokens == "(")) - aggregate(p, indicator(tokens == ")")) < 0;',
        5_000,
        BRACKETS,
    ),
    "above the mean": Natural("y = tokens_int > aggregate(full_s, tokens_int);", 5_000, DIGITS),
    "majority": Natural("y = aggregate(full_s, 1 if tokens_int > 4 else 0) > 1 / 2;", 5_000, DIGITS),
    "rotate by three": Natural("y = aggregate(select(indices, (indices + 3) % length, ==), tokens);", 5_000, LETTERS),
    "rotate by the first": Natural(
        "k = aggregate(select(indices, 0, ==), tokens_int);"
        "y = aggregate(select(indices, (indices + k) % length, ==), tokens_int);",
        5_000,
        DIGITS,
    ),
    "turn": Natural(
        "h = round(length / 2 - 1 / 4);"
        "y = aggregate(select(indices, indices + h if indices < h else indices - h, ==), tokens);",
        1_500,
        LETTERS,
    ),
    "turn, by two picks": Natural(
        f"{HALF} y = aggregate(select(indices, indices + h, ==), tokens, '') if indices < h"
        " else aggregate(select(indices, indices - h, ==), tokens, '');".replace("'", '"'),
        1_500,
        LETTERS,
    ),
    "turn, by a remainder": Natural(
        f"{HALF} y = aggregate(select(indices, (indices + h) % length, ==), tokens);", 1_500, LETTERS
    ),
    "halves exchanged": Natural(
        f"{HALF} u = length - h;"
        "p = indices + u if indices < h else (indices - u if indices >= u else indices);"
        "y = aggregate(select(indices, p, ==), tokens);",
        1_500,
        LETTERS,
    ),
    "first half reversed": Natural(
        f"{HALF} y = aggregate(select(indices, h - 1 - indices if indices < h else indices, ==), tokens);",
        1_500,
        LETTERS,
    ),
    "halves interleaved": Natural(
        "h = (length + length % 2) / 2; p = indices / 2 if indices % 2 == 0 else h + (indices - 1) / 2;"
        "y = aggregate(select(indices, p, ==), tokens);",
        1_500,
        LETTERS,
    ),
    "front reversed up to a count": Natural(
        'c = count(tokens, "a");'
        "y = aggregate(select(indices, c - 1 - indices if indices < c else indices, ==), tokens);",
        1_500,
        LETTERS,
    ),
    "rotate by a count": Natural(
        'c = count(tokens, "a");'
        "y = aggregate(select(indices, indices + c if indices + c < length else indices + c - length, ==), tokens);",
        1_500,
        LETTERS,
    ),
    "distance to the nearer end": Natural(
        "y = indices if indices < length - 1 - indices else length - 1 - indices;", 1_000, DIGITS
    ),
    "palindrome": Natural(
        "y = not contains(aggregate(select(indices, length - 1 - indices, ==), tokens) == tokens, False);",
        1_500,
        LETTERS,
    ),
    "changes from the mirror": Natural(
        'y = "*" if aggregate(select(indices, length - 1 - indices, ==), tokens) == tokens else tokens;', 1_500, LETTERS
    ),
    "repeats struck out": Natural('y = tokens if tokens != shift(tokens, 1, "") else "-";', 1_500, LETTERS),
    "one in the middle of two": Natural(
        'y = contains(tokens == shift(tokens, 2, "") and tokens != shift(tokens, 1, ""), True);', 1_500, LETTERS
    ),
    "twice the same": Natural(
        f"{HALF} p = load_from_location(tokens, (indices + h) % length);"
        "y = length % 2 == 0 and not contains(tokens == p, False);",
        1_500,
        LETTERS,
    ),
    "modulo by a count": Natural("p = count(tokens_int, 1); y = p - indices % (2 * p + 1);", 5_000, DIGITS),
    "a place and a count": Natural(
        'b = selector_width(select(tokens, "a", ==) and select(indices, indices, <)); y = indices % 17 == b;',
        20_000,
        LETTERS,
    ),
    "the same as the last": Natural(
        'y = aggregate(select(indices, indices - 1, ==), tokens, "a") == tokens;', 5_000, LETTERS
    ),
    "mean of the places": Natural(f"y = aggregate({UP_TO}, indices);", 5_000, DIGITS),
    "square of the mean": Natural("m = aggregate(full_s, tokens_int); y = m * m;", 20_000, DIGITS, 16),
    "variance": Natural(
        "m = aggregate(full_s, tokens_int); y = aggregate(full_s, tokens_int * tokens_int) - m * m;", 20_000, DIGITS, 16
    ),
    "variance, by deviations": Natural(
        "m = aggregate(full_s, tokens_int); y = aggregate(full_s, (tokens_int - m) ^ 2);", 20_000, DIGITS, 16
    ),
    "covariance": Natural(
        "x = aggregate(full_s, tokens_int); p = aggregate(full_s, indices);"
        "y = aggregate(full_s, tokens_int * indices) - x * p;",
        20_000,
        DIGITS,
        16,
    ),
    "product of counts": Natural("y = count(tokens_int, 1) * count(tokens_int, 2);", 20_000, DIGITS, 16),
    "quotient": Natural("a = count(tokens_int, 1); y = round(length * a / (a + 1));", 20_000, DIGITS, 16),
    "dot product": Natural(
        "x = aggregate(select(indices, length - 1 - indices, ==), tokens_int);"
        "y = aggregate(full_s, tokens_int * x) * length;",
        20_000,
        DIGITS,
        16,
    ),
    "mean": Natural("y = aggregate(full_s, tokens_int);", 5_000, DIGITS, 32),
    "mean so far": Natural(f"y = aggregate({UP_TO}, tokens_int);", 5_000, DIGITS, 32),
    "mean, rounded": Natural("y = round(aggregate(full_s, tokens_int));", 5_000, DIGITS),
    "root of the mean": Natural("y = aggregate(full_s, tokens_int) ^ 0.5;", 1_000, DIGITS, 32),
    "harmonic mean": Natural("y = 1 / aggregate(full_s, 1 / tokens_int);", 5_000, DIGITS[1:], 6),
    "deviation, rounded": Natural(
        "m = aggregate(full_s, tokens_int); y = round((aggregate(full_s, tokens_int * tokens_int) - m * m) ^ 0.5);",
        20_000,
        DIGITS,
        16,
    ),
    "a large deviation": Natural(
        "m = aggregate(full_s, tokens_int); y = (aggregate(full_s, tokens_int * tokens_int) - m * m) ^ 0.5 > 2;",
        20_000,
        DIGITS,
        16,
    ),
    "per mille so far": Natural(
        f"y = round(1000 * selector_width(select(tokens_int, 7, ==) and {UP_TO}) / (indices + 1));", 2_000, DIGITS, 32
    ),
    "share of what is left": Natural(
        "even = selector_width(select(tokens_int % 2, 0, ==)); y = even / (length - even + 1);", 1_000, DIGITS, 32
    ),
    "at the mean place": Natural(
        'm = aggregate(select(tokens, "a", ==), indices); y = aggregate(select(indices, m, ==), tokens);',
        5_000,
        [*"ab|"],
        16,
    ),
    "the token at the mean place": Natural(
        'm = aggregate(select(tokens, "a", ==), indices); t = aggregate(select(indices, m, ==), tokens);'
        'y = m + 1 if t == "a" else m;',
        10_000,
        [*"ab|"],
        16,
    ),
    "a mean, and a branch that is never taken": Natural(
        'k = selector_width(select(tokens, "Q", ==)); m = aggregate(select(tokens, "a", ==), indices);'
        "y = aggregate(select(indices, 0, ==), tokens) if k == 3 else m;",
        1_000,
        [*"ab|"],
        16,
    ),
    "every other": Natural(
        f'c = selector_width(select(tokens, "a", ==) and {UP_TO}); y = "*" if c % 2 == 1 else tokens;', 10_000, LETTERS
    ),
    "the more frequent": Natural('y = "a" if count(tokens, "a") >= count(tokens, "b") else "b";', 500, LETTERS),
    "two kinds of brackets": Natural(
        f"so_far = {UP_TO}; closes = tokens in [')', '}}'];"
        "depth = aggregate(so_far, -1 if closes else 1) * (indices + 1);"
        "level = depth + indicator(closes); same = select(level, level, ==); number = selector_width(same and so_far);"
        "opens = aggregate(same and select(number, number - 1, ==), tokens, '');"
        "wrong = closes and not (opens == ('(' if tokens == ')' else '{'));"
        "y = 'F' if has_focus(so_far and select(wrong, True, ==)) else ('T' if depth == 0 else 'P');".replace("'", '"'),
        20_000,
        [*"(){}"],
        32,
    ),
    "highest so far": Natural(
        f"y = tokens;\nfor c in {json.dumps(LETTERS)} {{ "
        f"y = c if selector_width(select(tokens, c, ==) and {UP_TO}) > 0 else y; }}",
        20_000,
        LETTERS,
    ),
}
SLOWLY_VERIFIED = {
    *("mean", "sum of squares", "weighted sum", "variance", "variance, by deviations", "sum of counts"),
    "highest so far",
}
MARKS = dict.fromkeys(SLOWLY_VERIFIED, (pytest.mark.slow,)) | {
    "mean of the squares": (pytest.mark.slow, pytest.mark.nightly),  # 1.6 thousand million logits
    "covariance": (pytest.mark.slow, pytest.mark.nightly),
}


@cache
def made(name: str) -> compiler.Compiled:
    one = PROGRAMS[name]
    header = f"#@ vocab: {json.dumps(one.vocab)}\n#@ max_length: {one.length}\n#@ output: y\n"
    return compiler.compile(rasp.parse(header + one.text))


def inputs(name: str) -> list[list[object]]:
    """All short ones over some tokens, and random ones of every length, of few tokens and of many."""
    one, rng = PROGRAMS[name], random.Random(name)
    few = one.vocab[:3]
    short = [list(tokens) for tokens in every(few, 3)]
    lengths = [rng.randint(1, one.length) for _ in range(60)] + [one.length] * 40
    pools = [rng.sample(one.vocab, rng.randint(1, len(one.vocab))) for _ in lengths]
    return short + [[rng.choice(pool) for _ in range(n)] for n, pool in zip(lengths, pools, strict=True)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_people_write_is_certified_small_and_right(name: str) -> None:
    found = made(name)
    assert found.certificate.ok
    unembedding = found.weights.tensors["unembed.W_U"].size
    assert found.circuit.parameters() - unembedding <= PROGRAMS[name].beside
    tried = inputs(name)
    answers = found.model.run_batch(tried)
    for tokens, answer in zip(tried, answers, strict=True):
        assert answer == [to_python(value) for value in found.program["y"].exact(tokens)], tokens  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=MARKS[name]) if name in MARKS else name for name in PROGRAMS],
)
def test_what_people_write_is_verified(name: str) -> None:
    verdict = verify_model(made(name).model)
    assert verdict.ok, verdict.reason
