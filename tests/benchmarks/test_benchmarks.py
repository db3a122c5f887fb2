"""The benchmarks run and yield a row for everything they promise. Nothing here looks at a time."""

from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import compiling, running, table
from benchmarks.cases import FILES, TEXTS, Case
from benchmarks.plain import plain
from benchmarks.report import Section


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
    command.main(["--quick", "--only", "memory", "--markdown", str(page)])
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Before\n") and text.endswith("\nafter\n")
    assert "old" not in text and "## Memory" in text


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
