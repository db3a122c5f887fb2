"""The model card: the README.md of an exported folder.

In: the native model, the host, its page, the verification. Out: Markdown under a YAML header.
Invariant: every number in it was measured on the folder that it lies in.

    # sort: `sorted` in BertForTokenClassification
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from compiler.model import Config, Transformer
from rasp.text.source import counted

if TYPE_CHECKING:
    from compiler.hosts import Host, Page
    from compiler.hosts.verify import Verification

SHOWN = 24
"""So many tokens or values are listed."""


def card(model: Transformer, host: Host, page: Page, result: Verification) -> str:
    """The whole card."""
    config = model.config
    names = ", ".join(f"`{output.name}`" for output in config.outputs)
    return "\n".join(
        [
            _header(page.header),
            f"# {names} in the host {host.name}",
            "",
            f"A RASP program compiled to the weights of a transformer, as {page.about or host.about}. "
            "Nothing in it was trained.",
            "",
            *_inputs(config),
            *(
                f"* Output `{output.name}`: {counted(len(output.values), 'value')}: {_listed(map(str, output.values))}"
                for output in config.outputs
            ),
            f"* Attention: {_attention(config)}",
            "",
            "## Use",
            "",
            page.usage.strip(),
            "",
            "## Verification",
            "",
            _verified(result),
            "",
            "## Program",
            "",
            *_program(model.labels["program"]),
            f"Settings: `{json.dumps(model.labels['program']['settings'], ensure_ascii=False)}`",
            "",
        ]
    )


def _inputs(config: Config) -> list[str]:
    """What it reads, tape by tape."""
    if config.encoder is None:
        return [f"* Inputs: {_tokens(config)}"]
    ends = f", and ends with {_listed(config.stop)}" if config.stop else ""
    return [
        f"* Sources: {_tokens(config.encoder)}",
        f"* Targets: {_tokens(config)}; each begins with {_listed([config.start])}{ends}",
    ]


def _tokens(config: Config) -> str:
    return f"1 to {config.max_length} of {counted(len(config.vocabulary), 'token')}: {_listed(config.vocabulary)}"


def _attention(config: Config) -> str:
    own = "causal" if config.causal else "bidirectional"
    return own if config.encoder is None else f"{own} in the decoder, bidirectional in the encoder"


def _program(told: dict[str, Any]) -> list[str]:
    """The program's text, then the files that it loads."""
    lines = ["```", told["source"].rstrip("\n"), "```", ""]
    for name, text in told.get("files", {}).items():
        lines += [f"It loads `{name}.rasp`:", "", "```", text.rstrip("\n"), "```", ""]
    return lines


def _header(fields: dict[str, Any]) -> str:
    """YAML; JSON values are YAML values."""
    whole = {"tags": ["rasp"], **fields}
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in whole.items()]
    return "\n".join(["---", *lines, "---", ""])


def _listed(texts: Any) -> str:
    texts = [json.dumps(text, ensure_ascii=False) for text in texts]
    return ", ".join(texts[:SHOWN]) + (", ..." if len(texts) > SHOWN else "")


def _verified(result: Verification) -> str:
    skipped = f" ({result.skipped} more have no answer)" if result.skipped else ""
    lead = "one value only" if result.lead is None else f"{result.lead:.6g} nats"
    return (
        f"When this folder was written it was loaded with the host's own classes and run on "
        f"{counted(result.inputs, 'input')}{skipped}: every answer was the interpreter's.\n\n"
        "That is said of the weights as they lie here. Cast to another dtype (`.half()`, `.to(dtype)`, autocast) or "
        "quantised, they are another model, which may answer otherwise.\n\n"
        "| the host's numeric margin | |\n|---|---|\n"
        f"| largest difference of a logit from the native model's | {result.difference:.3g} nats |\n"
        f"| bound on that difference | {result.bound:.3g} nats |\n"
        f"| least lead of the best logit over another | {lead} |\n"
        f"| largest part of a lead that the host's rounding takes away | {result.used:.3g} |"
    )
