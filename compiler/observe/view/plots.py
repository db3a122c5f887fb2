"""Plots for papers and slides: attention patterns and the residual stream, by matplotlib.

In: a model with labels and an input. Out: a matplotlib `Figure`, which a notebook displays and `savefig` writes.
Invariant: nothing global is touched: no `pyplot`, no window, no style. matplotlib comes with the extra `plots`.

    patterns(model, "headache").savefig("patterns.pdf")
    stream(model, "headache")
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.model import ModelError, Transformer, require_one_tape
from compiler.observe.view.links import scales

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 4
"""Most panels beside each other."""
WEIGHTS, SIGNED = "Blues", "PuOr"
"""Colour maps that everybody can read: from light to dark, and from orange over white to purple."""


def patterns(model: Transformer, tokens: Iterable[object]) -> Figure:
    """The attention pattern of each head: a row for each query, a column for each key, BOS first.

    A head that counts gives each selected key little weight; its pattern is shown as what each key adds.
    """
    texts, ids = _read(model, tokens)
    _, mask = model.with_bos(ids)
    panels: list[tuple[str, Tensor]] = []
    with torch.no_grad():
        streams = list(model.residuals(ids))
        for number, block in enumerate(model.layers()):
            found = () if block.attn is None else block.attn.pattern(streams[2 * number], mask)[0]
            for head, pattern in enumerate(found):
                shown = pattern[1:].double() * torch.tensor([1.0] + [scales(model)[number][head]] * len(texts))
                panels.append((f"L{number}H{head} {model.labels['layers'][number]['heads'][head]['name']}", shown))
    if not panels:
        raise ModelError("the model has no heads", "`stream` shows what its neurons do")
    figure, axes = _panels(len(panels), 2.6, 2.8)
    for axis, (title, shown) in zip(axes, panels, strict=True):
        axis.imshow(shown.clamp(max=1).cpu().numpy(), cmap=WEIGHTS, vmin=0, vmax=1)
        _name(axis, title, ["bos", *texts], texts)
    return figure


def stream(model: Transformer, tokens: Iterable[object]) -> Figure:
    """The residual stream after each step: a row for each direction, a column for each position.

    Each direction is shown in parts of its largest size on this input; those that are zero throughout are left out.
    """
    texts, ids = _read(model, tokens)
    with torch.no_grad():
        streams = torch.stack([found[0, 1:].double().cpu().T for found in model.residuals(ids)])  # [step, column, pos]
    streams = streams - _constants(model)[:, :, None]
    largest = streams.abs().amax((0, 2))
    used = largest.nonzero().flatten()
    shown = (streams / largest.clamp(min=1e-300)[:, None])[:, used]
    steps = ["embedding"]
    for layer in range(len(model.config.layers)):
        steps += [f"L{layer} attention", f"L{layer} MLP"]
    columns = [model.labels["columns"][column] for column in used]
    figure, axes = _panels(len(steps), 0.8 + 0.24 * len(texts), 0.8 + 0.17 * len(columns))
    for number, (axis, title) in enumerate(zip(axes, steps, strict=True)):
        axis.imshow(shown[number].numpy(), cmap=SIGNED, vmin=-1, vmax=1, aspect="auto")
        _name(axis, title, texts, columns if number % ACROSS == 0 else [""] * len(columns))
    return figure


def _read(model: Transformer, tokens: Iterable[object]) -> tuple[list[str], Tensor]:
    """The texts of an input and its ids [1, n]."""
    require_one_tape(model.encoder is not None, "the plots")
    texts = [str(token) for token in tokens]
    return texts, torch.tensor([model.encode(texts)], device=model.embed.W_E.device)


def _constants(model: Transformer) -> Tensor:
    """What stands in each column beside what it holds, after each step: [step, column]."""
    found = torch.zeros(2 * len(model.config.layers) + 1, model.config.d_model, dtype=torch.float64)
    for direction in model.labels["directions"]:
        if (offset := direction.get("offset")) is not None:
            found[: offset["until"], direction["column"]] = float(Fraction(offset["number"]))
    return found


def _panels(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels, each of this size in inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ModelError("plots need matplotlib", 'pip install "rasp-compiler[plots]"') from None
    across = min(count, ACROSS)
    down = math.ceil(count / across)
    figure = Figure(figsize=(width * across + 1.2, height * down), layout="constrained")
    grid: Any = figure.subplots(down, across, squeeze=False)
    axes = list(grid.flat)
    for spare in axes[count:]:
        spare.set_visible(False)
    return figure, axes[:count]


def _name(axis: Axes, title: str, columns: Sequence[str], rows: Sequence[str]) -> None:
    """Titles and ticks; texts are shown as they are, never read as mathematics."""
    axis.set_title(title if len(title) <= 28 else title[:27] + "…", fontsize=8, parse_math=False)
    for along, names in ((axis.xaxis, columns), (axis.yaxis, rows)):
        along.set_ticks(range(len(names)), [name if len(name) <= 18 else name[:17] + "…" for name in names], fontsize=7)
        for label in along.get_ticklabels():
            label.set_parse_math(False)
    axis.tick_params(length=0)
    if max(map(len, columns)) > 3:
        axis.tick_params(axis="x", rotation=60)
