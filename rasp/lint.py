"""Warnings: programs that run, but probably not as meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rasp.source import Diagnostic

if TYPE_CHECKING:
    from rasp.program import Program


def lint(program: Program) -> list[Diagnostic]:
    """Everything suspicious about a program."""
    return []
