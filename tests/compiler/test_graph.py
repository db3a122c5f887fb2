"""What `--emit graph` prints: a line for each node, with the domain of that node and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

import compiler
import rasp
from compiler.graph.specialise import Graph
from rasp.meaning.sop import Node, SOp
from tests.places import ALL_PROGRAMS


def rows(graph: Graph) -> dict[str, str]:
    """What stands behind the name in each line."""
    return {name.strip(): text for name, text in (line.split(" = ", 1) for line in str(graph).splitlines())}


def named(graph: Graph) -> dict[str, Node]:
    return {graph.names[node]: node for node in graph.nodes if node in graph.names} | graph.outputs


def require_own_domains(graph: Graph) -> None:
    text = rows(graph)
    assert named(graph)
    for name, node in named(graph).items():
        domain = str(graph.analysis.domain(node)) if isinstance(node, SOp) else ")"
        assert text[name].endswith(domain), (name, text[name], domain)


def test_the_domain_in_a_line_is_that_of_its_node() -> None:
    program = rasp.parse("o = (indices + 1) % 3;\nb = indices - o;\ny = (tokens_int if o == 2 else b);")
    made = compiler.compile(program, "y", vocab=[1, 2, 3], max_length=6, attention="causal")
    text = rows(made.graph)
    assert text["tokens_int"].endswith("{1, 2, 3}")
    assert text["b"].endswith("{-1, 2, 5}")
    assert text["%5"].endswith("{False, True}")
    require_own_domains(made.graph)


def test_a_second_name_of_a_node_has_its_domain_too() -> None:
    made = compiler.compile(rasp.parse("x = indices + 1;\ny = x;"), ["x", "y"], vocab="ab", max_length=3)
    assert rows(made.graph)["x"].endswith("{1, 2, 3}") and rows(made.graph)["y"].endswith("{1, 2, 3}")


@pytest.mark.parametrize("path", ALL_PROGRAMS, ids=lambda path: path.stem)
def test_every_line_of_the_library_has_the_domain_of_its_node(path: Path) -> None:
    program = rasp.load(path)
    require_own_domains(compiler.pipeline.Compiled(program).graph)
