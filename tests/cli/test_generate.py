"""`rasp generate`: the interpreter and the transformer write on, printed alike."""

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from compiler.model import Reading
from tests.places import RASP

PROGRAM = """\
# Alphabet: writes the letters from the last one on, then a dot.
#@ output: next
#@ generate: next
#@ stop: "."
#@ attention: causal
#@ vocab: "abcd."
#@ max_length: 8
next = {"a": "b", "b": "c", "c": "d", "d": ".", ".": "a"}[tokens];
same = tokens;
"""
SEEN = """\
# Seen: whether the last token was there before.
#@ output: next
#@ attention: causal
#@ vocab: "ab"
#@ max_length: 6
next = "a" if selector_width(select(tokens, tokens, ==)) > 1 else "b";
"""


@pytest.fixture
def desk(rasp, room: Path) -> Path:
    (room / "letters.rasp").write_text(PROGRAM)
    assert rasp("compile", "letters.rasp", "-o", "letters", "--output", "next").code == 0
    return room


@pytest.mark.parametrize("target", ["letters.rasp", "letters"])
class TestBoth:
    """What a program writes, its checkpoint writes too."""

    def test_tokens(self, target: str, rasp, desk: Path) -> None:
        assert rasp("generate", target, "ab") == (0, "cd.\n", "")

    def test_so_many(self, target: str, rasp, desk: Path) -> None:
        assert rasp("generate", target, "ab", "--max-tokens", "1") == (0, "c\n", "")

    def test_json(self, target: str, rasp, desk: Path) -> None:
        done = rasp("generate", target, "ab", "--json")
        assert json.loads(done.out) == {"prompt": ["a", "b"], "tokens": ["c", "d", "."]}

    def test_list(self, target: str, rasp, desk: Path) -> None:
        assert rasp("generate", target, "--list", '["a", "b"]').out == "cd.\n"

    def test_a_prompt_that_is_too_long(self, target: str, rasp, desk: Path) -> None:
        done = rasp("generate", target, "abcdabcda")
        assert (done.code, done.out) == (2, "")
        assert "9 tokens" in done.err and "hint" in done.err

    def test_an_unknown_output(self, target: str, rasp, desk: Path) -> None:
        done = rasp("generate", target, "ab", "--output", "nxt")
        assert (done.code, done.out) == (2, "")
        assert "nxt" in done.err


@pytest.mark.parametrize("target", ["letters.rasp", "letters"])
class TestFast:
    """By recurrence, the same text."""

    @pytest.fixture(autouse=True)
    def by_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """No cache of keys and values is made."""
        monkeypatch.setattr(Reading, "read", lambda *_: pytest.fail("the model itself read"))

    def test_tokens(self, target: str, rasp, desk: Path) -> None:
        assert rasp("generate", target, "ab", "--fast") == (0, "cd.\n", "")

    def test_so_many(self, target: str, rasp, desk: Path) -> None:
        assert rasp("generate", target, "ab", "--fast", "--max-tokens", "1") == (0, "c\n", "")

    def test_json(self, target: str, rasp, desk: Path) -> None:
        done = rasp("generate", target, "ab", "--fast", "--json")
        assert json.loads(done.out) == {"prompt": ["a", "b"], "tokens": ["c", "d", "."]}

    def test_drawing(self, target: str, rasp, desk: Path) -> None:
        assert rasp("generate", target, "ab", "--fast", "--temperature", "1", "--seed", "3").out == "cd.\n"

    def test_an_unknown_output(self, target: str, rasp, desk: Path) -> None:
        done = rasp("generate", target, "ab", "--fast", "--output", "nxt")
        assert (done.code, done.out) == (2, "") and "nxt" in done.err

    def test_a_prompt_that_is_too_long(self, target: str, rasp, desk: Path) -> None:
        done = rasp("generate", target, "abcdabcda", "--fast")
        assert (done.code, done.out) == (2, "") and "9 tokens" in done.err


def test_fast_writes_with_the_output_that_is_asked_for(rasp, desk: Path) -> None:
    """With settings of the call, and with an s-op that the header does not name."""
    words = ("generate", "letters.rasp", "ab", "--output", "same", "--max-length", "4")
    assert rasp(*words, "--fast") == rasp(*words) == (0, "bbb\n", "")


@pytest.mark.parametrize("target", ["reverse.rasp", "reversed"])
def test_fast_does_not_make_a_bidirectional_program_generate(target: str, rasp, room: Path) -> None:
    done = rasp("generate", target, "ab", "--fast")
    assert (done.code, done.out) == (2, "")
    assert done.err.count("bidirectional") == 1


