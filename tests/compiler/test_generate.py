"""Generation by the model: with a cache or without, greedy or drawn, it writes what the interpreter writes."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

import compiler
import rasp
from compiler.model import Config, LayerShape, ModelError, OutputSlice, Reading, Rereading, Transformer
from compiler.model.texts import spellings as texts_of
from rasp import Program
from rasp.settings import spellings
from rasp.value import to_python
from tests.places import PROGRAMS

DECODERS = PROGRAMS / "decoders"
PROMPTS: dict[str, list[object]] = {
    "addition": ["58+67=", "07+35=", "999+001=", "0+0="],
    "close_brackets": ["([()", "[[((", "()"],
    "copy": ["abc|", "|", "ddcba|dd"],
    "count_up": ["5:", "9", "3:12"],
    "fibonacci": [[1], [5, 8], [144]],
    "fibonacci_digits": [[1, 1], [9], [0, 7, 7]],
    "induction": ["abcab", "aab", "f"],
    "repeat_aab": ["a", "bb", "aab"],
    "reverse": ["abc|", "dcbaa|aa"],
    "sort": ["cab|", "dada|a"],
    "traffic_light": [["red"], ["green", "yellow"]],
    "turing_machine": ["0a0000|", "0A0|"],
}
FAST = ("copy", "close_brackets", "induction", "repeat_aab", "sort", "traffic_light", "fibonacci_digits")
every_decoder = pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in PROMPTS]
)


def program(name: str) -> Program:
    return rasp.load(DECODERS / f"{name}.rasp")


def made(source: str, vocab: str = "abc.", max_length: int = 8) -> Transformer:
    return compiler.compile(rasp.parse(source), vocab=vocab, max_length=max_length, attention="causal").model


@pytest.fixture(scope="module")
def copy() -> Transformer:
    return compiler.compile(program("copy")).model


def test_every_decoder_has_prompts() -> None:
    assert sorted(path.stem for path in DECODERS.glob("*.rasp")) == sorted(PROMPTS)


@every_decoder
def test_model_and_interpreter_write_the_same_in_every_way(name: str) -> None:
    decoder = program(name)
    compiled = compiler.compile(decoder)
    assert compiled.certificate.ok
    model = compiled.model
    for prompt in PROMPTS[name]:
        expected = decoder.generate(prompt)  # type: ignore[arg-type]
        assert expected
        assert model.generate(prompt) == expected  # type: ignore[arg-type]
        assert model.generate(prompt, cached=False) == expected  # type: ignore[arg-type]
        assert model.generate(prompt, temperature=1.0, seed=1) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["repeat_aab", "fibonacci_digits", "traffic_light"])
def test_2000_tokens_keep_exactly_to_the_interpreter(name: str) -> None:
    """A causal program answers for every prefix at once, so one run of it checks every step."""
    decoder = program(name).replace(max_length=2048)
    prompt = PROMPTS[name][0]
    written = compiler.compile(decoder).model.generate(prompt, 2000)  # type: ignore[arg-type]
    assert len(written) == 2000
    text = [*prompt, *written]  # type: ignore[misc]
    assert decoder["next"](text[:-1])[len(prompt) - 1 :] == written  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_other_precisions_write_the_same(dtype: str) -> None:
    for name in ("repeat_aab", "traffic_light"):
        decoder = program(name)
        model = compiler.compile(decoder, dtype=dtype).model
        for prompt in PROMPTS[name]:
            assert model.generate(prompt) == model.generate(prompt, cached=False)  # type: ignore[arg-type]
            assert model.generate(prompt) == decoder.generate(prompt)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_cached_logits_are_those_of_the_whole_text(dtype: str) -> None:
    """Random weights, so that every weight matters."""
    words = tuple("abcdefgh")
    layers = (LayerShape(3, 4, 2, 9), LayerShape(0, 0, 0, 5), LayerShape(2, 3, 6, 0))
    torch.manual_seed(7)
    model = Transformer(Config(words, 40, True, 8, layers, (OutputSlice("o", words),), dtype=dtype)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    ids = torch.randint(8, (40,)).tolist()
    reading, rereading = Reading(model, 41), Rereading(model)
    tolerance = 0.1 if dtype == "bfloat16" else 1e-5
    for start, end in [(0, 7), *((at, at + 1) for at in range(7, 40))]:
        one, other = reading.read(ids[start:end]), rereading.read(ids[start:end])
        assert torch.allclose(one, other, atol=tolerance, rtol=tolerance), start


PIECES = [(4, 3), (1, 6), (3, 2, 2), (1, 1, 5), (2, 1, 4)]


@pytest.mark.parametrize("pieces", PIECES)
def test_a_text_is_read_in_any_pieces(pieces: tuple[int, ...]) -> None:
    """Random weights: nothing in them hides what was not seen."""
    words = tuple("abcdefgh")
    layers = (LayerShape(3, 4, 2, 9), LayerShape(0, 0, 0, 5), LayerShape(2, 3, 6, 0))
    torch.manual_seed(7)
    model = Transformer(Config(words, 7, True, 8, layers, (OutputSlice("o", words),), dtype="float64")).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    ids, reading, end = torch.randint(8, (7,)).tolist(), model.reading(8), 0
    for size in pieces:
        start, end = end, end + size
        assert torch.allclose(reading.read(ids[start:end]), Rereading(model).read(ids[:end]), atol=1e-12, rtol=0)


@every_decoder
def test_every_decoder_reads_a_prompt_in_pieces(name: str) -> None:
    compiled = compiler.compile(program(name))
    for model in (compiled.model, compiled.fast):
        for prompt in PROMPTS[name]:
            ids = model.encode(prompt)  # type: ignore[arg-type]
            whole = model.reading(len(ids) + 1).read(ids)
            for size in range(1, len(ids)):
                reading = model.reading(len(ids) + 1)
                reading.read(ids[:size])
                assert torch.allclose(reading.read(ids[size:]), whole, atol=1e-3 * float(whole.abs().max())), size
                assert reading.length == len(ids)


@pytest.mark.parametrize("way", ["cached", "again", "fast"])
def test_a_reading_takes_as_many_tokens_as_there_is_room_for(way: str) -> None:
    compiled = compiler.compile(rasp.parse("o = tokens;"), vocab="ab", max_length=4, attention="causal")
    model = compiled.fast if way == "fast" else compiled.model
    reading = Rereading(model) if way == "again" else model.reading(5)
    assert reading.best([0, 1], "o") == 1 and reading.length == 2
    for wrong in ([], [0, 0, 0]):
        with pytest.raises(ModelError, match="there is room for 4") as caught:
            reading.read(wrong)
        assert "at least one token" in caught.value.hint
    assert reading.best([0, 0], "o") == 0
    with pytest.raises(ModelError, match="has 5 tokens, 1 of them new"):
        reading.best([0], "o")


def test_a_cache_has_the_room_it_was_made_with() -> None:
    reading = made("o = tokens;").reading(3)
    reading.read([0, 1])
    with pytest.raises(ModelError, match="there is room for 2"):
        reading.read([0])


def test_a_bidirectional_model_does_not_read_on() -> None:
    model = compiler.compile(rasp.parse("o = tokens;"), vocab="ab", max_length=4).model
    for begin in (lambda: model.reading(5), lambda: Reading(model, 5)):
        with pytest.raises(ModelError, match="bidirectional"):
            begin()


def test_autocast_is_refused_in_the_middle_of_a_text(copy: Transformer) -> None:
    text = copy.stream("abc|")
    assert next(text) == "a"
    with torch.autocast("cpu"), pytest.raises(ModelError, match="autocast"):
        next(text)


def test_the_stop_token_is_the_last(copy: Transformer) -> None:
    assert copy.config.generate == "next" and copy.config.stop == (".",)
    assert copy.generate("abc|") == ["a", "b", "c", "."]
    assert copy.generate("abc|", stop="b") == ["a", "b"]
    assert copy.generate("ab|", stop=[], max_tokens=5) == ["a", "b", ".", "a", "b"]


def test_so_many_tokens_and_no_more(copy: Transformer) -> None:
    assert copy.generate("abc|", 2) == ["a", "b"]
    assert copy.generate("abc|", 0) == []
    assert list(islice(copy.stream("abc|"), 3)) == ["a", "b", "c"]


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("wanted", [None, 100])
def test_it_ends_where_the_model_holds_no_more(cached: bool, wanted: int | None) -> None:
    model = made("next = tokens;", max_length=8)
    assert model.generate("abc", wanted, cached=cached) == ["c"] * 6
    assert model.generate("abcabcab", wanted, cached=cached) == ["b"]


def test_a_prompt_that_is_too_long_is_a_clear_mistake() -> None:
    model = made("next = tokens;", max_length=8)
    with pytest.raises(ModelError, match="9 tokens, the model holds 8"):
        model.generate("abcabcabc")
    with pytest.raises(ModelError, match="empty"):
        model.generate("")
    with pytest.raises(ModelError, match="not in the vocabulary"):
        model.generate("x")


def test_an_answer_that_is_no_token_is_a_clear_mistake() -> None:
    source = 'next = "z" if tokens == "c" else tokens;'
    model = made(source)
    assert model.generate("ab", 2) == ["b", "b"]
    with pytest.raises(ModelError, match='next token, "z" at position 2, is not in the vocabulary'):
        model.generate("ac")
    ending = made('#@ stop: "z"\n' + source)
    assert ending.generate("ac") == ["z"]


def test_a_bidirectional_model_does_not_generate() -> None:
    model = compiler.compile(rasp.parse("next = tokens;"), vocab="ab", max_length=4).model
    with pytest.raises(ModelError, match="bidirectional"):
        model.generate("a")


def test_the_output_that_is_meant() -> None:
    source = "#@ output: first, second\n#@ generate: second\nfirst = tokens;\nsecond = shift(tokens, 1, tokens);\n"
    source = source.replace("shift(tokens, 1, tokens)", 'shift(tokens, 1, "c")')
    model = made(source)
    assert model.config.generate == "second"
    assert model.generate("ab", 4) == ["a", "b", "a", "b"]
    assert model.generate("ab", 4, output="first") == ["b"] * 4
    with pytest.raises(ModelError, match='no output "third"'):
        model.generate("ab", output="third")


@pytest.mark.parametrize(
    ("header", "expected"), [("", None), ("#@ generate: true\n", "first"), ("#@ generate: n\n", None)]
)
def test_the_config_says_what_generates(header: str, expected: str | None) -> None:
    model = made(f"#@ output: first\n{header}n = indices;\nfirst = tokens;\n")
    assert model.config.generate == expected
    assert model.config.stop == ()


def test_old_configs_are_read() -> None:
    config = compiler.compile(program("copy")).weights.config
    old = {key: value for key, value in config.items() if key not in ("generate", "stop")}
    assert Config.from_json(old).generate is None and Config.from_json(old).stop == ()
    assert Config.from_json(config).stop == (".",)


def test_saved_and_loaded_it_writes_the_same(copy: Transformer, tmp_path: Path) -> None:
    compiler.compile(program("copy")).save(tmp_path / "copy")
    loaded = compiler.load(tmp_path / "copy")
    assert loaded.config == copy.config
    assert loaded.generate("abc|") == ["a", "b", "c", "."]


# -- drawing ---------------------------------------------------------------------------------------------------------


def undecided() -> Transformer:
    """A model whose logits are those of a, with weight 1/4, and b, with 3/4, whatever it reads."""
    config = Config(("a", "b"), 4000, True, 1, (), (OutputSlice("o", ("a", "b")),), has_positions=False)
    model = Transformer(config)
    with torch.no_grad():
        model.embed.W_E[:] = 1.0
        model.unembed.W_U[0] = torch.tensor([0.25, 0.75]).log()
    return model.eval()


def test_drawing_follows_the_probabilities() -> None:
    model = undecided()
    drawn = Counter(model.generate("a", 2000, temperature=1.0, seed=5))
    assert 430 < drawn["a"] < 570  # 500 with a standard deviation of 19
    assert Counter(model.generate("a", 2000, temperature=0.05, seed=5)) == {"b": 2000}
    assert model.generate("a", 10) == ["b"] * 10


def test_a_seed_makes_drawing_repeatable() -> None:
    model = undecided()
    first = model.generate("a", 50, temperature=1.0, seed=5)
    assert model.generate("a", 50, temperature=1.0, seed=5) == first
    assert model.generate("a", 50, temperature=1.0, seed=6) != first
    generator = torch.Generator().manual_seed(5)
    assert model.generate("a", 50, temperature=1.0, seed=generator) == first
    assert model.generate("a", 50, temperature=1.0, seed=generator) != first
    assert model.generate("a", 50, temperature=1.0) != model.generate("a", 50, temperature=1.0)


@pytest.mark.parametrize("temperature", [-1.0, float("nan"), float("inf")])
def test_a_temperature_is_a_positive_number(temperature: float) -> None:
    with pytest.raises(ModelError, match="temperature"):
        undecided().generate("a", 1, temperature=temperature)


@pytest.mark.parametrize(
    "value", [0, 1, 2, True, False, Fraction(1), Fraction(1, 2), Fraction(10), "1", "1.0", "True", 2**53, 10**400]
)
def test_program_and_model_spell_a_value_alike(value: Any) -> None:
    theirs = texts_of(to_python(value))
    assert list(dict.fromkeys(spellings(value))) == list(dict.fromkeys(theirs))


@pytest.mark.parametrize(
    ("vocabulary", "stop", "text", "prompt", "wanted"),
    [
        ([0.0, 0.5, 1.0], None, "o = aggregate(select(indices, indices, <=), tokens_float);", [1.0, 0.0], [0.5] * 3),
        ([0.5, 1.0], None, "o = 1 if tokens_float == 0.5 else 0.5;", [0.5], [1, 0.5, 1, 0.5]),
        ([True, False], None, "o = aggregate(select(indices, indices, ==), tokens_asis);", [True], [1, 1, 1, 1]),
        ([True, False], None, "o = not tokens_bool;", [True], [False, True, False, True]),
        ("01", None, "o = tokens == tokens;", "0", [True] * 4),
        ("123", None, "o = (tokens_int + 1) / 1;", "1", [2, 3]),
        ("123", 3.0, "o = (tokens_int + 1) / 1;", "1", [2, 3]),
        ([1, 2], True, "o = indices == 1;", [1, 2], [True]),
    ],
)
def test_what_is_written_is_a_token_of_that_value(
    vocabulary: Any, stop: Any, text: str, prompt: Any, wanted: list[Any]
) -> None:
    """In kinds as they print, which need not be those of the vocabulary."""
    decoder = rasp.parse(text).replace(vocab=vocabulary, max_length=4, attention="causal", stop=stop)
    model = compiler.compile(decoder).model
    found = [decoder.generate(prompt, len(wanted)), model.generate(prompt, len(wanted))]
    assert [list(map(repr, one)) for one in found] == [list(map(repr, wanted))] * 2


def test_an_unknown_token_of_a_prompt_is_the_same_to_both() -> None:
    decoder = rasp.parse("#@ unknown: b\no = tokens;").replace(vocab="ab", max_length=4, attention="causal")
    assert decoder.generate("az") == compiler.compile(decoder).model.generate("az") == ["b"] * 3
