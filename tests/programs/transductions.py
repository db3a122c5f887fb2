"""What the programs with a source should write, said again in Python, and the sources that each is tried on.

A task has what is written, without the token that ends it; the shortest sources; a random source of at most so many
tokens, as many where the task allows it; and those that lead to the longest targets.
"""

from __future__ import annotations

import calendar
import random
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, product
from operator import xor

Tokens = list[str]
DIGITS = "0123456789"


@dataclass(frozen=True)
class Task:
    """An oracle, and its sources: any tokens, unless it says otherwise."""

    oracle: Callable[[Tokens], Tokens]
    means: Callable[[str], object] | None = bool
    """Whether a source, its tokens joined (by blanks, if they are words), is one of the task's; None: none is short."""
    draw: Callable[[random.Random, int], Tokens] | None = None
    extremes: Sequence[str] = ()

    def shortest(self, vocabulary: Tokens) -> Iterator[Tokens]:
        """The sources of the task, the shortest first."""
        means = self.means
        if means is not None:
            for length in range(1, 12):
                yield from ([*one] for one in product(vocabulary, repeat=length) if means(joined(one)))

    def random(self, rng: random.Random, vocabulary: Tokens, length: int) -> Tokens:
        """A random source of at most so many tokens."""
        return self.draw(rng, length) if self.draw else rng.choices(vocabulary, k=length)


def joined(tokens: Sequence[str]) -> str:
    return ("" if all(len(token) == 1 for token in tokens) else " ").join(tokens)


# Numbers


def added(text: Tokens) -> Tokens:
    first, second = "".join(text).split("+")
    return [*str(int("0" + first) + int("0" + second)).zfill(len(first) + 1)]


def summands(rng: random.Random, length: int) -> Tokens:
    digits = max(length - 1, 0) // 2
    return [*rng.choices(DIGITS, k=digits), "+", *rng.choices(DIGITS, k=digits)]


def multiplied(text: Tokens) -> Tokens:
    number, factor = "".join(text).split("*")
    return [*str(int(number) * int(factor)).zfill(len(number))][::-1]


def factors(rng: random.Random, length: int) -> Tokens:
    digits = rng.choice((DIGITS, "09", "9"))
    return [*rng.choices(digits, k=max(length - 2, 1)), "*", rng.choice(DIGITS)]


def from_roman(letters: Tokens) -> Tokens:
    """Every letter is added; what stood in front of a greater one is then taken back twice."""
    total = before = 0
    for letter in letters:
        value = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}[letter]
        total += value - (2 * before if before < value else 0)
        before = value
    return [*str(total)]


ROMAN = {
    900: "CM",
    500: "D",
    400: "CD",
    100: "C",
    90: "XC",
    50: "L",
    40: "XL",
    10: "X",
    9: "IX",
    5: "V",
    4: "IV",
    1: "I",
}


