"""Rules: each rewrite alone, on random s-ops to which it applies, against the interpreter; and the table of them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import reduce

import pytest

import compiler
import rasp
from compiler.graph import cases, means, simplify, sorting
from compiler.graph.domain import LENGTH, Analysis, Limits, Setting
from compiler.graph.known import Known
from compiler.graph.ratios import Ratios
from compiler.graph.rules import Rule, rebuilt, rewritten
from compiler.graph.simplify import AT_START
from compiler.graph.sorting import LAST
from compiler.graph.specialise import specialise
from compiler.lowering import rewrites
from compiler.lowering.context import Context
from compiler.lowering.names import Names
from compiler.lowering.pivots import Pivots
from compiler.lowering.policy import DEFAULT_POLICY
from compiler.lowering.rewrites import replaced
from compiler.numbers.precision import FLOAT32
from compiler.trust.compare import check
from rasp.meaning.interpreter import evaluate
from rasp.meaning.sop import (
    Aggregate,
    And,
    Constant,
    Indices,
    Map,
    Node,
    Not,
    Or,
    Select,
    Selector,
    SOp,
    Tokens,
    Total,
    Width,
    reachable,
)
from rasp.text.source import RaspError
from rasp.value import Value
from tests.inputs import every
from tests.places import ROOT
from tests.random_programs import VOCABULARY, Programs

SETTINGS = [Setting(VOCABULARY, 4, causal) for causal in (False, True)]
INPUTS = [list(word) for word in every("0123", 2)] + [["1", "3", "1"], ["2", "0", "2", "1"], ["0", "0", "3", "0"]]
NOTHING = And(Select(Indices(), Indices(), "<"), Select(Indices(), Indices(), ">"))
EVERYTHING = Or(Select(Indices(), Indices(), "<"), Select(Indices(), Indices(), ">="))
AHEAD = Select(Indices(), Indices(), ">=")
SEEN = Select(Indices(), Indices(), "<=")
OF_THE_PAST = {"hidden future"}
"""Rules that say something only there."""
OF_THE_FUTURE = {"width ahead", *(rule.name for rule in sorting.RULES)}
"""Rules that say nothing where the future is hidden."""


def past(p: Programs) -> Selector:
    return p.pick([Select(Indices(), Constant(0), "=="), Or(Select(Indices(), Constant(0), "=="), p.selector(1))])


def shared(p: Programs, value: SOp) -> SOp:
    """A width times a mean over the same selector, either way round, and perhaps times something else."""
    selector = p.selector(2)
    pair = [Width(selector), Aggregate(selector, value, p.pick([0, 1, -3]))]
    one, other = pair if p.pick([True, False]) else pair[::-1]
    factor = p.integer(0)
    return p.pick([Map("*", (one, other)), Map("*", (Map("*", (factor, one)), Map("*", (factor, other))))])


def place(p: Programs, levels: list[SOp]) -> SOp:
    """How many keys come before one's own in a lexicographic order, each level upwards or downwards."""
    cases: list[Selector] = []
    ties: list[Selector] = []
    for key in levels:
        cases.append(reduce(And, [*ties, Select(key, key, p.pick("<>"))]))
        ties.append(Select(key, key, "=="))
    return Width(reduce(Or, cases))


def level(p: Programs) -> SOp:
    """What is put in order: numbers, texts or bools, with ties."""
    key = p.pick([p.integer, p.number, p.string, p.boolean])(p.pick([0, 1]))
    return Map("negate", (Tokens("int"),)) if p.pick([False, False, True]) else key


def in_order(p: Programs) -> SOp:
    """A sequence that is sorted, by one key or by two."""
    levels = [*(level(p) for _ in range(p.pick([1, 1, 2]))), Indices()]
    return Aggregate(Select(place(p, levels), Indices(), "=="), level(p), p.pick([0, 7]))