def test_without_a_recurrence_the_same_is_written_and_a_note_says_why(rasp, desk: Path) -> None:
    rasp("compile", "letters.rasp", "-o", "half", "--dtype", "float16")
    done = rasp("generate", "half", "ab", "--fast")
    assert (done.code, done.out) == (0, "cd.\n")
    assert "no fast path: exact counts need float32 or float64, not float16" in done.err


def test_a_fast_path_that_is_no_recurrence_says_why(rasp, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compiler.runtime.fast.generation.MOST_CODES", 0)
    (desk / "seen.rasp").write_text(SEEN)
    done = rasp("generate", "seen.rasp", "ab", "--fast")
    assert (done.code, done.out) == (0, rasp("generate", "seen.rasp", "ab").out)
    assert "no fast path: " in done.err and "tells more than 0 classes of keys apart" in done.err


def test_words_have_blanks_between_them(rasp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("programs/decoders/traffic_light.rasp", "--list", '["red"]', "--max-tokens", "3")
    assert rasp("generate", *words).out == "yellow green yellow\n"


def test_settings_override_the_header(rasp, desk: Path) -> None:
    assert rasp("generate", "letters.rasp", "ab", "--output", "same").out == "bbbbbbb\n"
    assert rasp("generate", "letters.rasp", "ab", "--output", "same", "--max-length", "4").out == "bbb\n"


def test_a_checkpoint_is_fixed(rasp, desk: Path) -> None:
    done = rasp("generate", "letters", "ab", "--max-length", "4")
    assert done.code == 2 and "cannot change a checkpoint" in done.err


def test_a_model_that_is_full_says_so(rasp, desk: Path) -> None:
    (desk / "letters.rasp").write_text(PROGRAM.replace('#@ stop: "."\n', ""))
    rasp("compile", "letters.rasp", "-o", "endless")
    assert rasp("generate", "endless", "ab") == (0, "cd.abcd\n", "")
    done = rasp("generate", "endless", "ab", "--max-tokens", "20")
    assert (done.code, done.out) == (0, "cd.abcd\n")
    assert "it ends after 7 tokens: the model holds 8" in done.err
    assert rasp("generate", "letters.rasp", "ab", "--max-tokens", "12").out == "cd.abcd.abcd\n"


def test_drawing(rasp, desk: Path) -> None:
    assert rasp("generate", "letters", "ab", "--temperature", "1", "--seed", "3").out == "cd.\n"
    hot = [rasp("generate", "letters", "ab", "--temperature", "1e6", "--seed", seed).out for seed in "01234567"]
    assert len(set(hot)) > 1
    assert hot[0] == rasp("generate", "letters", "ab", "--temperature", "1e6", "--seed", "0").out


@pytest.mark.parametrize("number", ["-1", "hot", "nan", "inf"])
def test_a_temperature_is_a_number(number: str, rasp, desk: Path) -> None:
    done = rasp("generate", "letters", "ab", f"--temperature={number}")
    assert done.code == 2 and f'expected a number of 0 or more, got "{number}"' in done.err


def test_the_interpreter_does_not_draw(rasp, desk: Path) -> None:
    done = rasp("generate", "letters.rasp", "ab", "--temperature", "1")
    assert done.code == 2 and "nothing to draw from" in done.err


@pytest.mark.parametrize("target", ["reverse.rasp", "reversed"])
def test_a_bidirectional_program_does_not_generate(target: str, rasp, room: Path) -> None:
    done = rasp("generate", target, "ab")
    assert (done.code, done.out) == (2, "")
    assert "bidirectional" in done.err


def test_at_a_terminal_tokens_come_one_by_one(desk: Path) -> None:
    """Endless, so that nothing would be seen if it waited for the end."""
    (desk / "endless.rasp").write_text(PROGRAM.replace('#@ stop: "."\n', ""))
    ours, theirs = pty.openpty()
    words = [RASP, "generate", "endless.rasp", "a", "--max-tokens", "1000000"]
    with subprocess.Popen(words, stdout=theirs, stderr=subprocess.DEVNULL) as process:
        seen = b""
        while len(seen) < 20:
            seen += os.read(ours, 100)
        process.kill()
    os.close(ours)
    os.close(theirs)
    assert seen.startswith(b"bcd.abcd.abcd.abcd.")