def to_roman(digits: Tokens) -> Tokens:
    rest, letters = int("".join(digits)), ""
    for value, written in ROMAN.items():
        letters += written * (rest // value)
        rest %= value
    return [*letters]


TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
UNDER_20 = f"zero one two three four five six seven eight nine {TEENS}".split()
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def spelled(text: Tokens) -> Tokens:
    words: Tokens = []
    for part in re.findall(r"\d+|,", "".join(text)):
        if part == ",":
            words.append(part)
        elif int(part) < 20:
            words.append(UNDER_20[int(part)])
        else:
            tens, ones = divmod(int(part), 10)
            words += [TENS[tens - 2], UNDER_20[ones]][: 2 if ones else 1]
    return words


def numbers(rng: random.Random, length: int) -> Tokens:
    """Numbers of one or two digits, with one comma between two of them, or two."""
    parts = [
        str(rng.choice((rng.randrange(10), rng.randrange(100), "00"))) + rng.choice(",,,,,,;") for _ in range(length)
    ]
    return [*"".join(parts).replace(";", ",,")[:length]]


def dated(text: Tokens) -> Tokens:
    year, month, day = "".join(text).split("-")
    return [*str(int(day)), " ", calendar.month_name[int(month)], " ", *year]


def day(rng: random.Random, _: int = 10) -> Tokens:
    return [*f"{rng.randrange(10_000):04}-{rng.randint(1, 12):02}-{rng.randint(1, 31):02}"]


# Letters


def decoded_runs(text: Tokens) -> Tokens:
    return [letter for letter, times in zip(text[::2], text[1::2], strict=True) for _ in range(int(times))]


def encoded_runs(text: Tokens) -> Tokens:
    return [token for letter, run in groupby(text) for token in (letter, str(len([*run])))]


def pairs(rng: random.Random, length: int) -> Tokens:
    digits = rng.choice((DIGITS, "01", "9"))
    return [token for _ in range(max(length // 2, 1)) for token in (rng.choice("abcd"), rng.choice(digits))]


def runs(rng: random.Random, length: int) -> Tokens:
    found: Tokens = []
    while len(found) < length:
        letter = rng.choice([one for one in "abcd" if found[-1:] != [one]])
        found += letter * rng.randint(1, 9)
    return found[:length]


def pig_latin(text: Tokens) -> Tokens:
    words = [re.sub(r"^([^aeiou]*)(.*)$", r"\2\1ay", word) if word else "" for word in "".join(text).split(" ")]
    return [*" ".join(words)]


def words_and_blanks(rng: random.Random, length: int) -> Tokens:
    letters = rng.choice(("abcdefghijklmnopqrstuvwxyz", "aest"))
    return rng.choices([*letters, " "], [1] * len(letters) + [rng.choice((1, len(letters) / 4))], k=length)


def to_latin(text: Tokens) -> Tokens:
    """By the names that the letters have: theta begins with th; eta and omega are long."""
    names = [unicodedata.name(letter).split()[-1].lower() for letter in text]
    long = {"eta": "ē", "omega": "ō"}
    return [*"".join(long.get(name) or re.match("[tpc]h|ps|.", name)[0] for name in names)]  # type: ignore[index]


def to_greek(text: Tokens) -> Tokens:
    letters = "".join(text)
    for two, one in ("th", "θ"), ("ph", "φ"), ("ch", "χ"), ("ps", "ψ"):
        letters = letters.replace(two, one)
    return [*letters.translate(str.maketrans("abcdeēgiklmnoōprstuxz", "αβκδεηγικλμνοωπρστυξζ", "h"))]


def latin(rng: random.Random, length: int) -> Tokens:
    return rng.choices(rng.choice(("abcdeēghiklmnoōprstuxz", "tpcshh")), k=length)


TREE = "  etianmsurwdkgohvf l pjbxcyzq  "
"""The letters by their codes: behind the letter at n there is that at 2n for a dot more, at 2n + 1 for a dash more."""
MORSE = {letter: bin(at)[3:].replace("0", ".").replace("1", "-") for at, letter in enumerate(TREE) if letter != " "}


def from_morse(signs: Tokens) -> Tokens:
    letter = {code: letter for letter, code in MORSE.items()}
    return [letter[code] for code in "".join(signs).split()]


def is_morse(signs: str) -> bool:
    return {*signs.split()} <= {*MORSE.values()}


def morse(rng: random.Random, length: int) -> Tokens:
    signs = "".join(rng.choice([*MORSE.values()]) + " " * rng.choice((1, 1, 1, 2)) for _ in range(length))
    return [*signs[:length]]


def repaired_brackets(brackets: Tokens) -> Tokens:
    text = rest = "".join(brackets)
    while "()" in rest:
        rest = rest.replace("()", "")
    return [*("(" * rest.count(")") + text + ")" * rest.count("("))]


# Words

FRENCH = {"the": "le", "red": "rouge", "green": "vert", "car": "voiture", "house": "maison", "truck": "camion"} | {
    "sees": "voit"
}
FEMININE = {"le": "la", "vert": "verte"}


def translated(words: Tokens) -> Tokens:
    """Word by word, each agreeing with the first noun among itself and the two behind it; then adjectives move."""
    feminine = {"car": True, "house": True, "truck": False}
    french = []
    for at, word in enumerate(words):
        genders = [feminine[noun] for noun in words[at : at + 3] if noun in feminine]
        plain = FRENCH[word]
        french.append(FEMININE.get(plain, plain) if genders[:1] == [True] else plain)
    for at in range(len(words) - 1):
        if words[at] in ("red", "green") and words[at + 1] in feminine:
            french[at : at + 2] = french[at : at + 2][::-1]
    return french


def acted(words: Tokens) -> Tokens:
    actions: Tokens = []
    for command in " ".join(words).split(" and "):
        verb, *more = command.split()
        once = [word.upper() for word in (*more, verb) if word not in ("turn", "twice", "thrice")]
        actions += once * (2 if "twice" in more else 3 if "thrice" in more else 1)
    return actions


COMMAND = r"(walk|run|jump|look|turn)( left| right)?( twice| thrice)?"


MANY_COMMANDS = " and ".join(["jump left thrice"] * 16)


def commands(rng: random.Random, length: int) -> Tokens:
    words: Tokens = []
    while len(words) < length:
        words += [rng.choice(["walk", "run", "jump", "look", "turn"])]
        words += rng.choice(([], ["left"], ["right"])) + rng.choice(([], ["twice"], ["thrice"])) + ["and"]
    words = words[:length]
    return words[:-1] if words[-1] == "and" else words


def answered(words: Tokens) -> Tokens:
    lives = {}
    for person, says, place in zip(words, words[1:], words[2:], strict=False):
        if person in ("Anna", "Ben", "Cleo") and says == "in" and place in ("kitchen", "garden", "attic"):
            lives[person] = place
    return [lives.get(words[-1], "unknown")]


def story(rng: random.Random, length: int) -> Tokens:
    people, places = ["Anna", "Ben", "Cleo"], ["kitchen", "garden", "attic"]
    words = [word for _ in range(length) for word in (rng.choice(people), "in", rng.choice(places))]
    for at in rng.sample(range(length), rng.choice((0, 0, length // 2))):
        words[at] = rng.choice([*people, *places, "in", "where"])
    return [*words[: max(length - 2, 0)], "where", rng.choice(people)][-length:]


SINGULAR = {"these": "this", "dogs": "dog", "cats": "cat", "see": "sees"}
PLURAL = {one: many for many, one in SINGULAR.items()}
NOUNS = "(dogs?|cats?)"
GROUP = rf"(this|these)( small)* {NOUNS}"
GROUPS = rf"{GROUP}( near {GROUP})*"
CLAUSE = rf"{GROUPS} sees?( {GROUPS})?"


def agreed(words: Tokens) -> Tokens:
    """From right to left every article takes the number of the noun seen last; then every verb that of the first noun
    of its clause."""
    nouns = {"dog": SINGULAR, "cat": SINGULAR, "dogs": PLURAL, "cats": PLURAL}
    found: Tokens = []
    number: dict[str, str] = {}
    for word in reversed(words):
        number = nouns.get(word, number)
        found.insert(0, number.get(word, word) if word in ("this", "these") else word)
    clauses = []
    for clause in re.split(r"\band\b", " ".join(found)):
        first = next((nouns[word] for word in clause.split() if word in nouns), {})
        clauses.append(" ".join(first.get(word, word) if word in ("see", "sees") else word for word in clause.split()))
    return " and ".join(clauses).split()


def checked(words: Tokens) -> Tokens:
    formed = re.fullmatch(rf"{CLAUSE}( and {CLAUSE})*", " ".join(words))
    return ["ok" if formed and agreed(words) == words else "no"]


def sentence(rng: random.Random, length: int) -> Tokens:
    """Clauses, in most of which all words agree; of some a word is another one, some are cut off."""

    def group() -> Tokens:
        return [
            rng.choice(("this", "these")),
            *["small"] * rng.choice((0, 0, 1, 2)),
            rng.choice(("dog", "dogs", "cats")),
        ]

    words: Tokens = []
    while len(words) < length:
        near = ["near", *group()] if rng.random() < 0.5 else []
        whom = group() if rng.random() < 0.5 else []
        clause = [*group(), *near, rng.choice(("sees", "see")), *whom]
        if words and len(words) + 1 + len(clause) > length:
            break
        words += (["and"] if words else []) + clause
    while len(words) < length:
        articles = [at for at, word in enumerate(words) if word in ("this", "these")]
        words.insert(rng.choice(articles) + 1, "small")
    words = agreed(words) if rng.random() < 0.7 else words
    if rng.random() < 0.3:
        words[rng.randrange(len(words))] = rng.choice([*SINGULAR, *PLURAL, "small", "near", "and"])
    return words[:length] if rng.random() < 0.9 else words[: rng.randint(1, length)]


TASKS = {
    "addition": Task(added, lambda text: text.count("+") == 1 and len(text) == 2 * text.index("+") + 1, summands),
    "bracket_repair": Task(repaired_brackets, extremes=("(" * 64, ")" * 64, ")" * 32 + "(" * 32)),
    "copy": Task(lambda source: source),
    "date": Task(dated, None, day, [f"2024-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 32)]),
    "from_morse": Task(from_morse, is_morse, morse),
    "from_roman": Task(from_roman, extremes=("M" * 16, *["".join(to_roman([*str(n)])) for n in range(1, 1000)])),
    "grammar_check": Task(checked, draw=sentence),
    "grammar_repair": Task(agreed, draw=sentence),
    "multiplication": Task(multiplied, re.compile(r"\d+\*\d").fullmatch, factors, ["9" * 62 + "*9"]),
    "parity": Task(lambda bits: [str(bit) for bit in accumulate(map(int, bits), xor)]),
    "pig_latin": Task(pig_latin, draw=words_and_blanks, extremes=("a " * 32, "b" * 64)),
    "question_answering": Task(answered, draw=story),
    "reverse": Task(lambda source: source[::-1]),
    "run_length_decode": Task(decoded_runs, re.compile(r"([a-d]\d)+").fullmatch, pairs, ["d9" * 32]),
    "run_length_encode": Task(encoded_runs, draw=runs, extremes=["abcd" * 16]),
    "scan": Task(acted, re.compile(rf"{COMMAND}( and {COMMAND})*").fullmatch, commands, [MANY_COMMANDS]),
    "sort": Task(sorted),
    "spell_numbers": Task(spelled, lambda text: not re.search(r"\d{3}", text), numbers),
    "to_greek": Task(to_greek, draw=latin),
    "to_latin": Task(to_latin, extremes=["ψ" * 64]),
    "to_morse": Task(lambda letters: [*" ".join(map(MORSE.__getitem__, letters))], extremes=["q" * 64]),
    "to_roman": Task(to_roman, extremes=["888"]),
    "translate": Task(translated),
    "unique": Task(lambda source: [*dict.fromkeys(source)]),
}
