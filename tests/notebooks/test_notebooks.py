"""The notebooks run from top to bottom, and what is committed below their cells is what a run shows.

`RASP_WRITE_GOLDEN=1` writes what the run shows into them.
"""

from __future__ import annotations

import asyncio
import copy
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

from tests.places import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ELSEWHERE = {"03", "04", "06"}
"""Those that run in other people's architectures."""
PRIVATE = re.compile(r"/(home|tmp|root|usr|work|Users)/|\\Users\\|ipykernel_\d+|0x[0-9a-f]{6,}")
"""What only one machine or one run would show: paths, addresses of objects."""


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A kernel's folder, so that it leaves nothing anywhere else. Short: a socket's path has 107 characters at most."""
    with tempfile.TemporaryDirectory(prefix="nb", ignore_cleanup_errors=True) as folder:
        for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
            monkeypatch.setenv(name, folder)
        monkeypatch.setenv("PYTHONHASHSEED", "random")
        monkeypatch.setenv("PATH", str(Path(sys.executable).parent))  # what `draw` shows depends on graphviz
        yield Path(folder)


async def _run(notebook: Any, home: Path) -> Any:
    """The notebook, executed in a kernel of its own that talks through sockets in its folder, not over a port."""
    private = Config(AsyncKernelManager={"transport": "ipc", "connection_file": str(home / "kernel.json")})
    client = NotebookClient(
        notebook,
        config=private,
        resources={"metadata": {"path": str(home)}},
        timeout=120,
        coalesce_streams=True,
        record_timing=False,
    )
    return await client.async_execute()


def _shown(notebook: Any) -> list[tuple[str, list[Any]]]:
    """Each code cell and what stands below it."""
    return [
        (cell.source, [{**output, "execution_count": None} for output in cell.outputs])
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.slow) if path.stem[:2] in ELSEWHERE else path for path in NOTEBOOKS],
    ids=lambda path: path.stem,
)
def test_a_notebook_shows_what_a_run_shows(path: Path, home: Path) -> None:
    committed = nbformat.read(path, as_version=4)
    fresh = asyncio.run(_run(copy.deepcopy(committed), home))
    if os.environ.get("RASP_WRITE_GOLDEN"):
        fresh.metadata = committed.metadata  # a run adds the version of its Python
        nbformat.write(fresh, path)
        return
    assert [cell.get("execution_count") for cell in committed.cells] == [
        cell.get("execution_count") for cell in fresh.cells
    ]
    for (source, expected), (_, found) in zip(_shown(committed), _shown(fresh), strict=True):
        assert found == expected, f"after this cell:\n{source}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_no_machine(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not PRIVATE.search(str(outputs))
    assert {output.output_type for output in outputs} <= {"stream", "execute_result"}
    assert all(output.name == "stdout" for output in outputs if output.output_type == "stream")


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) >= 3
