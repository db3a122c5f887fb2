"""Views: a compiled program to look at.

In: a model with labels, its program, an input. Out: a page of HTML that needs nothing else, views for
notebooks, plots.
Invariant: whatever a page shows comes from the model's weights and labels; a text in it is never read as markup.

    $ rasp view sort "headache" -o sort.html
    wrote sort.html
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compiler.observe.view.notebook import View, show
    from compiler.observe.view.page import page

__all__ = ["View", "page", "show"]

_HOMES = {"View": "notebook", "page": "page", "show": "notebook"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"compiler.observe.view.{_HOMES[name]}"), name)
    globals()[name] = value  # a submodule of the same name must not take its place
    return value
