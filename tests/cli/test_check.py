"""`rasp check` at the command line: what it prints, as text and as JSON, and its exit codes."""

import json
from pathlib import Path

import pytest

import compiler
from compiler.runtime.checkpoint import save


def spoil(folder: str) -> None:
    """A checkpoint whose logits are in another order."""
    model = compiler.load(folder)
    config = json.loads((Path(folder) / "config.json").read_text())
    del config["sha256"]
    weights = model.state_dict()
    weights["unembed.W_U"] = weights["unembed.W_U"].flip(-1)
    save(folder, config, weights, model.labels)


@pytest.mark.parametrize("target", ["reverse.rasp", "reversed"])
def test_it_says_what_was_tried(target: str, rasp, room: Path) -> None:
    done = rasp("check", target, "--samples", "20", "--max-exhaustive", "39")
    first, second = done.out.splitlines()
    assert first.startswith("39 short inputs, 20 random, ") and first.endswith(" with the interpreter")
    assert second.startswith("every input of up to 3 tokens is among them; ")
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(
    ("target", "stages"),
    [("reverse.rasp", "analysis, graph, circuits, weights, model, fast agree"), ("reversed", "model, fast agree")],
)
def test_the_fast_path_too(target: str, stages: str, rasp, room: Path) -> None:
    done = rasp("check", target, "--fast", "--samples", "20", "--max-exhaustive", "39")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0].endswith(f"{stages} with the interpreter")


def test_json_is_one_object(rasp, room: Path) -> None:
    done = rasp("check", "reversed", "--samples", "20", "--json", "--seed", "5", "--max-exhaustive", "120")
    [line] = done.out.splitlines()
    report = json.loads(line)
    assert (report["ok"], report["stages"], report["seed"], report["differences"]) == (True, ["model"], 5, [])
    assert report["inputs"]["random"] == 20
    assert report["every_input_up_to"] == 4
    assert report["inputs"]["short"] == 3 + 9 + 27 + 81


def test_a_difference_is_small_and_says_where_it_begins(rasp, room: Path) -> None:
    spoil("reversed")
    done = rasp("check", "reversed", "--samples", "20")
    assert (done.code, done.err) == (1, "")
    assert "model differs from the interpreter in reversed\n  input        a\n" in done.out
    assert "  first wrong  reversed, unembedding: ['c'] instead of ['a']\n" in done.out


def test_a_difference_as_json(rasp, room: Path) -> None:
    spoil("reversed")
    done = rasp("check", "reversed", "--samples", "20", "--json")
    [difference] = json.loads(done.out)["differences"]
    assert done.code == 1
    assert (difference["stage"], difference["tokens"]) == ("model", ["a"])
    assert (difference["expected"], difference["found"]) == (["a"], ["c"])


def test_two_processes_say_what_one_says(rasp, room: Path) -> None:
    words = ("check", "reversed", "--samples", "300", "--max-exhaustive", "39")
    one, two = (rasp(*words, "--jobs", jobs).out.splitlines()[0] for jobs in ("1", "2"))
    assert one == two


def test_too_few_answers_are_no_success(rasp, room: Path) -> None:
    (room / "few.rasp").write_text('#@ output: a\n#@ vocab: "abc"\n#@ max_length: 4\na = {"a": 1}[tokens];\n')
    done = rasp("check", "few.rasp", "--samples", "20")
    assert done.code == 1
    assert "too few had an answer to tell anything" in done.out


# ------------------------------------------------------------------------------------------------------- with a source


SOURCED = """#@ output: next
#@ source: "ab"
#@ vocab: "ab."
#@ max_source: 3
#@ stop: "."
next = aggregate(select(indices, indices, ==), source, ".") if source[0] == "a" or indices < 1 else "ENDING";
"""


