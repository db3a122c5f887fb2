"""The tokenizer of the Hugging Face hosts: whole tokens, BOS in front, nothing guessed.

In: a native model's config, and output values that need an id of their own. Out: `Words`, which knows the id of every
token, and tokenizer files that `AutoTokenizer` reads in transformers 4 and 5.
Invariants: a token's id is the native one, BOS comes next, then padding, then output values; a token outside the
vocabulary is an error, unless the program names one that stands for it; no text is read as an output value.

    vocabulary a b c, one value more: a=0 b=1 c=2 <bos>=3 <pad>=4 "= 7"=5; "cab" -> [3, 2, 0, 1]
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compiler.model import Config, ModelError, OutputSlice
from compiler.runtime.folders import write_json

SEPARATORS = (" ", ",", ";", "|", "\t", "\n")
SPECIAL = ("<{}>", "[{}]", "<|{}|>", "<<{}>>", "\u2983{}\u2984")
MARK = "="
"""Stands, and a space behind it, in front of an output value that has an id of its own, so that no text is read as one;
decoding drops it. As often as it takes to differ from all tokens; a number follows where a value has several ids."""


@dataclass(frozen=True)
class Words:
    """The ids of a host. `separator` stands between the tokens of a text; "" where a token is a character."""

    vocabulary: tuple[str, ...]
    bos: str
    pad: str
    values: tuple[str, ...]  # output values that have ids of their own, marked as such
    separator: str
    unknown: str | None
    mark: str = MARK  # what stands in front of these
    start: str = ""  # what a target begins with behind BOS, if there are targets

    @property
    def bos_id(self) -> int:
        """As in the native model."""
        return len(self.vocabulary)

    @property
    def pad_id(self) -> int:
        """The one after BOS."""
        return self.bos_id + 1

    @property
    def special(self) -> list[str]:
        """What no text is read as, and decoding leaves out."""
        return [self.bos, self.pad, *([self.start] if self.start else [])]

    @property
    def ids(self) -> dict[str, int]:
        """The id of every token's text."""
        texts = [*self.vocabulary, *self.special, *self.values]
        return {text: number for number, text in enumerate(texts)}

    def text(self, ids: Sequence[int]) -> str:
        """The text of an input of native token ids."""
        return self.separator.join(self.vocabulary[number] for number in ids)


def words(config: Config, values: Sequence[str] = (), written: Sequence[str] | None = None) -> Words:
    """The ids of a model's tokens. `written`: the tokens of a target, where texts of these are written and others read.

    Raises `ModelError` where no text can hold them.
    """
    vocabulary, tokens = config.vocabulary, [*config.vocabulary, *(written or ())]
    if "" in tokens:
        raise ModelError("the vocabulary has an empty token, which no tokenizer can find in a text", "give it a text")
    separator = ""
    if any(len(text) > 1 for text in tokens):
        separator = next((sign for sign in SEPARATORS if not any(sign in text for text in tokens)), "")
        if not separator:
            raise ModelError("no character can separate the tokens of this vocabulary", "leave spaces out of tokens")
    bos, pad, start = (_special(name, tokens) for name in ("bos", "pad", "start"))
    sign, start = mark(vocabulary), "" if written is None else start
    return Words(vocabulary, bos, pad, tuple(values), separator, config.unknown, sign, start)


def mark(vocabulary: Sequence[str]) -> str:
    """The sign of values with ids of their own: no token of the vocabulary begins as one."""
    signs = (MARK * times for times in itertools.count(1))
    return next(sign for sign in signs if not any(re.match(rf"{sign}[0-9]* ", text) for text in vocabulary))


def _special(name: str, vocabulary: Sequence[str]) -> str:
    """A name that is not written with the vocabulary's tokens."""
    letters = set("".join(vocabulary))
    return next(text for form in SPECIAL if not set(text := form.format(name)) <= letters)


def labels(output: OutputSlice) -> tuple[str, ...]:
    """A text for each value, as it prints; where a string reads the same, a number's says what it is: `0 (int)`."""
    strings = {value for value in output.values if isinstance(value, str)}
    return tuple(
        f"{value} ({type(value).__name__})" if not isinstance(value, str) and str(value) in strings else str(value)
        for value in output.values
    )


def save_tokenizer(ours: Words, config: Config, folder: Path, left: bool = False) -> None:
    """Write `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`. `left`: pad on the left."""
    _tokenizer(ours).save(str(folder / "tokenizer.json"))
    special: dict[str, Any] = {"bos_token": ours.bos, "pad_token": ours.pad}
    if ours.start:
        special["additional_special_tokens"] = [ours.start]
    own: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.n_ctx,
        "padding_side": "left" if left else "right",
        "truncation_side": "right",
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    for name, data in (("tokenizer_config.json", own | special), ("special_tokens_map.json", special)):
        write_json(folder / name, data)


def _tokenizer(ours: Words) -> Any:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

    # A token that is in no vocabulary: what is unknown is then an error, not an answer.
    unknown = ours.pad + "?" if ours.unknown is None else ours.unknown
    tokenizer = Tokenizer(models.WordLevel(ours.ids, unk_token=unknown))
    if ours.separator:
        tokenizer.pre_tokenizer = pre_tokenizers.Split(ours.separator, "removed")
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{ours.bos} $A", special_tokens=[(ours.bos, ours.bos_id)]
    )
    # The separator stands in front of a token, so that what is generated can be put behind its prompt.
    steps = [decoders.Replace(Regex(rf"\A(?:{ours.mark}[0-9]* )?"), ours.separator), decoders.Fuse()]
    if ours.start and ours.separator:  # a target stands behind nothing
        steps.append(decoders.Strip(ours.separator, 1, 0))
    tokenizer.decoder = decoders.Sequence(steps)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in ours.special])
    return tokenizer
