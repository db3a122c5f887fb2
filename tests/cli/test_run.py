"""`rasp run`: the interpreter and the transformer, printed alike."""

import json
from pathlib import Path

import pytest


@pytest.mark.parametrize("target", ["reverse.rasp", "reversed"])
class TestBoth:
    """What a program prints, its checkpoint prints too."""

    def test_one_input(self, target: str, rasp, room: Path) -> None:
        assert rasp("run", target, "cab") == (0, "[b, a, c] (strings)\n", "")

    def test_several_inputs(self, target: str, rasp, room: Path) -> None:
        assert rasp("run", target, "cab", "a").out == "[b, a, c] (strings)\n[a] (strings)\n"

    def test_json(self, target: str, rasp, room: Path) -> None:
        lines = rasp("run", target, "cab", "a", "--json").out.splitlines()
        assert [json.loads(line) for line in lines] == [
            {"output": "reversed", "values": ["b", "a", "c"]},
            {"output": "reversed", "values": ["a"]},
        ]

    def test_list(self, target: str, rasp, room: Path) -> None:
        assert rasp("run", target, "--list", '["c", "a"]').out == "[a, c] (strings)\n"

    def test_output_by_name(self, target: str, rasp, room: Path) -> None:
        assert rasp("run", target, "cab", "--output", "reversed").out == "[b, a, c] (strings)\n"


def test_another_output(rasp, room: Path) -> None:
    assert rasp("run", "reverse.rasp", "abc", "--output", "doubled").out == "[0, 2, 4] (ints)\n"


def test_the_interpreter_takes_any_input(rasp, room: Path) -> None:
    assert rasp("run", "reverse.rasp", "stressed").out == "[d, e, s, s, e, r, t, s] (strings)\n"


def test_longer_tokens(rasp, room: Path) -> None:
    assert rasp("run", "reverse.rasp", "--list", '["hi", "there"]').out == "[there, hi] (strings)\n"


def test_causal_attention(rasp, room: Path) -> None:
    (room / "length.rasp").write_text("#@ output: n\nn = length + 0;\n")
    assert rasp("run", "length.rasp", "abc").out == "[3]*3 (ints)\n"
    assert rasp("run", "length.rasp", "abc", "--attention", "causal").out == "[1, 2, 3] (ints)\n"


def test_an_input_with_a_dash(rasp, room: Path) -> None:
    assert rasp("run", "reverse.rasp", "--", "-a").out == "[a, -] (strings)\n"


def test_several_outputs_are_named(rasp, room: Path) -> None:
    (room / "two.rasp").write_text("#@ output: first, second\nfirst = indices;\nsecond = indices + 1;\n")
    assert rasp("run", "two.rasp", "ab").out == "first = [0, 1] (ints)\nsecond = [1, 2] (ints)\n"


def test_the_programs_that_come_along_are_found_from_anywhere(rasp, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert rasp("run", "programs/sort.rasp", "cab").out == "[a, b, c] (strings)\n"


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_long_integer(flags: tuple[str, ...], rasp, room: Path) -> None:
    (room / "long.rasp").write_text("a = 10^5000 + indices;\n")
    assert rasp("run", "long.rasp", "ab", *flags).code == 0


@pytest.mark.parametrize("target", ["reverse.rasp", "reversed"])
def test_a_trace_of_each_input(target: str, rasp, room: Path) -> None:
    done = rasp("run", target, "ab", "c", "--trace")
    assert done.code == 0
    first, second = done.out.split("\n\n")
    assert first.splitlines()[0].startswith("variable | interpreter | embedding | L0 attention | L0 MLP")
    assert [line.split(" | ")[1].strip() for line in first.splitlines()[1:] if line.startswith("reversed")] == ["b a"]
    assert [line.split(" | ")[1].strip() for line in second.splitlines()[1:] if line.startswith("reversed")] == ["c"]


@pytest.mark.parametrize("flag", ["--json", "--fast"])
def test_a_trace_is_a_table_of_the_model(flag: str, rasp, room: Path) -> None:
    done = rasp("run", "reverse.rasp", "ab", "--trace", flag)
    assert done.code == 2 and done.err.startswith("error[usage]: --trace prints the tables of the model itself")


def test_a_trace_of_one_tape_has_no_target(rasp, room: Path) -> None:
    done = rasp("run", "reversed", "ab", "--trace", "--target", "a")
    assert done.code == 2 and "--target is for a program with a source" in done.err