@pytest.fixture
def sourced(rasp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program with a source, and one that does not end where the source begins with a b."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "copy.rasp").write_text(SOURCED.replace("ENDING", "."))
    (tmp_path / "endless.rasp").write_text(SOURCED.replace("ENDING", "a"))
    assert rasp("compile", "copy.rasp", "-o", "copy").code == 0
    return tmp_path


@pytest.mark.parametrize(
    ("target", "stages"), [("copy.rasp", "analysis, graph, circuits, weights, model"), ("copy", "model")]
)
def test_a_program_with_a_source_is_checked_with_its_decodes(target: str, stages: str, rasp, sourced: Path) -> None:
    done = rasp("check", target, "--samples", "20", "--max-exhaustive", "8")
    first, second = done.out.splitlines()
    assert first.startswith("8 short inputs, 20 random, ")
    assert first.endswith(
        f" whole decodes: {stages}, decode, generate, generate without a cache agree with the interpreter"
    )
    assert second.startswith("every source with every target of one token is among them; ")
    assert (done.code, done.err) == (0, "")


def test_a_difference_is_printed_with_both_tapes(rasp, sourced: Path) -> None:
    spoil("copy")
    done = rasp("check", "copy", "--samples", "20")
    assert (done.code, done.err) == (1, "")
    assert "model differs from the interpreter in next\n  source       b\n  target       <start>\n" in done.out
    [difference] = json.loads(rasp("check", "copy", "--samples", "20", "--json").out)["differences"]
    assert (difference["source"], difference["tokens"]) == (["b"], ["<start>"])


def test_a_decode_without_an_end_is_a_finding_unless_it_is_allowed(rasp, sourced: Path) -> None:
    done = rasp("check", "endless.rasp", "--samples", "20", "--max-exhaustive", "8")
    assert (done.code, done.err) == (1, "")
    assert "a decode has no end: 4 tokens, none of them of `stop`\n  source       b\n" in done.out
    assert done.out.endswith("hint: let the target end with a token of `stop`, or pass --allow-endless\n")
    allowed = rasp("check", "endless.rasp", "--samples", "20", "--max-exhaustive", "8", "--allow-endless")
    assert allowed.code == 0 and "decodes met no token of `stop`" in allowed.out


@pytest.mark.parametrize(
    "words", [("--jobs", "0"), ("--seconds", "-1"), ("--seconds", "soon"), ("--seconds", "inf"), ("--jobs", "many")]
)
def test_a_mistake_in_the_call(words: tuple[str, str], rasp, room: Path) -> None:
    done = rasp("check", "reversed", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error[usage]: argument {words[0]}: expected a number")


def test_without_a_fast_path_it_is_not_checked(rasp, room: Path) -> None:
    rasp("compile", "reverse.rasp", "-o", "half", "--dtype", "float16")
    assert rasp("check", "half", "--samples", "20").code == 0
    assert rasp("check", "half", "--samples", "20", "--fast") == (
        2,
        "",
        "error[no-fast-path]: there is no fast path to check: exact counts need float32 or float64, not float16\n"
        "  hint: check without --fast\n",
    )


def test_without_a_terminal_there_is_no_progress_bar(rasp, room: Path) -> None:
    assert rasp("check", "reversed", "--samples", "500").err == ""


def test_interventions_are_a_table_of_the_variables(rasp, room: Path) -> None:
    done = rasp("check", "reversed", "--interventions", "--seed", "3")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert " ".join(lines[0].split()) == "variable columns after tried meant other answer wrong"
    assert "the model answers every one as the program does" in lines[-2] and "seed 3" in lines[-1]


def test_interventions_as_json(rasp, room: Path) -> None:
    report = json.loads(rasp("check", "reversed", "--interventions", "--json").out)
    assert (report["ok"], report["problems"], report["totals"]["wrong"], report["totals"]["misread"]) == (
        True,
        [],
        0,
        0,
    )
    assert report["totals"]["changed"] > 100


def test_interventions_find_a_model_that_answers_otherwise(rasp, room: Path) -> None:
    spoil("reversed")
    done = rasp("check", "reversed", "--interventions")
    assert done.code == 1
    assert "are answered otherwise than by the program" in done.out


WRONG = '#@ vocab: "ab"\n#@ max_length: 3\n#@ example: "ab" -> "ab"\n#@ example: "aab" -> "bbb"\nlast = tokens[-1];\n'
SAID = """\
warning[example]: the program answers "bb", the example says "ab": they differ at position 0
 --> wrong.rasp:3:13
3 | #@ example: "ab" -> "ab"
  |             ^^^^^^^^^^^^
"""


def test_a_wrong_example_is_found_by_check_lint_and_compile(rasp, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.rasp").write_text(WRONG)
    checked = rasp("check", "wrong.rasp", "--samples", "5")
    assert checked.code == 1
    assert f"agree with the interpreter\nexamples: 1 example of the header is wrong\n{SAID}" in checked.out
    assert rasp("lint", "wrong.rasp") == (1, SAID, "")
    compiled = rasp("compile", "wrong.rasp", "-o", "out")
    assert (compiled.code, compiled.err) == (0, SAID)
    again = json.loads(rasp("check", "out", "--samples", "5", "--json").out)
    assert not again["ok"] and not again["differences"]
    assert (again["examples"]["held"], len(again["examples"]["wrong"])) == (1, 1)


def test_examples_that_the_flags_leave_out_are_said(rasp, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "right.rasp").write_text(WRONG.replace('"ab" -> "ab"', '"ab" -> "bb"'))
    said = "1 example is left out: its input has 3 tokens, and the longest has 2"
    checked = rasp("check", "right.rasp", "--samples", "5", "--max-length", "2")
    assert checked.code == 0 and f"; {said}; seed" in checked.out
    assert rasp("compile", "right.rasp", "-o", "out", "--max-length", "2").err == f"note[example]: {said}\n"
    assert rasp("compile", "right.rasp", "--emit", "graph", "--max-length", "2").err == ""
