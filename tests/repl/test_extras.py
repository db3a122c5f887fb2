"""What the console has beyond the original: `help`, `compile`, drawings, notebooks, colours elsewhere."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Error, Keyword, Name, Number, String

import rasp
from rasp.ask.drawing import flow
from rasp.ask.pygments_lexer import RaspLexer
from rasp.console.completion import candidates
from rasp.console.console import Console
from rasp.console.extras import program_of
from rasp.console.manual import PAGES
from rasp.magic import load_ipython_extension
from rasp.meaning.listing import listing
from rasp.running.elaborate import library, library_of_tapes
from rasp.running.environment import Function
from rasp.settings import Settings
from rasp.text.parser import parse_text
from rasp.text.source import RaspError
from tests.places import ALL_PROGRAMS, ROOT

MISSING = "graphviz (https://graphviz.org) is not installed: with it `draw` makes SVG and PDF too"

# --------------------------------------------------------------------------------------------------------------- help


def test_help_gives_an_overview(say) -> None:
    assert "set example" in say("help")


def test_help_knows_every_name_of_the_library(say) -> None:
    for name in library_of_tapes().names():
        if name not in {"True", "False", "out"} and not name.startswith(("tokens_", "source_")):
            assert name in PAGES, name


def test_help_names_the_parameters_that_are_there() -> None:
    for name, value in library().values.items():
        if isinstance(value, Function):
            assert PAGES[name].split("\n")[0].count(",") == len(value.parameters) - 1


def test_help_about_precedence_is_true() -> None:
    cells = [cell for line in PAGES["precedence"].split("\n") for cell in re.split(r"  +", line) if " is " in cell]
    assert len(cells) == 8
    for cell in cells:
        short, _, explicit = cell.partition(" is ")
        assert str(parse_text(f"{short};").module) == str(parse_text(f"{explicit};").module)


def test_help_about_what_there_is_not(say) -> None:
    assert say("help selct") == "there is no help about `selct`: did you mean `select`?"


@pytest.mark.parametrize("line", ["help;", "help = 1;", "compile = 2;", "help in [1];", "compile(3);", "compile + 1;"])
def test_names_of_these_commands_stay_free(line: str, say) -> None:
    say("help = 3; compile = 4;")
    assert "help shows" not in say(line)
    assert not say(line).startswith("statements")


# ------------------------------------------------------------------------------------------------------------ compile


def test_compile_says_what_an_s_op_becomes(say) -> None:
    say("flip = aggregate(select(indices, length - indices - 1, ==), tokens);")
    first, *layers, last = say("compile flip").split("\n")
    assert re.fullmatch(r"\tflip: 2 layers, \d+ heads, \d+ neurons?, d_model \d+, .* parameters .*", first)
    assert len(layers) == 2
    assert last == '\t  for 1 to 16 tokens of "helo", bidirectional'


def test_settings_change_what_is_compiled_for(say) -> None:
    say('seen = "a" in tokens;')
    say('#@ vocab: ["a", "bc"]')
    say("#@ max_length: 5")
    say("#@ attention: causal")
    assert say("compile seen").endswith("\t  for 1 to 5 tokens of ['a', 'bc'], causal")


def test_a_wrong_setting_is_reported(say) -> None:
    assert "error[setting]" in say("#@ max_length: many")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("compile", "compile what?"),
        ("compile nosuch", "cannot compile `nosuch`: it is not defined"),
        ("compile lenght", "did you mean `length`?"),
        ("compile full_s", "cannot compile `full_s`: it is a selector, not an s-op"),
        ("compile sort", "not an s-op"),
        ("compile x", "cannot compile `x`"),
    ],
)
def test_a_refusal_is_one_line(line: str, reason: str, say) -> None:
    say('x = tokens_int; set example "12"')
    say('set example "12"\nx = 1 / (tokens_int - 3);\nset example "3"')
    answer = say(line)
    assert answer.startswith("error[")
    assert reason in answer.split("\n")[0]
    assert all(rest.startswith("  hint:") for rest in answer.split("\n")[1:])


def test_equal_steps_are_compiled_once() -> None:
    console = Console(lambda line: None)
    console.enter("a = indices + 1; b = indices + 1; c = a * b;")
    program = program_of(console, "c")
    assert listing({"c": program.node("c")}).count("indices + 1") <= listing({"c": program.node("a")}).count("+ 1")
    assert program.node("a") is program.node("b")


def test_the_header_of_a_loaded_file_holds(say, tmp_path: Path) -> None:
    (tmp_path / "small.rasp").write_text('#@ vocab: "xyz"\n#@ max_length: 3\nmine = tokens == "x";\n')
    say(f'load "{tmp_path}/small";')
    assert say("compile mine").endswith('\t  for 1 to 3 tokens of "xyz", bidirectional')


# -------------------------------------------------------------------------------------------------------------- draw


def test_a_drawing_as_text(say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    say("s = select(tokens, tokens, ==); n = selector_width(s); z = n + 1;")
    assert say('draw(z, "aba");') == "\n".join(
        [
            "\tinput   a b a",
            "\tlayer 1",
            "\t  head  s",
            "\t            a b a",
            "\t        a | 1 . 1",
            "\t        b | . 1 .",
            "\t        a | 1 . 1",
            "\t        n = [2, 1, 2] (ints)",
            "\t  z = [3, 2, 3] (ints)",
            MISSING,
            "\t =  [3, 2, 3] (ints)",
        ]
    )


def test_draw_tries_its_s_op_on_its_input(say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert say("draw(tokens_int + 1, [1, 2]);").endswith("\t =  [2, 3] (ints)")


def test_layers_are_counted_as_in_the_paper() -> None:
    text = "flip = aggregate(select(indices, length - indices - 1, ==), tokens); s = sort(tokens, tokens);"
    program = rasp.parse(text)
    assert len(flow(program.node("flip"), "abc", {}).layers) == 3
    assert len(flow(program.node("s"), "abc", {}).layers) == 3


def test_equal_selectors_are_one_head() -> None:
    program = rasp.parse("m = aggregate(full_s, indices) + aggregate(full_s, 2 * indices) + length;")
    [_, first] = flow(program.node("m"), "abc", {}).layers
    assert len(first.heads) == 1
    assert len(first.heads[0].steps) == 3


def test_graphviz_draws_svg_and_pdf(say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    dot = tmp_path / "bin" / "dot"
    dot.write_text('#!/bin/sh\nwhile read -r line; do echo "$line"; done > "$3"\n')
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path)
    say('x = tokens + "<\\&>";')
    answer = say('draw(x, "a/b");')
    assert answer.split("\n")[-1] == "\t =  [a<\\&>, /<\\&>, b<\\&>] (strings)"
    files = sorted(path.name for path in (tmp_path / "comp_flows").iterdir())
    assert files == ["x(a_b).pdf", "x(a_b).svg"]
    assert (tmp_path / "comp_flows" / files[0]).read_text().startswith("digraph flow {")


def test_without_graphviz_it_says_so_once_below_the_text(say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    first, second = say("draw(indices);"), say("draw(indices);")
    assert first.splitlines()[:-2] == second.splitlines()[:-1]
    assert first.splitlines()[-2] == MISSING
    assert "graphviz" not in second


def test_a_graphviz_that_fails_is_a_warning(say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dot = tmp_path / "dot"
    dot.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    answer = say("draw(indices);")
    assert answer.startswith("warning[draw]: no picture could be drawn: graphviz: broken")
    assert answer.endswith("\t =  [0, 1, 2, 3, 4] (ints)")


# --------------------------------------------------------------------------------------------------------- completion


def offered(line: str, *statements: str) -> list[str]:
    console = Console(lambda text: None)
    for statement in statements:
        console.enter(statement)
    return [word for word, about in candidates(line, console)]


def test_names_of_the_session_come_first() -> None:
    assert offered("x = tok", "token_sum = 3;")[0] == "token_sum"


def test_completion_knows_the_place() -> None:
    assert offered("set ") == ["example", "s-op example", "selector example"]
    assert offered("examples o") == ["on", "off"]
    assert offered("s-op ex") == ["examples"]
    assert sorted(offered("help indic")) == ["indicator", "indices"]
    assert offered("compile ind", "ind_x = indices; ind_y = 3;") == ["ind_x", "indices"]
    assert offered('x = "ind') == []
    assert "def" in offered("de")
    assert "def" not in offered("x = de")


def test_completion_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.rasp").write_text("")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "deep.rasp").write_text("")
    monkeypatch.chdir(tmp_path)
    assert offered('load "m') == ["mine", "more/"]
    assert offered('load "more/') == ["more/deep"]
    assert "programs/sort" in offered('load "programs/s')
    assert offered('load "/nosuch\0[') == []


# ---------------------------------------------------------------------------------------------------------- notebooks


class Shell:
    """As much of IPython as the magic needs."""

    def register_magic_function(self, function, magic_kind: str, magic_name: str) -> None:
        assert (magic_kind, magic_name) == ("line_cell", "rasp")
        self.magic = function

    def push(self, names: dict) -> None:
        self.names = names


def test_cells_share_a_session(capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell()
    load_ipython_extension(shell)
    shell.magic("", 'def f(s) {\n  return s + "!";\n}\nx = f(tokens);\n')
    shell.magic("x;")
    assert capsys.readouterr().out.count('Example: x("hello") = [h!, e!, l!, l!, o!] (strings)') == 2
    assert shell.names["rasp_session"]["x"]("ab") == ["a!", "b!"]
    assert shell.names["rasp_session"]["full_s"]("ab") == [[True, True], [True, True]]
    shell.magic("h = indices / 2;")
    assert repr(shell.names["rasp_session"]["h"]("abc")) == "[0, 0.5, 1]"
    shell.magic("--new", "x;")
    assert "error[unknown-name]" in capsys.readouterr().out
    with pytest.raises(RaspError, match="the session has no `x`"):
        shell.names["rasp_session"]["x"]


def test_a_cell_that_is_wrong_is_no_exception(capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell()
    load_ipython_extension(shell)
    shell.magic("", "exit\n")
    shell.magic("", "x = (;\ny = 1;\nz = (1 +\n")
    said = capsys.readouterr().out
    assert "error[syntax]" in said
    assert "value: y =  1" in said
    assert "error[unfinished]" in said


def test_in_ipython_itself(tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    code = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
shell.run_line_magic("load_ext", "rasp.magic")
shell.run_cell_magic("rasp", "", "x = indices + 1;")
shell.run_cell("print(rasp_session['x']('abc'))")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "IPYTHONDIR": str(tmp_path)},
        check=False,
    )
    assert done.stdout.endswith('Example: x("hello") = [1, 2, 3, 4, 5] (ints)\n[1, 2, 3]\n'), done.stderr


# ------------------------------------------------------------------------------------------------------------ colours


def test_pygments_finds_the_lexer() -> None:
    assert isinstance(get_lexer_by_name("rasp"), RaspLexer)
    assert [entry.load() for entry in entry_points(group="pygments.lexers") if entry.name == "rasp"] == [RaspLexer]


def test_the_lexer_knows_every_word_of_the_shipped_programs() -> None:
    for path in ALL_PROGRAMS:
        text = path.read_text("utf-8")
        found = list(RaspLexer(stripnl=False).get_tokens(text))
        assert "".join(part for _, part in found) == text
        assert not [part for kind, part in found if kind in Error]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("def", Keyword),
        ("define", Name),
        ('"a # b"', String),
        ("# def", Comment),
        ("#@ vocab: a", Comment.Special),
        ("2.5", Number.Float),
        ("s-op", Keyword.Reserved),
        ("s_op", Name),
        ("indices", Name.Builtin.Pseudo),
        ("aggregate", Name.Builtin),
        ("sort", Name.Function),
        ("full seq display", Keyword.Reserved),
    ],
)
def test_the_kind_of_a_word(text: str, kind) -> None:
    [(found, part), *_] = list(RaspLexer().get_tokens(text))
    assert (part, found in kind) == (text, True)


def test_the_lexer_names_the_library_as_it_is() -> None:
    from rasp.ask import pygments_lexer

    known = {*pygments_lexer.SOPS, *pygments_lexer.SOURCE, *pygments_lexer.LIBRARY, "True", "False"}
    assert known == {*library_of_tapes().names()}


def test_the_grammar_for_editors_is_whole() -> None:
    grammar = json.loads((ROOT / "docs" / "rasp.tmLanguage.json").read_text("utf-8"))
    assert grammar["scopeName"] == "source.rasp"
    included = {one["include"].removeprefix("#") for one in grammar["patterns"]}
    assert included == set(grammar["repository"])
    for rule in grammar["repository"].values():
        for pattern in rule["patterns"]:
            re.compile(pattern["match"])


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("def", "keyword.control.rasp"),
        ("select", "support.function.builtin.rasp"),
        ("has_focus", "support.function.library.rasp"),
        ("tokens_int", "support.variable.rasp"),
        ("source_length", "support.variable.rasp"),
        ('"a # b"', "string.quoted.double.rasp"),
        ("#@ vocab: a", "comment.line.setting.rasp"),
        ("# note", "comment.line.number-sign.rasp"),
        ("12.5", "constant.numeric.rasp"),
        ("!=", "keyword.operator.rasp"),
        ("not", "keyword.operator.word.rasp"),
        ("selector", "keyword.other.command.rasp"),
    ],
)
def test_the_scope_of_a_word(text: str, scope: str) -> None:
    grammar = json.loads((ROOT / "docs" / "rasp.tmLanguage.json").read_text("utf-8"))
    order = [one["include"].removeprefix("#") for one in grammar["patterns"]]
    rules = [pattern for name in order for pattern in grammar["repository"][name]["patterns"]]
    first = next(rule for rule in rules if re.match(rule["match"], text))
    assert (first["name"], re.match(first["match"], text)[0]) == (scope, text)


def test_settings_stay_as_they_are() -> None:
    assert Console(print).settings == Settings()


def test_the_names_of_a_source_are_words_where_one_is_declared() -> None:
    from rasp.ask.pygments_lexer import SourceLexer

    def marked(lexer: RaspLexer, text: str) -> list[str]:
        return [part for kind, part in lexer.get_tokens(text) if str(kind) == "Token.Name.Builtin.Pseudo"]

    text = "x = source + source_length + sources + tokens;"
    assert marked(RaspLexer(), text) == ["tokens"]
    assert marked(RaspLexer(), '#@ source: "ab"\n' + text) == ["source", "source_length", "tokens"]
    assert marked(SourceLexer(), text) == ["source", "source_length", "tokens"]
