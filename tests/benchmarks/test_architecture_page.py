"""The page that follows one program through every pass is what the stages print, and its picture shows every room."""

import pytest

from benchmarks import architecture
from compiler.pipeline import Compiled
from tests.places import ROOT


@pytest.fixture(scope="module")
def made() -> Compiled:
    return architecture.made()


def test_the_page_is_what_the_stages_print(made: Compiled) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    again = "`python -m benchmarks.architecture --write docs/architecture.md` makes the page anew"
    assert page == architecture.page(made), again


def test_every_pass_over_the_circuit_changes_it(made: Compiled) -> None:
    sizes = [circuit.parameters() for circuit in (made.lowered, made.compressed, made.circuit)]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == len(sizes)


def test_the_program_of_the_page_needs_heads_neurons_and_an_output(made: Compiled) -> None:
    layers = made.circuit.layers
    assert all(layer.heads for layer in layers) and layers[0].neurons and layers[0].erasers and made.circuit.outputs


def test_the_picture_shows_every_room() -> None:
    picture = architecture.picture()
    rooms = [path for path in (ROOT / "compiler").iterdir() if not path.name.startswith("_")]
    missing = {path.name for path in rooms if f"compiler/{path.name}{'/' if path.is_dir() else ''}" not in picture}
    assert not missing


def test_every_form_fits_a_screen(made: Compiled) -> None:
    lines = {section.title: section.form.splitlines() for section in architecture.sections(made)}
    assert max(map(len, lines.values())) <= 70
    assert max(len(line) for form in lines.values() for line in form) <= 120