def read_in_order(p: Programs) -> SOp:
    ordered = in_order(p)
    keys = [Indices(), Indices(), Map("+", (Indices(), Constant(1))), Map("-", (LENGTH, Indices())), ordered]
    queries = [Constant(0), LAST, Constant(1), p.integer(1), level(p)]
    first, second = (Select(p.pick(keys), p.pick(queries), "==") for _ in range(2))
    selector = p.pick([first, first, Not(first), And(first, second), Or(first, second)])
    return Aggregate(selector, ordered, p.pick([0, 7]))


def one_of(p: Programs, query: SOp, *, ties: bool) -> SOp:
    """What the first, or the last, in an order has; also where that is what is put in order, and an int must be one."""
    key = p.pick([level(p), Tokens("int"), Tokens("str"), Tokens("bool")])
    levels = p.pick([[key, Indices()], [key, level(p), Indices()], [key, Tokens("str")]][: 3 if ties else 2])
    found = Aggregate(Select(place(p, levels), query, "=="), key if ties else level(p), p.pick([0, 7]))
    return p.pick([found, found, Map("*", (Constant("ab"), found)), Aggregate(EVERYTHING, found, 0)])


def divided(p: Programs, depth: int) -> SOp:
    """What is divided by numbers, and added up, and multiplied."""
    if not depth:
        return p.pick([p.integer(1), p.integer(0), p.boolean(0), p.number(1), p.string(0)])
    inner = divided(p, depth - 1)
    factor = Constant(p.pick([-2, -1, 0, 1, 2, 6, True, Fraction(3, 2)]))
    return p.pick(
        [
            Map("/", (inner, Constant(p.pick([1, 2, 3, 4, 6, True, -2])))),
            Map("/", (inner, Constant(p.pick([2, 3])))),
            Map("*", p.pick([(inner, factor), (factor, inner)])),
            Map(p.pick("+-"), (inner, divided(p, depth - 1))),
        ]
    )


def compared_quotients(p: Programs) -> SOp:
    one, other = divided(p, p.pick([1, 2, 3])), divided(p, p.pick([0, 1, 2, 3]))
    op = p.pick(["<", "<=", ">", ">="])
    return p.pick([Map(op, (one, other)), Aggregate(Select(one, other, op), Indices(), -1)])


def remainder(p: Programs) -> SOp:
    """What a sum of multiples leaves, with remainders inside that say the same and others that do not."""
    divisor = p.pick([2, 3, 4])
    summed = p.integer(1)
    for _ in range(p.pick([1, 2, 3])):
        part = Map("*", (p.pick([p.integer(1), p.boolean(0)]), Constant(p.pick([-7, -1, 2, 3, 5, 10, 12]))))
        summed = Map(p.pick("+-"), (summed, part))
        if p.pick([True, False, False]):
            summed = Map("%", (summed, Constant(p.pick([divisor, 2 * divisor, 5, -divisor]))))
    return Map("%", (Map("+", (summed, Constant(p.pick([0, 1, 9, -13])))), Constant(divisor)))


def digit(p: Programs) -> SOp:
    """A digit of a number, or something like one."""
    n, unit, base = (
        p.integer(1),
        Constant(p.pick([1, 2, 3, 4, Fraction(1, 2), Fraction(1, 3)])),
        Constant(p.pick([2, 3])),
    )
    whole = Map("round", (Map("/", (Map("-", (n, Map("%", (n, unit)))), unit)),))
    return p.pick([Map("%", (whole, base)), Map("%", (whole, base)), Map("+", (Map("%", (whole, base)), n))])


