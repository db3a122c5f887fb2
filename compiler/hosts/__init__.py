"""Hosts: a compiled model inside other people's architectures and file formats.

In: a `compiler.model.Transformer` or a checkpoint folder, a host, a folder. Out: that folder, and a `Verification`.
Invariant: a folder is written whole or not at all, and only after the host's own forward pass, loaded from it, gave the
interpreter's answers on a sample. A host sees the native model alone, never the circuit that it came from.

    >>> from compiler.hosts import export
    >>> export("sort", "bert", "sort-bert")                                 # doctest: +SKIP
    Verification(inputs=229, skipped=0, difference=0.000244, bound=0.00195, lead=32.0, used=7.6e-06)

A host is a module of this folder with two functions (`HostModule`):

* `write(model, folder)` writes the host's files and returns a `Page`, the host's part of the model card. It raises
  `ModelError` where the host cannot carry the model.
* `load(model, folder)` opens those files with the host's own classes and returns a `Forward`, from token ids to logits,
  or, of a program with a source, its `Tapes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

if TYPE_CHECKING:
    from torch import Tensor

    from compiler.hosts.verify import Verification
    from compiler.model import Scalar, Transformer

Forward: TypeAlias = "Callable[[Sequence[Sequence[int]]], list[Tensor]]"
"""Inputs of different lengths as token ids without BOS -> for each its logits [n, d_vocab_out], in the native order."""


Pair: TypeAlias = "tuple[Sequence[int], Sequence[int]]"
"""Token ids of a source, and those of a target so far, `start` in front; neither has BOS."""


@dataclass(frozen=True)
class Tapes:
    """What a host of programs with a source does: `logits` as a `Forward` has them, for each position of the target,
    `start` among them; `write`, the values that it writes for sources of token ids."""

    logits: Callable[[Sequence[Pair]], list[Tensor]]
    write: Callable[[Sequence[Sequence[int]]], list[list[Scalar]]]


@dataclass(frozen=True)
class Page:
    """A host's part of the model card: Markdown that says how the folder is used, and the card's YAML header."""

    usage: str
    header: dict[str, Any] = field(default_factory=dict)
    about: str = ""  # what the folder holds, where that is not what the host says of itself


class HostModule(Protocol):
    """What a host's module offers."""

    def write(self, model: Transformer, folder: Path) -> Page:
        """Write the host's files into an empty folder. Raises `ModelError` where the host cannot carry the model."""

    def load(self, model: Transformer, folder: Path) -> Forward | Tapes:
        """The host's own forward pass over what `write` wrote; `model` tells sizes and vocabulary only."""


@dataclass(frozen=True)
class Host:
    """A host's name, module, purpose; the packages it imports and the extra of ours that installs them."""

    name: str
    module: str
    about: str
    needs: tuple[str, ...] = ()
    extra: str = ""
    several_outputs: bool = False  # else the model is narrowed to one output before the host sees it; so are two tapes
    loops: bool = False  # whether it runs layers several times
    tapes: tuple[int, ...] = (1,)  # how many the programs read that it is for: one, or a source and a target

    def require_tapes(self, model: Transformer) -> None:
        """Raise `ModelError` where the host reads another number of tapes than the model."""
        from compiler.model import ModelError

        if not self.loops:
            model.require_no_loop(f"the host {self.name}")
        read = 1 if model.config.encoder is None else 2
        if read not in self.tapes:
            others = ", ".join(host.name for host in HOSTS.values() if read in host.tapes)
            reads, has = ("a source and a target", "no source") if read == 1 else ("one tape", "a source")
            raise ModelError(
                f"the host {self.name} is for programs that read {reads}, and this one has {has}",
                f"export it to one of {others}",
            )

    def open(self) -> HostModule:
        """The module. Raises `ModelError` where a package is missing."""
        from compiler.model import ModelError

        missing = [package for package in self.needs if find_spec(package) is None]
        if missing:
            raise ModelError(
                f"the host {self.name} needs {' and '.join(missing)}", f"pip install 'rasp-compiler[{self.extra}]'"
            )
        return cast(HostModule, import_module(f"compiler.hosts.{self.module}"))


