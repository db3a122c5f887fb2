"""What the programs of the library should answer, said again in Python, independently of RASP."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import accumulate, combinations, groupby, pairwise
from typing import Any

Oracle = Callable[[Sequence[Any]], list[Any]]


def verdicts(pairs: dict[str, str]) -> Oracle:
    """Brackets of several kinds: T balanced, P can still be closed, F beyond repair."""

    def run(w: Sequence[str]) -> list[str]:
        stack: list[str] = []
        out = []
        for token in w:
            if out and out[-1] == "F":
                out.append("F")
            elif token in pairs:
                stack.append(pairs[token])
                out.append("P")
            else:
                good = bool(stack) and stack.pop() == token
                out.append(("P" if stack else "T") if good else "F")
        return out

    return run


def shuffled(w: Sequence[str], pairs: tuple[str, ...] = ("()", "[]")) -> list[str]:
    prefixes = [w[: i + 1] for i in range(len(w))]
    depths = [[p.count(pair[0]) - p.count(pair[1]) for pair in pairs] for p in prefixes]
    worst = list(accumulate(map(min, depths), min))
    return ["F" if low < 0 else "T" if not any(d) else "P" for low, d in zip(worst, depths, strict=True)]


def double_histogram_bos(w: Sequence[str]) -> list[int]:
    """For inputs whose first token occurs only once."""
    counts = Counter(w[1:])
    return [0, *(list(counts.values()).count(counts[t]) for t in w[1:])]


def by_frequency(w: Sequence[Any]) -> list[Any]:
    return [token for token, _ in Counter(w).most_common()]


def long_addition(w: Sequence[str]) -> list[int]:
    text = "".join(w)
    first, _, second = text.rpartition("+")
    total = int(first.replace("+", "0") or 0) + int(second or 0)
    return [int(digit) for digit in str(total).zfill(len(w))][-len(w) :]


ORACLES: dict[str, Oracle] = {
    "paper/histogram_bos": lambda w: [w[1:].count(t) for t in w],
    "paper/double_histogram_bos": double_histogram_bos,
    "paper/sort_bos": lambda w: [w[0], *sorted(w[1:])],
    "paper/most_frequent": lambda w: (by_frequency(w) + ["-"] * len(w))[: len(w)],
    "paper/most_frequent_bos": lambda w: ([w[0], *by_frequency(w[1:])] + ["§"] * len(w))[: len(w)],
    "paper/dyck_1_ptf": verdicts({"(": ")"}),
    "paper/dyck_2_ptf": verdicts({"(": ")", "{": "}"}),
    "paper/dyck_3_ptf": verdicts({"(": ")", "{": "}", "[": "]"}),
    "paper/shuffle_dyck": shuffled,
    "paper/long_addition": long_addition,
}


def trend(w: Sequence[int]) -> list[str]:
    steps = [b - a for a, b in zip([w[0], *w], w, strict=False)]
    return ["rising" if step > 0 else "falling" if step < 0 else "level" for step in steps]


def turns(w: Sequence[int]) -> list[str]:
    triples = zip([w[0], *w], w, [*w[1:], w[-1]], strict=False)
    return ["peak" if a < b > c else "valley" if a > b < c else "-" for a, b, c in triples]


def oscillates(w: Sequence[int]) -> list[bool]:
    steps = [b - a for a, b in pairwise(w)]
    return everywhere(w, all(steps) and all(a * b < 0 for a, b in pairwise(steps)))


def everywhere(w: Sequence[Any], value: Any) -> list[Any]:
    return [value] * len(w)


def padded(w: Sequence[Any], values: Sequence[Any], filler: Any) -> list[Any]:
    """The values from the left, then the filler, as many as there are tokens."""
    return [*values, *[filler] * len(w)][: len(w)]


ORACLES |= {
    "position/add_index": lambda w: [t + i for i, t in enumerate(w)],
    "position/twice_minus_index": lambda w: [2 * t - i for i, t in enumerate(w)],
    "position/zero_even_positions": lambda w: [t * (i % 2) for i, t in enumerate(w)],
    "position/every_third": lambda w: ["." if i % 3 else t for i, t in enumerate(w)],
    "position/gather_every_third": lambda w: padded(w, w[::3], "."),
    "position/increment_odd_positions": lambda w: [t + i % 2 for i, t in enumerate(w)],
    "position/keep_position_1": lambda w: [t if i == 1 else "." for i, t in enumerate(w)],
    "position/double_first_half": lambda w: [2 * t if i < len(w) // 2 else t for i, t in enumerate(w)],
    "position/halve_second_half": lambda w: [t / 2 if i >= (len(w) + 1) // 2 else t for i, t in enumerate(w)],
    "position/from_the_end": lambda w: list(range(len(w)))[::-1],
    "position/distance_to_middle": lambda w: [abs(2 * i - len(w) + 1) for i in range(len(w))],
    "position/thirds_of_the_input": lambda w: [1 + 3 * i // len(w) for i in range(len(w))],
    "neighbours/sum_with_previous": lambda w: [a + b for a, b in zip([0, *w], w, strict=False)],
    "neighbours/difference_from_previous": lambda w: [b - a for a, b in zip([w[0], *w], w, strict=False)],
    "neighbours/product_with_next": lambda w: [a * b for a, b in zip(w, [*w[1:], 1], strict=True)],
    "neighbours/maximum_with_both": lambda w: [max(w[max(i - 1, 0) : i + 2]) for i in range(len(w))],
    "neighbours/zero_if_smaller_than_previous": lambda w: [
        t if t == max(w[max(i - 1, 0) : i + 1]) else 0 for i, t in enumerate(w)
    ],
    "neighbours/swap_pairs": lambda w: [t for i in range(0, len(w), 2) for t in w[i : i + 2][::-1]],
    "neighbours/type_boundaries": lambda w: [a.isdigit() != b.isdigit() for a, b in zip([w[0], *w], w, strict=False)],
    "neighbours/mark_repeats": lambda w: [a == b for a, b in zip(["", *w], w, strict=False)],
    "neighbours/squeeze_repeats": lambda w: padded(w, [token for token, _ in groupby(w)], "."),
    "neighbours/trend": trend,
    "neighbours/turning_points": turns,
    "neighbours/oscillates": oscillates,
    "neighbours/alternating_parity": lambda w: everywhere(w, all((a + b) % 2 for a, b in pairwise(w))),
    "neighbours/alternating_types": lambda w: [
        all(a.isdigit() != b.isdigit() for a, b in pairwise(w[: i + 1])) for i in range(len(w))
    ],
    "neighbours/is_increasing": lambda w: everywhere(w, all(a < b for a, b in pairwise(w))),
    "neighbours/falling_so_far": lambda w: [all(a >= b for a, b in pairwise(w[: i + 1])) for i in range(len(w))],
    "neighbours/run_length": lambda w: [i + 1 for _, run in groupby(w) for i, _ in enumerate(run)],
    "neighbours/moving_majority": lambda w: [int(sum(w[max(i - 1, 0) : i + 2]) >= 2) for i in range(len(w))],
    "neighbours/contains_aba": lambda w: everywhere(w, "aba" in "".join(w)),
    "neighbours/window_sum": lambda w: [sum(w[max(i - 3, 0) : i + 1]) for i in range(len(w))],
}


def swapped(w: Sequence[Any], a: int, b: int) -> list[Any]:
    out = list(w)
    if max(a, b) < len(w):
        out[a], out[b] = out[b], out[a]
    return out


def exchanged(w: Sequence[Any]) -> list[Any]:
    half, step = len(w) // 2, (len(w) + 1) // 2
    return [*w[step:], *w[half:step], *w[:half]]


def induction(w: Sequence[str]) -> list[str]:
    return [next((w[j + 1] for j in range(i - 1, -1, -1) if w[j] == w[i]), "?") for i in range(len(w))]


def majority(w: Sequence[str]) -> list[str]:
    token, number = Counter(w).most_common(1)[0]
    return everywhere(w, token if 2 * number > len(w) else "-")


ORACLES |= {
    "sequence/first_everywhere": lambda w: everywhere(w, w[0]),
    "sequence/second_everywhere": lambda w: everywhere(w, w[1] if len(w) > 1 else "-"),
    "sequence/last_then_padding": lambda w: padded(w, w[-1:], "."),
    "sequence/swap_first_and_last": lambda w: swapped(w, 0, len(w) - 1),
    "sequence/swap_positions_1_and_3": lambda w: swapped(w, 1, 3),
    "sequence/reverse_first_half": lambda w: [*w[: len(w) // 2][::-1], *w[len(w) // 2 :]],
    "sequence/exchange_halves": exchanged,
    "sequence/mirror": lambda w: [*w[: (len(w) + 1) // 2], *w[: len(w) // 2][::-1]],
    "sequence/interleave_with_reverse": lambda w: [w[-1 - i] if i % 2 else t for i, t in enumerate(w)],
    "sequence/insert_zeros": lambda w: [0 if i % 2 else w[i // 2] for i in range(len(w))],
    "sequence/repeat_each_twice": lambda w: [w[i // 2] for i in range(len(w))],
    "sequence/rotate_by_2": lambda w: [w[(i - 2) % len(w)] for i in range(len(w))],
    "sequence/rotate_by_first": lambda w: [w[(i + w[0]) % len(w)] for i in range(len(w))],
    "sequence/average_of_ends": lambda w: everywhere(w, (w[0] + w[-1]) / 2),
    "sequence/maximum": lambda w: everywhere(w, max(w)),
    "sequence/minimum": lambda w: everywhere(w, min(w)),
    "sequence/minimum_so_far": lambda w: list(accumulate(w, min)),
    "sequence/median": lambda w: everywhere(w, statistics.median_low(w)),
    "sequence/range": lambda w: everywhere(w, int(max(w)) - int(min(w))),
    "sequence/sum": lambda w: everywhere(w, sum(w)),
    "sequence/sum_so_far": lambda w: list(accumulate(w)),
    "sequence/times_length": lambda w: [t * len(w) for t in w],
    "sequence/divide_by_length": lambda w: [t / len(w) for t in w],
    "sequence/divide_by_maximum": lambda w: [int(t) / int(max(w)) for t in w],
    "sequence/rank": lambda w: [1 + len({u for u in w if u > t}) for t in w],
    "sequence/count_greater": lambda w: [sum(u > t for u in w) for t in w],
    "sequence/count_smaller_before": lambda w: [sum(u < t for u in w[:i]) for i, t in enumerate(w)],
    "sequence/count_inversions": lambda w: everywhere(w, sum(a > b for a, b in combinations(w, 2))),
    "sequence/all_equal": lambda w: everywhere(w, len(set(w)) == 1),
    "sequence/any_two_equal": lambda w: everywhere(w, len(set(w)) < len(w)),
    "sequence/last_two_equal": lambda w: everywhere(w, w[-2:-1] == w[-1:]),
    "sequence/duplicates_to_zero": lambda w: [0 if t in w[:i] else t for i, t in enumerate(w)],
    "sequence/multiple_of_first": lambda w: [t % w[0] == 0 for t in w],
    "sequence/palindrome": lambda w: everywhere(w, list(w) == list(w)[::-1]),
    "sequence/negate_if_sorted": lambda w: [-t if list(w) == sorted(w) else t for t in w],
    "sequence/fraction_so_far": lambda w: [w[: i + 1].count("x") / (i + 1) for i in range(len(w))],
    "sequence/bracket_balance": lambda w: list(accumulate((t == "(") - (t == ")") for t in w)),
    "sequence/count_token": lambda w: everywhere(w, w.count("a")),
    "sequence/count_distinct": lambda w: everywhere(w, len(set(w))),
    "sequence/rarity": lambda w: [["rare", "common", "common", "frequent"][min(w.count(t), 4) - 1] for t in w],
    "sequence/polynomial": lambda w: [sum(c * t**i for i, c in enumerate(w[:3])) for t in w],
    "sequence/normalised_frequency": lambda w: [w.count(t) / len(w) for t in w],
    "sequence/first_occurrence": lambda w: [w.index(t) for t in w],
    "sequence/distance_to_previous": lambda w: [
        next((d for d in range(1, i + 1) if w[i - d] == w[i]), 0) for i in range(len(w))
    ],
    "sequence/smaller_minus_greater": lambda w: [sum(sign(t - u) for u in w) for t in w],
    "sequence/unique_tokens": lambda w: padded(w, list(dict.fromkeys(w)), "."),
    "sequence/has_previous": lambda w: [t in w[:i] for i, t in enumerate(w)],
    "sequence/is_last_occurrence": lambda w: [t not in w[i + 1 :] for i, t in enumerate(w)],
    "sequence/induction": induction,
    "sequence/sort_descending": lambda w: sorted(w, reverse=True),
    "sequence/sort_by_parity": lambda w: sorted(w, key=lambda t: int(t) % 2),
    "sequence/move_zeros_to_end": lambda w: sorted(w, key=lambda t: t == "0"),
    "sequence/majority": majority,
    "sequence/mode_count": lambda w: everywhere(w, max(Counter(w).values())),
}


def by_word(rule: Callable[[list[str]], Sequence[Any]], blank: Any = " ") -> Oracle:
    """A rule for the letters of each word; blanks have an answer of their own."""

    def run(w: Sequence[str]) -> list[Any]:
        words = ["".join(letters) for gap, letters in groupby(w, lambda t: t == " ") if not gap]
        letters = iter([answer for word in words for answer in rule(list(word))])
        return [blank if t == " " else next(letters) for t in w]

    return run


def longest_word(w: Sequence[str]) -> list[bool]:
    longest = max(map(len, "".join(w).split()), default=0)
    return by_word(lambda word: everywhere(word, len(word) == longest), False)(w)


def capitalised(w: Sequence[str]) -> list[str]:
    return [t.upper() if a == " " else t for a, t in zip([" ", *w], w, strict=False)]


def indirect_object(w: Sequence[str]) -> list[str]:
    return everywhere(w, next((t for t in w if t in ("Mary", "John", "Anna") and w.count(t) == 1), "-"))


def word_chain(w: Sequence[str]) -> list[bool]:
    fits = [a[-1] == b[0] for a, b in pairwise(w)]
    return [all(fits[:i]) for i in range(len(w))]


def bounded_verdicts(w: Sequence[str]) -> list[str]:
    depths = list(accumulate((t == "(") - (t == ")") for t in w))
    broken = list(accumulate((not 0 <= depth <= 3 for depth in depths), max))
    return ["F" if bad else "P" if depth else "T" for bad, depth in zip(broken, depths, strict=True)]


def rule_110(w: Sequence[int]) -> list[int]:
    cells = [0, *w, 0]
    return [110 >> (4 * a + 2 * b + c) & 1 for a, b, c in zip(cells, cells[1:], cells[2:], strict=False)]


def life(w: Sequence[int]) -> list[int]:
    def living(i: int) -> int:
        row, column = divmod(i, 4)
        near = [(r, (column + d) % 4) for r in (row - 1, row, row + 1) for d in (-1, 0, 1) if (r, d) != (row, 0)]
        return sum(w[4 * r + c] for r, c in near if 0 <= 4 * r + c < len(w))

    return [int(living(i) == 3 or (t == 1 and living(i) == 2)) for i, t in enumerate(w)]


def compared(w: Sequence[str]) -> list[str]:
    first, _, second = "".join(w).rpartition("?")
    a, b = int(first.replace("?", "0") or "0", 2), int(second or "0", 2)
    return everywhere(w, "<" if a < b else ">" if a > b else "=")


def columns_added(w: Sequence[str]) -> list[int]:
    upper, lower = (int("".join(column[row] for column in w), 2) for row in (0, 1))
    return [int(digit) for digit in format(upper + lower, f"0{len(w)}b")[-len(w) :]]


def nested(w: Sequence[str]) -> list[bool]:
    """A stack says whether the brackets fit, and how high it has been says how deep they are."""
    pairs = {"(": ")", "[": "]", "{": "}"}
    stack: list[str] = []
    good = True
    for token in w:
        if token in pairs:
            stack.append(pairs[token])
        else:
            good = good and bool(stack) and stack.pop() == token
        good = good and len(stack) <= 3
    return everywhere(w, good and not stack)


def caesar(w: Sequence[str]) -> list[str]:
    shift = int(w[0]) if w[0].isdigit() else 0
    return [t if t.isdigit() else "abcdefgh"[("abcdefgh".index(t) + shift) % 8] for t in w]


def prefix_formula(w: Sequence[str]) -> list[str]:
    """The value of a prefix formula in the three-valued logic of Kleene, with the last place of a value as its end."""

    def value(at: int, levels: int) -> tuple[str, int]:
        if at >= len(w):
            return "?", at
        if w[at] in "01":
            return "FT"[int(w[at])], at + 1
        first, end = value(at + 1, levels - 1)
        if w[at] == "!":
            found = {"T": "F", "F": "T", "?": "?"}[first]
        else:
            second, end = value(end, levels - 1)
            strong, weak = ("F", "T") if w[at] == "&" else ("T", "F")
            found = strong if strong in (first, second) else weak if first == second == weak else "?"
        return (found if levels > 0 else "?"), end

    return everywhere(w, value(0, 3)[0])


def sign(number: int) -> int:
    return (number > 0) - (number < 0)


ORACLES |= {
    "words/length_of_each_word": by_word(lambda word: everywhere(word, len(word)), 0),
    "words/even_number_of_letters": lambda w: everywhere(w, sum(t.isalpha() for t in w) % 2 == 0),
    "words/reverse_each_word": by_word(lambda word: word[::-1]),
    "words/reverse_words_except_names": by_word(
        lambda word: word if "".join(word) != "".join(word).lower() else word[::-1]
    ),
    "words/palindrome_words": by_word(lambda word: everywhere(word, word == word[::-1]), False),
    "words/first_letter_to_end": by_word(lambda word: [*word[1:], word[0]]),
    "words/capitalise": capitalised,
    "words/abbreviation": lambda w: padded(w, [word[0] for word in "".join(w).split()], "."),
    "words/count_words": lambda w: everywhere(w, len("".join(w).split())),
    "words/longest_word": longest_word,
    "words/symmetric_words": by_word(lambda word: everywhere(word, set(word) <= set("AMOT")), False),
    "words/isogram": by_word(lambda word: everywhere(word, len(set(word)) == len(word)), False),
    "words/anagram_of_listen": lambda w: everywhere(w, sorted(w) == sorted("listen")),
    "words/vowels_or_consonants": lambda w: everywhere(
        w, ["consonants", "equal", "vowels"][1 + sign(2 * sum(t in "aei" for t in w) - len(w))]
    ),
    "words/mirror_writing": lambda w: [t.translate(str.maketrans("bdpq", "dbqp")) for t in w[::-1]],
    "words/emoji_sentiment": lambda w: everywhere(
        w, ["neutral", "good", "bad"][sign(sum(t in "🙂😍" for t in w) - sum(t in "🙁😡" for t in w))]
    ),
    "words/spam_by_keywords": lambda w: everywhere(w, len({"free", "winner", "cash"} & set(w)) >= 2),
    "words/sort_by_length": lambda w: sorted(w, key=len),
    "words/indirect_object": indirect_object,
    "words/word_chain": word_chain,
    "languages/an_bn_cn": lambda w: everywhere(w, "".join(w) == "".join(t * (len(w) // 3) for t in "abc")),
    "languages/parity": lambda w: [w[: i + 1].count("1") % 2 for i in range(len(w))],
    "languages/count_modulo_3": lambda w: [(w[: i + 1].count("a") - w[: i + 1].count("b")) % 3 for i in range(len(w))],
    "languages/binary_divisible_by_3": lambda w: [int("".join(w[: i + 1]), 2) % 3 == 0 for i in range(len(w))],
    "languages/never_two_a_in_a_row": lambda w: ["aa" not in "".join(w[: i + 1]) for i in range(len(w))],
    "languages/letters_in_order": lambda w: [list(w[: i + 1]) == sorted(w[: i + 1]) for i in range(len(w))],
    "languages/every_a_has_a_later_b": lambda w: everywhere(w, "a" not in "".join(w).rpartition("b")[2]),
    "languages/b_between_any_two_a": lambda w: everywhere(w, "aa" not in "".join(w).replace("c", "")),
    "languages/some_a_before_all_b": lambda w: everywhere(w, "a" in "".join(w).partition("b")[0]),
    "languages/twice_the_same_word": lambda w: everywhere(w, w[: len(w) // 2] == w[len(w) // 2 :]),
    "languages/brackets_at_most_3_deep": bounded_verdicts,
    "languages/rule_110": rule_110,
    "languages/life_on_a_ring": life,
    "languages/binary_comparison": compared,
    "languages/binary_increment": lambda w: [
        int(digit) for digit in format(int("".join(map(str, w)), 2) + 1, f"0{len(w)}b")[-len(w) :]
    ],
    "languages/binary_addition": columns_added,
    "languages/nested_brackets_3_deep": nested,
    "languages/caesar_cipher": caesar,
    "languages/prefix_formula": prefix_formula,
}


def each(rule: Callable[[Any], Any]) -> Oracle:
    """A function of the token alone."""
    return lambda w: [rule(token) for token in w]


def primes(limit: int) -> list[int]:
    return [n for n in range(2, limit) if all(n % d for d in range(2, n))]


def reflected(t: int) -> int:
    return 10 - t if t > 5 else -10 - t if t < -5 else t


def fibonacci(n: int) -> int:
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def thousandths(function: Callable[[float], float]) -> Oracle:
    return each(lambda t: round(function(t), 3) + 0.0)


ORACLES |= {
    "elementwise/identity": each(lambda t: t),
    "elementwise/decrement": each(lambda t: t - 1),
    "elementwise/triple": each(lambda t: t * 3),
    "elementwise/increment": each(lambda t: t + 1),
    "elementwise/negate": each(lambda t: -t),
    "elementwise/double": each(lambda t: t * 2),
    "elementwise/halve": each(lambda t: t / 2),
    "elementwise/square": each(lambda t: t * t),
    "elementwise/cube": each(lambda t: t * t * t),
    "elementwise/absolute_value": each(abs),
    "elementwise/sign": each(sign),
    "elementwise/clip": each(lambda t: sorted([-5, t, 5])[1]),
    "elementwise/wrap": each(lambda t: t % 7),
    "elementwise/reflect": each(reflected),
    "elementwise/threshold": each(lambda t: t >= 4),
    "elementwise/round_down_to_3": each(lambda t: t // 3 * 3),
    "elementwise/round_up_to_3": each(lambda t: -(-t // 3) * 3),
    "elementwise/factorial": each(math.factorial),
    "elementwise/fibonacci": each(fibonacci),
    "elementwise/is_fibonacci": each(lambda t: t in [fibonacci(n) for n in range(10)]),
    "elementwise/is_prime": each(lambda t: t in primes(30)),
    "elementwise/next_prime": each(lambda t: min(p for p in primes(30) if p > t)),
    "elementwise/distinct_prime_factors": each(lambda t: sum(t % p == 0 for p in primes(31))),
    "elementwise/is_square": each(lambda t: math.isqrt(t) ** 2 == t),
    "elementwise/is_power_of_two": each(lambda t: t.bit_count() == 1),
    "elementwise/divisible_by_3": each(lambda t: t // 3 * 3 == t),
    "elementwise/digit_sum": each(lambda t: sum(map(int, str(t)[-2:]))),
    "elementwise/exponential": thousandths(math.exp),
    "elementwise/logarithm": thousandths(math.log10),
    "elementwise/square_root": thousandths(math.sqrt),
    "elementwise/cube_root": thousandths(math.cbrt),
    "elementwise/sine": thousandths(math.sin),
    "elementwise/cosine": thousandths(math.cos),
    "elementwise/tangent": thousandths(math.tan),
    "elementwise/arc_sine": thousandths(math.asin),
    "elementwise/arc_cosine": thousandths(math.acos),
    "elementwise/arc_tangent": thousandths(math.atan),
    "elementwise/hyperbolic_sine": thousandths(math.sinh),
    "elementwise/hyperbolic_cosine": thousandths(math.cosh),
    "elementwise/hyperbolic_tangent": thousandths(math.tanh),
}


def continued(rule: Callable[[Sequence[Any]], Any]) -> Oracle:
    """The next token after each prefix."""
    return lambda w: [rule(w[: i + 1]) for i in range(len(w))]


def what_followed(p: Sequence[str]) -> str:
    return next((p[j + 1] for j in range(len(p) - 2, -1, -1) if p[j] == p[-1]), ".")


def copied(p: Sequence[str]) -> str:
    found = p[len(p) - 1 - p.index("|")] if "|" in p else "."
    return "." if found == "|" else found


def turned_round(p: Sequence[str]) -> str:
    place = 2 * p.index("|") - len(p) if "|" in p else -1
    return p[place] if place >= 0 else "."


def due(p: Sequence[str]) -> str:
    bar = p.index("|") if "|" in p else len(p)
    return next((t for t in "abcd" if p[:bar].count(t) > p[bar:].count(t)), ".")


def counted(p: Sequence[str]) -> str:
    if len(p) == 1:
        return ":"
    return "." if p[-1] == p[0] else ":123456789.."[":123456789.".index(p[-1]) + 1]


def closing(p: Sequence[str]) -> str:
    """By depth: the last bracket that was opened to the depth at the end."""
    depths = list(accumulate((t in "([") - (t in ")]") for t in p))
    at = next((j for j in range(len(p) - 1, -1, -1) if p[j] in "([" and depths[j] == depths[-1] > 0), None)
    return "." if at is None else {"(": ")", "[": "]"}[p[at]]


ORACLES |= {
    "decoders/repeat_aab": continued(lambda p: "b" if list(p[-2:]) == ["a", "a"] else "a"),
    "decoders/traffic_light": continued(
        lambda p: "yellow" if p[-1] != "yellow" else "red" if list(p[-2:-1]) == ["green"] else "green"
    ),
    "decoders/induction": continued(what_followed),
    "decoders/copy": continued(copied),
    "decoders/reverse": continued(turned_round),
    "decoders/sort": continued(due),
    "decoders/count_up": continued(counted),
    "decoders/close_brackets": continued(closing),
    "decoders/fibonacci_digits": continued(lambda p: sum(p[-2:]) % 10),
    "decoders/fibonacci": continued(lambda p: sum(p[-2:]) if sum(p[-2:]) in map(fibonacci, range(13)) else 0),
}


def digitwise(rule: Callable[[list[int]], Any]) -> Oracle:
    """One answer for all positions, from the digits as numbers."""
    return lambda w: everywhere(w, rule([int(t) for t in w]))


def so_far(rule: Callable[[list[int]], Any]) -> Oracle:
    """A rule for the digits up to each position."""
    return continued(lambda p: rule([int(t) for t in p]))


def positions(rule: Callable[[Sequence[Any], int], Any]) -> Oracle:
    """A rule for the input and a position."""
    return lambda w: [rule(w, i) for i in range(len(w))]


def mean(numbers: Sequence[float]) -> float:
    """A float; 0 of nothing."""
    return float(statistics.mean(numbers)) if numbers else 0.0


def luhn(v: list[int]) -> bool:
    return sum(sum(divmod(2 * d, 10)) if i % 2 else d for i, d in enumerate(v[::-1])) % 10 == 0


def digital_root(v: list[int]) -> int:
    total = sum(v)
    while total > 9:
        total = sum(map(int, str(total)))
    return total


def number(v: list[int]) -> int:
    return int("".join(map(str, v)))


def halves(w: Sequence[Any]) -> list[tuple[Any, Any]]:
    """What stands at the same place of both halves, the middle left out."""
    half = len(w) // 2
    return list(zip(w[:half], w[len(w) - half :], strict=True))


def since_zero(v: list[int]) -> int:
    total = 0
    for digit in v:
        total = total + digit if digit else 0
    return total


def partners(w: Sequence[str]) -> list[int]:
    """A stack of the open ones."""
    opened: list[int] = []
    found = [-1] * len(w)
    for i, token in enumerate(w):
        if token == "(":
            opened.append(i)
        elif opened:
            j = opened.pop()
            found[i], found[j] = j, i
    return found


def filled(v: list[int]) -> int:
    return next((digit for digit in v[::-1] if digit), 0)


def walked(w: Sequence[str]) -> list[int]:
    place = sum({"north": 1j, "south": -1j, "east": 1, "west": -1, "rest": 0}[t] for t in w)
    return everywhere(w, int(abs(complex(place).real) + abs(complex(place).imag)))


def felt(w: Sequence[str]) -> list[int]:
    worth = {"good": 1, "great": 2, "bad": -1, "awful": -2}
    return everywhere(w, sum(worth.get(t, 0) * (-1 if a == "not" else 1) for a, t in zip(["", *w], w, strict=False)))


ORACLES |= {
    "numbers/weighted_sum": digitwise(lambda v: sum(i * d for i, d in enumerate(v, 1))),
    "numbers/checksum_mod_97": digitwise(lambda v: sum(i * d for i, d in enumerate(v, 1)) % 97),
    "numbers/check_digit": digitwise(lambda v: (10 - (sum(v[::2]) + 3 * sum(v[1::2])) % 10) % 10),
    "numbers/luhn": digitwise(luhn),
    "numbers/digital_root": digitwise(digital_root),
    "numbers/divisible_by_11": digitwise(lambda v: number(v) % 11 == 0),
    "numbers/remainder_by_7": digitwise(lambda v: number(v) % 7),
    "numbers/alternating_sum": digitwise(lambda v: sum(v[::2]) - sum(v[1::2])),
    "numbers/sum_of_squares": digitwise(lambda v: sum(d * d for d in v)),
    "numbers/suffix_sum": lambda w: list(accumulate(map(int, w[::-1])))[::-1],
    "numbers/sum_of_equal": lambda w: [int(t) * w.count(t) for t in w],
    "numbers/sum_since_zero": so_far(since_zero),
    "numbers/dot_product_of_halves": digitwise(lambda v: sum(a * b for a, b in halves(v))),
    "numbers/sum_of_neighbour_products": digitwise(lambda v: sum(a * b for a, b in pairwise(v))),
    "numbers/equal_pairs": lambda w: everywhere(w, sum(a == b for a, b in combinations(w, 2))),
    "numbers/sum_of_frequencies": lambda w: everywhere(w, sum(n * n for n in Counter(w).values())),
    "numbers/pairs_that_make_10": digitwise(lambda v: sum(a + b == 10 for a, b in combinations(v, 2))),
    "numbers/mean": digitwise(mean),
    "numbers/running_mean": so_far(mean),
    "numbers/window_mean": positions(lambda w, i: mean([int(t) for t in w[max(i - 1, 0) : i + 2]])),
    "numbers/mean_step": digitwise(lambda v: sum(abs(a - b) for a, b in pairwise(v)) / len(v)),
    "numbers/trimmed_mean": digitwise(lambda v: mean(sorted(v)[1:-1])),
    "numbers/top_three_mean": digitwise(lambda v: mean(sorted(v)[-3:])),
    "numbers/median_of_the_middle": digitwise(lambda v: float(statistics.median(v))),
    "numbers/moving_median": positions(
        lambda w, i: sorted(map(int, w[i - 1 : i + 2]))[1] if 0 < i < len(w) - 1 else int(w[i])
    ),
    "numbers/variance": digitwise(lambda v: float(statistics.pvariance(v))),
    "numbers/above_average": lambda w: [len(w) * int(t) > sum(map(int, w)) for t in w],
    "numbers/count_above_average": digitwise(lambda v: sum(len(v) * d > sum(v) for d in v)),
    "numbers/percentile": lambda w: [sum(u < t for u in w) / len(w) for t in w],
    "numbers/share_of_sum": lambda w: [int(t) / max(1, sum(map(int, w))) for t in w],
    "numbers/percent": lambda w: everywhere(w, round(Fraction(100 * w.count("a"), len(w)))),
    "numbers/majority_so_far": so_far(lambda v: int(2 * sum(v) > len(v))),
    "numbers/balance_fraction": continued(lambda p: (p.count("(") - p.count(")")) / len(p)),
    "numbers/mismatches_of_halves": lambda w: everywhere(w, sum(a != b for a, b in halves(w))),
    "numbers/mirror_mismatches": lambda w: everywhere(w, sum(w[i] != w[-1 - i] for i in range(len(w) // 2))),
    "numbers/index_of_maximum": digitwise(lambda v: v.index(max(v))),
    "numbers/last_index_of_minimum": digitwise(lambda v: len(v) - 1 - v[::-1].index(min(v))),
    "numbers/second_largest": digitwise(lambda v: sorted(v)[-2] if len(v) > 1 else 0),
    "numbers/kth_smallest": digitwise(lambda v: sorted(v)[v[0]] if v[0] < len(v) else 0),
    "numbers/smallest_missing": digitwise(lambda v: min({*range(11)} - {*v})),
    "numbers/number_of_records": digitwise(lambda v: sum(d > max(v[:i], default=-1) for i, d in enumerate(v))),
    "numbers/number_of_peaks": digitwise(
        lambda v: sum(a < b > c for a, b, c in zip([-1, *v], v, [*v[1:], -1], strict=False))
    ),
    "numbers/rises_minus_falls": digitwise(lambda v: sum(sign(b - a) for a, b in pairwise(v))),
    "numbers/where_half_is_reached": digitwise(
        lambda v: next(i for i, total in enumerate(accumulate(v)) if 2 * total >= sum(v))
    ),
    "numbers/fill_forward": so_far(filled),
    "numbers/next_occurrence": positions(lambda w, i: w.index(w[i], i + 1) if w[i] in w[i + 1 :] else -1),
    "numbers/matching_bracket": partners,
    "numbers/deepest_nesting": lambda w: everywhere(w, max(0, *accumulate((t == "(") - (t == ")") for t in w))),
    "numbers/stack_depth": lambda w: list(accumulate((t == "push") - (t in ("pop", "add")) for t in w)),
    "numbers/distance_from_home": walked,
    "numbers/signed_sentiment": felt,
    "numbers/swap_halves": lambda w: [int(t) for t in [*w[len(w) // 2 :], *w[: len(w) // 2]]],
    "numbers/root_mean_square_above_5": digitwise(lambda v: sum(d * d for d in v) > 25 * len(v)),
}