def number_and_few(p: Programs) -> SOp:
    """What is computed from a number of many values and one of few, and read by something else."""
    n = Map("+", (Map("*", (p.integer(1), Constant(7))), Total(EVERYTHING, Tokens("int"))))
    e = p.pick([Indices(), Tokens("int"), Map("-", (Tokens("int"), Indices()))])
    unit = Map("^", (Constant(p.pick([2, 3, 10])), Map("-", (e, Constant(p.pick([0, 1, 2]))))))
    left = Map("%", (n, unit))
    whole = Map("round", (Map("/", (Map("-", (n, left)), unit)),))
    root = p.pick([left, Map("%", (whole, Constant(p.pick([2, 10])))), Map("-", (n, left)), Map(">", (left, e))])
    return p.pick([root, Map("if", (Map(">=", (Indices(), Constant(1))), root, Constant(-1)))])


def remainders(p: Programs) -> SOp:
    """Remainders of one number."""
    n = Map("-", (Map("*", (p.integer(1), Constant(31))), Total(EVERYTHING, Tokens("int"))))
    one, *others = (
        Map("%", (n, Constant(divisor))) for divisor in p.pick([(2,), (3, 12), (2, 3), (10, 20, 4), (5, 25)])
    )
    return reduce(lambda a, b: Map("-", (a, b)), others, one)


def parts_of_keys(p: Programs) -> SOp:
    """Counts and sums over parts of the same keys, added up or compared."""
    every_key = p.selector(1)

    def counted() -> SOp:
        key, number = p.pick([(Tokens("str"), Constant(p.pick("0123"))), (p.integer(1), Constant(p.pick([0, 1, 2])))])
        part = And(every_key, Select(key, number, p.pick(["==", "!=", "<", ">="])))
        return p.pick([Width(part), Width(part), Width(every_key), Total(part, p.pick([key, p.integer(0)]))])

    def added() -> SOp:
        one, other = counted(), Map("*", (Constant(p.pick([-2, 1, 3])), counted()))
        return Map(p.pick("+-"), (one, p.pick([other, other, p.integer(1), Map("negate", (counted(),))])))

    other = p.pick([added, counted, lambda: p.number(1)])()
    return Map(p.pick(["+", "-", "==", "<", ">="]), (added(), other))


def of_others(p: Programs) -> Selector:
    """All keys but one's own that are related to something."""
    elsewhere = Select(Indices(), Indices(), "!=")
    same = p.pick([Tokens("str"), p.integer(1)])
    own = Select(same, same, p.pick(["==", "==", "<=", "<"]))
    place = Select(Indices(), Map("-", (Indices(), Constant(p.pick([0, 1, 2])))), p.pick([">=", ">"]))
    return And(p.pick([own, place, Select(p.integer(1), Constant(1), "=="), And(own, place)]), elsewhere)


def guarded(p: Programs) -> SOp:
    """What is fetched from another place, unless there is none, or the place is another one."""
    place, key = Indices(), p.pick([Tokens("int"), Tokens("int"), Tokens("str"), Tokens("bool")])
    step = Constant(p.pick([-1, 1, 2]))
    default: Value = p.pick([0, 1, 7]) if key is not Tokens("str") else p.pick(["", "1"])
    fetched = Aggregate(Select(place, Map("+", (place, step)), "=="), key, default)
    last = Map("-", (LENGTH, Constant(1)))
    at_end = Map(p.pick(["==", "<", ">", "!="]), (place, p.pick([Constant(0), last, Constant(1)])))
    truth = Map(p.pick(["==", "!=", "<", ">="]), p.pick([(key, fetched), (fetched, key)]))
    if key is Tokens("str") or p.pick([True, False]):
        return Map(p.pick(["and", "or"]), p.pick([(at_end, truth), (truth, at_end)]))
    found = p.pick([Map("-", (key, fetched)), Map("-", (Map("*", (Constant(2), fetched)), key)), fetched, truth])
    other = p.pick([Constant(0), Constant(0), key, Constant(False)])
    chosen = Map("if", (at_end, *p.pick([(other, found), (found, other)])))
    return p.pick([chosen, chosen, Map("+", (chosen, fetched)), Map("*", (chosen, Constant(2)))])


