"""The console through a pipe, as a process of its own; and fed with anything at all."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rasp.console import console
from rasp.console.console import Console
from rasp.console.session import Session
from tests.places import ALL_PROGRAMS, RASP

FOLDER = Path(__file__).parent / "transcripts"
_WORDS = """
x y f tokens tokens_int indices length sort full_s select( aggregate( range( zip( len( round( indicator( 1 2.5 True
( ) [ ] { } , ; : = == != < > <= >= + - * / % ^ not and or in if else def for return load draw set example show s-op
selector examples on off full seq display exit # #@ vocab: "a" "b" "" 0 help compile out
"""
WORDS = _WORDS.split()
ENDLESS = [
    "def f(x) { return f(x + 1); } y = f(1);",
    "def f(n) { return 0 if n == 0 else f(n - 1) + 1; } x = f(indices);",
    "x = 10 ^ 10 ^ 10 ^ 10;",
    'x = "a" * 10 ^ 9;',
    "x = [i for i in range(1000000)];",
    'x = tokens("a" * 60000);',
    'set example "a" * 60000',
    "x = " + "(" * 5000 + "1" + ")" * 5000 + ";",
    "x = indices" + " + indices" * 3000 + ";",
    "x = [1]; for i in range(5000) { x = [x, x]; } x;",
    'x = "a" * 60000; y = [[x] for i in range(90000)]; y;',
    "x = " + "f(" * 3000,
    "x = [1]; for i in range(999) { x = [x, x]; } def f(a) { return indices; } f(x); y = indices == x; f({1: x});",
]


def pipe(data: bytes, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """The command itself, fed with bytes."""
    return subprocess.run([RASP], input=data, capture_output=True, cwd=folder, timeout=60, check=False)


def session_over(written: list[str]) -> Session:
    """A session that writes its lines into a list."""
    return Session(Console(written.append))


def test_prompts_and_answers_as_bytes(tmp_path: Path) -> None:
    for name in ("sops", "containers"):
        done = pipe((FOLDER / f"{name}.in").read_bytes(), tmp_path)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout == (FOLDER / f"{name}.out").read_bytes()


def test_no_colours_in_a_pipe_and_nothing_on_disk(tmp_path: Path) -> None:
    done = pipe(b"x = nosuch;\nindices;\n", tmp_path)
    assert b"\x1b" not in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "data",
    [
        bytes(range(256)),
        b"\xff\xfe\n1;\n",
        b'x = "\xf0\x9f\x8d\x8e\xe2\x80\xa8\x00";\nx;\n',
        b"\x00" * 5000,
        b"(" * 20_000,
        b"\n" * 5_000,
        b"# a\n" * 3_000,
        b"def f(a) {\n" * 500,
        b'"\r\r\n' * 100,
        b"x = 1\n" + b"+ 1\n" * 1_000 + b";",
    ],
)
def test_any_bytes_are_answered(data: bytes, tmp_path: Path) -> None:
    done = pipe(data + b"\n\n}}}));\n41 + 1;\n", tmp_path)
    assert done.returncode == 0
    assert done.stderr == b""
    assert b"Traceback" not in done.stdout
    assert b"fault of the console" not in done.stdout
    assert b"value: out =  42" in done.stdout


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    process = subprocess.Popen([RASP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin and process.stdout and process.stderr
    process.stdout.close()
    process.stdin.write(b"full_s;\n" * 1000)
    process.stdin.close()
    assert process.wait(30) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize("text", ENDLESS)
def test_limits_end_a_statement_and_not_the_session(text: str) -> None:
    written: list[str] = []
    session = session_over(written)
    began = time.process_time()
    session.line(text)
    session.end()
    session.line("set example [1, 2]")
    session.line("indices + 40;")
    assert time.process_time() - began < 15
    assert "fault of the console" not in "".join(written)
    assert written[-1] == " \t Example: out([1, 2]) = [40, 41] (ints)"
    assert sum(map(len, written)) < 500_000


def test_a_long_session_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "MAX_REMEMBERED", 3_000)
    written: list[str] = []
    session = session_over(written)
    for _ in range(10):
        session.line("for i in range(500) { x = indices + i; y = x * x; }")
        assert len(session.console.spans) < 6_000
    session.line("y;")
    assert written[-1].startswith(' \t Example: y("hello")')


def mutated(text: str, places: list[float], parts: list[str]) -> str:
    for place, part in zip(places, parts, strict=False):
        at = int(place * len(text))
        text = text[:at] + part + text[at + 1 :]
    return text


def unharmed(text: str) -> None:
    written: list[str] = []
    session = session_over(written)
    session.text(text)
    said = "\n".join(written)
    assert "fault of the console" not in said
    assert "Traceback" not in said


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(["\n", *WORDS]), max_size=50).map(" ".join))
@example("set example {1 : 2}\nindices;")
@example("x = tokens;\nset example {0 : 1}\nfull seq display on\nx;")
def test_any_words(text: str) -> None:
    unharmed(text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=120))
def test_any_text(text: str) -> None:
    unharmed(text)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([path.read_text("utf-8") for path in ALL_PROGRAMS]),
    st.lists(st.floats(0, 0.999), min_size=1, max_size=4),
    st.lists(st.sampled_from(["", *WORDS, "\n", '"']), min_size=4, max_size=4),
)
def test_mutated_programs(text: str, places: list[float], parts: list[str]) -> None:
    unharmed(mutated(text, places, parts))


def test_running_a_program_does_not_load_the_console() -> None:
    code = "import compiler.cli, rasp, sys; rasp.parse('x = tokens;'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"prompt_toolkit", "pygments", "rasp.console"} & set(loaded)
    code = "import rasp.console.repl, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"prompt_toolkit", "torch", "numpy", "compiler"} & set(loaded)
