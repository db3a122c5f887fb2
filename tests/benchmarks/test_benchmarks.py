"""The benchmarks run and yield a row for everything they promise. Nothing here looks at a time."""

from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import aims, compiling, running, table
from benchmarks.cases import FILES, TEXTS, Case
from benchmarks.plain import plain
from benchmarks.report import Section, milliseconds
from benchmarks.timing import held_memory


@pytest.fixture(scope="module")
def sections() -> dict[str, Section]:
    return {section.name: section for section in command.sections(command.QUICK)}


def test_a_quick_run_yields_every_section(sections: dict[str, Section]) -> None:
    assert tuple(sections) == command.SECTIONS


def test_every_program_has_a_row_that_ends_in_a_verdict(sections: dict[str, Section]) -> None:
    rows = sections["compile"].rows
    assert [row["program"] for row in rows] == [case.name for case in compiling.QUICK_CASES]
    assert all(row["verdict"] for row in rows)


def test_what_was_compiled_is_run_and_so_are_the_shapes(sections: dict[str, Section]) -> None:
    compiled = sum(row["parameters"] is not None for row in sections["compile"].rows)
    assert len(sections["forward"].rows) == compiled + 3


def test_checks_agree(sections: dict[str, Section]) -> None:
    assert [row["verdict"] for row in sections["check"].rows] == ["agrees", "agrees"]


def test_every_section_prints_as_markdown(sections: dict[str, Section]) -> None:
    for section in sections.values():
        lines = [line for line in section.markdown().splitlines() if line.startswith("|")]
        assert len(lines) == len(section.rows) + 2
        assert len({line.count("|") for line in lines}) == 1


def test_a_page_keeps_what_is_written_around_the_tables(tmp_path: Path, sections: dict[str, Section]) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n{command.BEGIN}\nold\n{command.END}\nafter\n", encoding="utf-8")
    command.main(["--quick", "--only", "interpreter", "--markdown", str(page)])
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Before\n") and text.endswith("\nafter\n")
    assert "old" not in text and "## Interpreting" in text


def test_every_section_says_how_long_it_took(sections: dict[str, Section]) -> None:
    rows = sections["run"].rows
    assert [row["section"] for row in rows] == [*command.SECTIONS[:-1], "all"]
    assert rows[-1]["seconds"] == pytest.approx(sum(row["seconds"] for row in rows[:-1]))


def test_the_worst_case_decides_about_an_aim() -> None:
    rows = [{"seconds": 0.02, "command": "a"}, {"seconds": 0.05, "command": "b"}, {"seconds": None, "command": "c"}]
    among = aims._column("seconds", lambda row: row["command"], bool)
    most = aims.Aim("at most", "start", 0.04, among, milliseconds)
    assert most.row(rows) == {
        "aim": "at most",
        "wanted": "at most 40 ms",
        "measured": "50 ms",
        "where": "b",
        "verdict": "missed",
    }
    least = aims.Aim("at least", "start", 0.02, among, milliseconds, least=True).row(rows)
    assert least is not None and (least["measured"], least["where"], least["verdict"]) == ("20 ms", "a", "met")
    assert most.row(rows[2:]) is None


def test_a_run_reports_the_aims_of_its_sections(sections: dict[str, Section]) -> None:
    found = [row["aim"] for row in sections["aims"].rows]
    assert "start: run a program" in found and "compile: with a certificate, over without" in found
    assert aims.section({"start": sections["start"]}).rows == sections["aims"].rows[-2:]


def test_growth_is_the_power_of_the_parameters() -> None:
    ladder = [compiling.compilation(Case("reverse", size, size), 0.0, 60.0) for size in (4, 32)]
    ladder[0].runs, ladder[1].runs = ([dict.fromkeys(compiling.STAGES, seconds)] for seconds in (1.0, 4.0))
    (row,) = compiling.growth(ladder)
    assert (row["smallest"], row["largest"], row["time"]) == ("reverse 4,4", "reverse 32,32", 4.0)
    assert row["weights"] ** row["exponent"] == pytest.approx(4.0)


def test_memory_is_what_tensors_hold_at_a_time() -> None:
    def work() -> None:
        first = torch.ones(1000)
        second = first + 1
        del first
        torch.ones(500).add_(second[:500])

    assert 8000 <= held_memory(work) < 8100  # a few numbers beside the two tensors


def test_the_plain_transformer_has_the_shape_of_ours() -> None:
    config = running.shape(32, 8)
    ours, theirs = running.randomised(config), plain(config)
    assert sum(p.numel() for p in theirs.parameters()) == ours.stored()
    ids = torch.zeros(2, 5, dtype=torch.long)
    assert ours(ids).shape == theirs(ids).shape


@pytest.mark.parametrize("name", [*FILES, *TEXTS])
def test_every_case_is_a_program(name: str) -> None:
    program = Case(name, 4, 4).program()
    assert program.settings.max_length == 4


@pytest.mark.parametrize(
    ("name", "heads"),
    [("reverse", (1, 1)), ("double histogram", (2, 1)), ("Dyck-2", (2, 1, 1, 1)), ("most frequent", (2, 1, 1))],
)
def test_the_rule_counts_selectors_as_early_as_they_can_be(name: str, heads: tuple[int, ...]) -> None:
    program = Case(name).program()
    assert table.rule(program.node(output) for output in program.outputs) == heads


def test_a_row_of_the_table_has_every_column() -> None:
    row = table.row(table.Entry(Case("reverse", 4, 5), (1, 1), table.Tracr(4, 19_700, 0.05)), budget=0.0)
    assert {column.key for column in (*table.SIZES, *table.SHAPES)} <= set(row)
    assert row["rasp_layers"] == row["attention_layers"] == 2