def two_picks(p: Programs) -> SOp:
    """A choice between what two selectors of one key fetch, by what is known before anything is fetched."""
    key, value = p.pick([Indices(), Tokens("int")]), p.pick([p.integer, p.string])(1)
    comparison, default = p.pick("<=>"), p.pick([0, 7])
    predicate = "==" if comparison == "=" else comparison
    picks = [Aggregate(Select(key, p.integer(1), predicate), value, default) for _ in range(2)]
    side = p.pick([Indices(), LENGTH, Tokens("int")])
    return Map("if", (Map(p.pick(["<", "==", ">="]), (side, Constant(p.pick([0, 1, 2])))), *picks))


SOPS: dict[str, Callable[[Programs], SOp]] = {
    "positive sign": lambda p: Map("plus", (p.number(2),)),
    "hidden future": lambda p: Width(p.pick([And, Or])(p.pick([SEEN, Not(SEEN)]), p.selector(1))),
    "constant folding": lambda p: Map(
        p.pick(["+", "-", "/", "=="]), (Constant(p.pick([1, 2])), Constant(p.pick([0, 3])))
    ),
    "round of a whole number": lambda p: Map("round", (p.integer(2),)),
    "one over a share": lambda p: Map("/", (Constant(1), Aggregate(past(p), AT_START, 0))),
    "share of a width": lambda p: shared(p, Map("indicator", (p.boolean(2),))),
    "mean times a width": lambda p: shared(p, p.integer(1)),
    "width of nothing": lambda p: Width(And(NOTHING, p.selector(1))),
    "width of everything": lambda p: Width(Or(EVERYTHING, p.selector(1))),
    "width ahead": lambda p: Width(p.pick([AHEAD, Select(Indices(), Indices(), ">"), Not(Not(AHEAD))])),
    "aggregate of nothing": lambda p: Aggregate(And(NOTHING, p.selector(1)), p.integer(1), p.pick([0, 7, "none"])),
    "truth of a truth": lambda p: Map(p.pick(["==", "!="]), (p.boolean(2), Constant(p.pick([True, False, 1, 0])))),
    "one pick for two": two_picks,
    "read at its keys": read_in_order,
    "first from the end": lambda p: one_of(p, LAST, ties=False),
    "any of the first": lambda p: one_of(p, Constant(0), ties=True),
    "order of quotients": compared_quotients,
    "remainder of a sum": remainder,
    "digit of a number": digit,
    "cases of a number": number_and_few,
    "remainder in stages": remainders,
    "all but me": lambda p: p.pick([Width(of_others(p)), Total(of_others(p), p.integer(1))]),
    "found elsewhere": lambda p: Map(">", (Aggregate(of_others(p), Constant(1), 0), Constant(0))),
    "guarded default": guarded,
    "one sum of counts": parts_of_keys,
    "attention of places": lambda p: Width(Select(Indices(), Map("%", (Indices(), Constant(p.pick([2, 3])))), "<=")),
    "looked for, not counted": lambda p: Map(p.pick(["==", "!=", ">", "<="]), (Width(p.selector(2)), Constant(0))),
}
TEXTS: dict[str, tuple[str, ...]] = {
    "cancelling": ("aggregate(full_s, {}) * (2 * length)", "(aggregate(full_s, {}) + 1) * length"),
    "mean of what I have": ("aggregate(select(tokens, tokens, ==), 2 * tokens_int)", "aggregate(full_s, length)"),
    "cross-multiplication": ("aggregate(full_s, {}) > 3 / 2", "aggregate(full_s, {}) <= aggregate(full_s, indices)"),
    "choice that is made": (
        "(7 if length > 9 else aggregate(full_s, {}))",
        "aggregate(full_s, {}) if indices < length else 1",
    ),
    "round of a mean": ("round(aggregate(full_s, {}))", "round(aggregate(select(tokens, tokens, ==), {}) / 2)"),
    "round of what is whole": ("round((indices + indices + 2 * {}) / 2)",),
    "steps of a mean": (
        "(aggregate(full_s, {}) ^ 2 + 2) ^ 0.5 > 2",
        "round((aggregate(full_s, {}) ^ 2) ^ 0.5)",
        '("many" if (aggregate(full_s, {}) + 5) ^ 0.5 > 5 / 2 else "few")',
    ),
    "comparison on one side": (
        "selector_width(select(aggregate(full_s, {}) + tokens_int, 3, >))",
        "selector_width(select(1, aggregate(full_s, {}), <=))",
    ),
    "next whole number": (
        "selector_width(select(tokens_int, aggregate(full_s, {}), <))",
        "selector_width(select(tokens_int, aggregate(full_s, {}), >))",
        "selector_width(select(tokens_int, aggregate(full_s, {}), ==))",
        "selector_width(select(aggregate(select(indices, indices, <=), {}), indices, !=))",
        "selector_width(select(aggregate(select(indices, indices, <=), {}), tokens_int, >=))",
    ),
    "quotient of whole numbers": ("aggregate(full_s, {})", "aggregate(select(tokens_int, tokens_int, <), {}, 5 / 2)"),
}
LOWERED: dict[str, Callable[[Programs], SOp]] = {
    "function of what is picked": lambda p: Map(p.pick(["+", "==", "*"]), (fetched(p), Constant(p.pick([1, 2])))),
    "search in several cases": lambda p: Aggregate(
        Or(p.selector(1), p.selector(1)), Constant(p.pick([1, 5])), p.pick([0, 1, -2])
    ),
    "function of a choice": lambda p: Map("%", (Map("if", (p.boolean(1), p.integer(1), p.integer(1))), Constant(3))),
}
LOCAL = {rule.name: rule for rule in simplify.RULES}
WHOLE = {rule.name: rule for rule in simplify.WHOLE}
WIDE = {rule.name: rule for rule in cases.WIDE}
LOWERING = {rule.name: rule for rule in rewrites.RULES}
MEANS = {rule.name: rule for rule in (*means.RULES, *means.DECODED)}