_HF = ("transformers", "tokenizers")
HOSTS = {
    host.name: host
    for host in (
        Host("gpt2", "gpt2", "GPT2LMHeadModel of transformers, for causal programs", _HF, "hf"),
        Host("bert", "bert", "BertForTokenClassification of transformers", _HF, "hf"),
        Host("albert", "albert", "AlbertForTokenClassification of transformers, for loops", _HF, "hf", loops=True),
        Host("mobilebert", "mobilebert", "MobileBertForTokenClassification of transformers", _HF, "hf"),
        Host("llama", "llama", "LlamaForCausalLM of transformers, for causal programs", _HF, "hf"),
        Host("t5", "t5", "T5ForConditionalGeneration of transformers, for source and target", _HF, "hf", tapes=(2,)),
        Host(
            "encoder-decoder",
            "encoder_decoder",
            "EncoderDecoderModel of transformers, RoBERTa and GPT-2, for source and target",
            _HF,
            "hf",
            tapes=(2,),
        ),
        Host("torch-transformer", "torch_transformer", "torch.nn.Transformer, for source and target", tapes=(2,)),
        Host(
            "onnx",
            "onnx",
            "an ONNX graph",
            ("onnx", "onnxruntime", "onnxscript"),
            "onnx",
            several_outputs=True,
            tapes=(1, 2),
        ),
        Host("torch-export", "torch_export", "a program of torch.export", several_outputs=True, tapes=(1, 2)),
        Host(
            "transformer-lens",
            "transformer_lens",
            "a TransformerBridge of TransformerLens",
            ("transformer_lens",),
            "lens",
            several_outputs=True,
        ),
    )
}


_FIXED = "its norms have an epsilon of 1e-5 in their code, so they divide, and no weights can undo that"
NO_HOSTS = {"bart": _FIXED, "marian": _FIXED, "pegasus": _FIXED}
"""Architectures that cannot hold a program, and why."""


def host_named(name: str) -> Host:
    """The host of this name. Raises `ModelError` for any other."""
    from compiler.model import ModelError
    from rasp.text.source import did_you_mean

    if name in NO_HOSTS:
        others = ", ".join(host.name for host in HOSTS.values() if 2 in host.tapes)
        raise ModelError(f"{name} cannot be a host: {NO_HOSTS[name]}", f"for programs with a source there are {others}")
    if name not in HOSTS:
        known = f"it is one of {', '.join(HOSTS)}"
        raise ModelError(f"there is no host `{name}`", did_you_mean(name, HOSTS) or known)
    return HOSTS[name]


def export(
    model: Transformer | str | Path, host: str, out: str | Path, output: str | None = None, samples: int = 100
) -> Verification:
    """Write a model, or the one in a checkpoint folder, into the folder `out` as the host's own files, verified.

    `output`: which of several outputs to keep, where the host holds one (the first, if not given); `samples`: how many
    random inputs are compared with the interpreter, besides short and awkward ones. Raises `ModelError` where the host
    cannot carry the program, `out` is something else, or a package is missing.
    """
    from compiler.hosts.folder import KIND, finish, own_files
    from compiler.hosts.verify import narrowed, verify
    from compiler.hosts.verify_tapes import verify_tapes
    from compiler.runtime.folders import whole_folder

    chosen = host_named(host)
    module = chosen.open()
    given = _model(model)
    given.require_dtype()
    chosen.require_tapes(given)
    native = narrowed(given, output, chosen.several_outputs and given.config.encoder is None)
    with whole_folder(Path(out), own_files, KIND) as folder:
        page = module.write(native, folder)
        loaded = module.load(native, folder)
        if isinstance(loaded, Tapes):
            result = verify_tapes(native, loaded, chosen.name, samples)
        else:
            result = verify(native, loaded, chosen.name, samples)
        finish(folder, native, chosen, page, result)
    return result


def _model(model: Transformer | str | Path) -> Transformer:
    from compiler.runtime.checkpoint import load

    return load(model) if isinstance(model, str | Path) else model