def fetched(p: Programs) -> SOp:
    """What a head that selects one key picks."""
    return Aggregate(Select(Indices(), p.integer(1), "=="), p.integer(1), p.pick([0, 0, 3]))


def everywhere(root: SOp, rule: Rule[[Node, object], Node | None], facts: object) -> SOp:
    """The s-op with one rule applied wherever it says anything, and no other."""
    new: dict[Node, Node] = {}
    for node in reachable([root]):
        new[node] = rewritten(rebuilt(node, new), [rule], facts)
    found = new[root]
    assert isinstance(found, SOp)
    return found


def require_same(root: SOp, found: SOp, setting: Setting) -> None:
    """Wherever the s-op has an answer, what stands for it has the same."""
    for tokens in INPUTS:
        try:
            wanted = evaluate([root], tokens, causal=setting.causal)
        except RaspError:
            continue
        assert evaluate([found], tokens, causal=setting.causal) == wanted, (str(root), str(found), tokens)


def drawn(name: str, many: int = 100) -> Iterator[SOp]:
    programs = Programs(random.Random(name))
    yield from (SOPS[name](programs) for _ in range(many))


@pytest.mark.parametrize("setting", SETTINGS, ids=["bidirectional", "causal"])
@pytest.mark.parametrize("name", LOCAL)
def test_a_rule_of_one_node_keeps_every_answer(name: str, setting: Setting) -> None:
    met = 0
    for root in drawn(name):
        found = everywhere(root, LOCAL[name], Known(setting))  # type: ignore[arg-type]
        met += found is not root
        require_same(root, found, setting)
    assert met >= 5 or name in (OF_THE_FUTURE if setting.causal else OF_THE_PAST)


@pytest.mark.parametrize("setting", SETTINGS, ids=["bidirectional", "causal"])
@pytest.mark.parametrize("name", WHOLE)
def test_a_rule_of_all_nodes_keeps_every_answer(name: str, setting: Setting) -> None:
    met = 0
    for root in drawn(name):
        new: dict[Node, Node] = WHOLE[name].apply([root], setting)
        met += bool(new)
        for node in reachable([root]):
            new.setdefault(node, rebuilt(node, new))
        found = new[root]
        assert isinstance(found, SOp)
        require_same(root, found, setting)
    assert met >= 5


@pytest.mark.parametrize("causal", [False, True], ids=["bidirectional", "causal"])
@pytest.mark.parametrize("name", WIDE)
def test_a_rule_of_wide_numbers_keeps_every_answer(name: str, causal: bool) -> None:
    setting = Setting(VOCABULARY, 4, causal, Limits(points=30, combinations=300, fractions=100, gates=2))
    met = 0
    for root in drawn(name):
        found = WIDE[name].apply([root], Analysis(setting)).get(root, root)
        met += found is not root
        assert isinstance(found, SOp)
        require_same(root, found, setting)
    assert met >= 20


@pytest.mark.parametrize("setting", SETTINGS, ids=["bidirectional", "causal"])
@pytest.mark.parametrize("name", MEANS)
def test_a_rule_of_means_keeps_every_answer(name: str, setting: Setting) -> None:
    met = 0
    for text in TEXTS[name]:
        for value in ("tokens_int", "indices", "(tokens_int * indices - 1)", "(3 - tokens_int)"):
            root = rasp.parse(f"x = {text.format(value)};").node("x")
            assert isinstance(root, SOp)
            simple = simplify.simplify([root], setting)[root]
            assert isinstance(simple, SOp)
            found = everywhere(simple, MEANS[name], Ratios(Analysis(setting), most=1))  # type: ignore[arg-type]
            met += found is not simple
            require_same(root, found, setting)
    assert met


@pytest.mark.parametrize("setting", SETTINGS, ids=["bidirectional", "causal"])
@pytest.mark.parametrize("name", LOWERED)
def test_a_rule_of_the_lowering_keeps_every_answer(name: str, setting: Setting) -> None:
    met = 0
    programs = Programs(random.Random(name))
    for _ in range(60):
        root = LOWERED[name](programs)
        try:
            graph = specialise({"x": root}, {}, setting)
            simple = graph.outputs["x"]
            context = Context(graph, "balanced", DEFAULT_POLICY, FLOAT32)
            found = replaced(simple, LOWERING[name], rewrites.Facts(context, Names(graph), Pivots(context)))
        except RaspError:  # it is refused, or has no answer on any input
            continue
        met += found is not None
        require_same(root, simple if found is None else found, setting)
    assert met >= 5


def test_every_rule_is_listed_with_its_construction() -> None:
    page = (ROOT / "docs" / "constructions.md").read_text(encoding="utf-8")
    every_rule = [*LOCAL.values(), *WHOLE.values(), *MEANS.values(), *WIDE.values(), *LOWERING.values()]
    rows = [f"| {rule.name} | `{rule.equation}` | {rule.number} |" for rule in every_rule]
    assert rows == [line for line in page.splitlines() if re.fullmatch(r"\| .* \| C\d+ \|", line)]
    assert all(f"\n## {rule.number} " in page for rule in every_rule)


@pytest.mark.parametrize(
    "text",
    [
        'aggregate(full_s, +(tokens == "1"))',
        "[5, 6, 7, 8, 9, 1][round((indices + indices) / 2)]",
        '"a" * round((indices + indices) / 2)',
        'aggregate(full_s, round(True if tokens == "1" else False))',
        'aggregate(full_s, round({"0": True, "1": False, "2": True, "3": True}[tokens]))',
    ],
)
def test_what_is_an_int_stays_one(text: str) -> None:
    program = rasp.parse(f'#@ vocab: "0123"\n#@ max_length: 6\n#@ output: y\ny = {text};')
    assert check(compiler.compile(program), samples=50, max_exhaustive=120).ok
