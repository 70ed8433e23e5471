"""Text reader: text to token ids, without torch and without transformers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from tokenizers import Tokenizer

from multigraft import MultigraftError, RowError
from multigraft.contracts.reader import Excess
from multigraft.contracts.readers import check_spec, no_panic
from multigraft.contracts.types import Arrays, Spec
from multigraft.contracts.units import Units
from multigraft.errors import BundleError, refused_as
from multigraft_text.bounds import Growth, refuse_costly
from multigraft_text.cleaning import MAX_CHARACTERS, clean, parts_of, refuse_replaced
from multigraft_text.full_length import full_length
from multigraft_text.passages import passage_rows
from multigraft_text.places import NOWHERE, cut_off, own_tokens, token_places
from multigraft_text.seq2seq.targets import TargetReader, end_of
from multigraft_text.windows import overlapping, step_of
from multigraft_text.words import hiding_token, word_units

TOKENIZING = 500
"""Bytes a character may take while tokenized: a token of its own, with offsets and words."""


class TextSpec(BaseModel):
    """A saved spec; what learning the tokenizer needed may stand in it too."""

    model_config = ConfigDict(extra="allow", strict=True)
    kind: Literal["text"] = "text"
    max_length: int = Field(ge=1, le=2**20)
    pad_id: int = Field(ge=0, lt=2**31)
    token_types: bool
    special: dict[str, str] = Field(default_factory=dict)
    places: bool = False
    passage: bool = False
    refuse_replaced: bool = False
    prefix: str = ""
    full_length: bool = False


class TextReader:
    """Reads a text, or a pair of texts, with a `tokenizers` tokenizer.

    Its spec: ``tokenizer.json`` (the file's content), ``max_length``, ``pad_id``, ``token_types``
    (whether the backbone is told which text a token is of), ``special`` (as ``{"mask_token":
    "[MASK]"}``), ``places`` (whether rows say which characters their tokens are of), ``passage``
    (whether values are questions with a passage each, see `passage_rows`), ``refuse_replaced``
    (whether a text that holds U+FFFD is refused), ``prefix`` (put in front of every text that is
    read), ``full_length`` (whether every row is padded to ``max_length``, and padding read as
    tokens are).
    """

    def __init__(self, spec: Spec) -> None:
        content = _plain(spec)
        check_spec(spec, TextSpec)
        self._spec = {**spec, "tokenizer.json": content}
        with refused_as(BundleError, "tokenizer.json cannot be used"):
            refuse_costly(content)
            self._growth = Growth(content)
            with no_panic():
                self._growth.refuse_tokens(content.get("added_tokens") or [])
        self._tokenizer = _tokenizer(content)
        self._frame = [
            self._tokenizer.num_special_tokens_to_add(is_pair=pair) for pair in (False, True)
        ]
        """The tokens that stand around a text, and around a pair."""
        self._check_length()
        self._tokenizer.enable_truncation(spec["max_length"], strategy="longest_first")
        self._fills: dict[str, float] = {"input_ids": spec["pad_id"], "attention_mask": 0}
        if spec["token_types"]:
            self._fills["token_type_ids"] = 0
        self._prefix = self._checked_prefix(spec.get("prefix", ""))
        self._passage = bool(spec.get("passage"))
        self._places = bool(spec.get("places")) or self._passage
        if self._places:
            self._fills["places"] = NOWHERE
        self._named = {*self._fills, "start", "rest"}

    @property
    def fills(self) -> Mapping[str, float]:
        """What is padded: ``input_ids`` with the padding token, ``places`` with -1, the others
        with 0."""
        return self._fills

    def read(self, raw: Any) -> Arrays:
        """Tokens of a text (str, or bytes in UTF-8) or of a pair (a tuple of two): int64 [T] each.

        Where places are asked for, also ``places`` [T, 3] (see `token_places`), ``start`` and
        ``rest`` (see `cut_off`).
        Raises RowError for what is no text, empty, or holds undecodable characters; also for a
        list, which is a row's tokens or several texts, but no pair.
        """
        return self._full(self._read(raw))

    def _read(self, raw: Any) -> Arrays:
        if self._passage:
            return next(self._passages(raw))
        texts = self._texts(raw)
        # a batch, of one, lets other threads run meanwhile; `encode` stops them all
        value = texts if len(texts) > 1 else texts[0]
        with no_panic():
            if self._places:
                (encoding,) = self._tokenizer.encode_batch([value])
            else:  # without the tokens' offsets
                (encoding,) = self._tokenizer.encode_batch_fast([value])
        if len(encoding.ids) <= self._frame[len(texts) - 1]:
            raise RowError("the tokenizer finds no token in the text")
        if not self._places:
            return self._arrays(encoding)
        placed = {"places": token_places(encoding, texts)}
        return {**self._arrays(encoding), **placed, **cut_off(0, self._rest(encoding, value))}

    def excess(self, raw: Any, row: Arrays) -> Excess | None:
        """How many tokens a text has, those around it counted, beside those that a row holds."""
        most = self._spec["max_length"]
        if self.length(row) < most:
            return None
        texts = self._texts(raw)
        with no_panic():
            (whole,) = self._whole.encode_batch_fast([texts if len(texts) > 1 else texts[0]])
        has = len(whole.ids)
        return Excess(has, most, "tokens", "max_length") if has > most else None

    def units(self, raw: Any, row: Arrays) -> Units:
        """The words of a row (see `word_units`)."""
        texts = self._texts(raw)
        with no_panic():
            (encoding,) = self._tokenizer.encode_batch([texts if len(texts) > 1 else texts[0]])
        hidden = hiding_token(self._spec, self._tokenizer.token_to_id)
        return word_units(encoding, texts, row, prefix=len(self._prefix), hidden=hidden)

    def _texts(self, raw: Any) -> tuple[str, ...]:
        """The texts of a value as the tokenizer gets them. Raises RowError."""
        first, *second = map(self._clean, parts_of(raw))
        return (self._prefix + first, *second)

    def _rest(self, encoding: Any, value: Any) -> int:
        """The tokens of a value behind those of its row."""
        if not encoding.overflowing:
            return 0
        if isinstance(value, str):
            return sum(map(own_tokens, encoding.overflowing))
        with no_panic():
            (whole,) = self._whole.encode_batch([value])
        return own_tokens(whole) - own_tokens(encoding)

    def _clean(self, raw: Any) -> str:
        """A text that the tokenizer makes not too much of. Raises RowError."""
        text = clean(raw)
        if self._spec.get("refuse_replaced"):
            refuse_replaced(text)
        with no_panic():
            self._growth.refuse(text)
        return text

    def _named_clean(self, name: str, raw: Any) -> str:
        try:
            return self._clean(raw)
        except RowError as error:
            raise RowError(f"the {name}: {error}") from error

    def _arrays(self, encoding: Any) -> Arrays:
        arrays = {"input_ids": encoding.ids, "attention_mask": [1] * len(encoding.ids)}
        if self._spec["token_types"]:
            arrays["token_type_ids"] = encoding.type_ids
        return {name: np.asarray(values, dtype=np.int64) for name, values in arrays.items()}

    def _passages(self, raw: Any) -> Iterator[Arrays]:
        """The rows of a question and its passage. Raises RowError."""
        given = parts_of(raw)
        if len(given) < 2:
            raise RowError(
                "a question and its passage are needed: columns text and text_pair (in Python a "
                "tuple of both)"
            )
        texts = tuple(map(self._named_clean, ("question", "passage"), given))
        with no_panic():
            (encoding,) = self._whole.encode_batch([texts])
        for row in passage_rows(encoding, texts, self._spec["max_length"]):
            yield {name: each for name, each in row.items() if name in self._named}

    def windows(self, raw: Any) -> list[Arrays]:
        """Cut a text, or a question's passage, into rows that overlap; another pair of texts is one
        row, as `read` cuts it."""
        return [self._full(row) for row in self._windows(raw)]

    def _windows(self, raw: Any) -> list[Arrays]:
        if self._passage:
            return list(self._passages(raw))
        row = self._read(raw)
        if isinstance(raw, tuple) or self.length(row) < self._spec["max_length"]:
            return [row]
        text = self._prefix + self._clean(raw)
        encoding = self._overlapping.encode(text)
        windows = [encoding, *encoding.overflowing]
        rows = [self._arrays(window) for window in windows]
        return self._placed(rows, windows, text) if self._places else rows

    def _full(self, row: Arrays) -> Arrays:
        """The row, padded where rows are to have one length."""
        if not self._spec.get("full_length"):
            return row
        return full_length(row, self._spec["max_length"], self._fills)

    def _placed(self, rows: list[Arrays], windows: Sequence[Any], text: str) -> list[Arrays]:
        """The rows of a text's windows, with where they lie."""
        step = step_of(self._spec["max_length"], self._frame[False])
        ends = [number * step + own_tokens(window) for number, window in enumerate(windows)]
        return [
            {
                **row,
                "places": token_places(window, (text,)),
                **cut_off(number * step, ends[-1] - ends[number]),
            }
            for number, (row, window) in enumerate(zip(rows, windows, strict=True))
        ]

    def prompt(self, raw: Any) -> np.ndarray:
        """Tokens of a text that is to be continued, int64 [T]: never cut, and not closed.

        An empty text has none. Raises RowError.
        """
        if raw in ("", b""):
            return np.zeros(0, dtype=np.int64)
        with no_panic():
            encoding = self._whole.encode(self._clean(raw))
        # 1 for what the tokenizer adds, not for what the text says
        added = encoding.special_tokens_mask
        end = max((place + 1 for place, special in enumerate(added) if not special), default=0)
        return np.asarray(encoding.ids[:end], dtype=np.int64)

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones left out."""
        text: str = self._whole.decode(list(tokens))
        return text

    def written(self, text: str) -> list[int]:
        """The tokens of a text that is to be written, and the end. Raises RowError."""
        return self._target.read(text)

    @cached_property
    def _target(self) -> TargetReader:
        return TargetReader(self._spec, end=end_of(self._spec))

    @cached_property
    def _whole(self) -> Tokenizer:
        """The tokenizer without a limit."""
        return Tokenizer.from_str(json.dumps(self._spec["tokenizer.json"]))

    def memory(self, raw: Any) -> int:
        """The most bytes that `read` takes at a time: a tokenizer keeps much more than its text."""
        texts = raw if isinstance(raw, tuple | list) else (raw,)
        return sum(
            min(len(text), MAX_CHARACTERS) * TOKENIZING for text in texts if text is not None
        )

    def length(self, row: Arrays) -> int:
        """The number of tokens."""
        return len(row["input_ids"])

    def spec(self) -> Spec:
        """Specification this reader was built from."""
        return self._spec

    @cached_property
    def _overlapping(self) -> Tokenizer:
        return overlapping(self._tokenizer, self._spec["max_length"])

    def _checked_prefix(self, prefix: str) -> str:
        """Raise MultigraftError for one that leaves texts too little room."""
        try:
            tokens = len(self._whole.encode(self._clean(prefix)).ids) if prefix.strip() else 0
        except RowError as error:
            raise MultigraftError(f"backbone.prefix: {error}") from error
        if 2 * tokens > self._spec["max_length"]:
            raise MultigraftError(
                f"backbone.prefix: takes {tokens} tokens of the {self._spec['max_length']} of a "
                "row (reader.max_length); at most half of them may be the prefix"
            )
        return prefix

    def _check_length(self) -> None:
        needed = self._frame[True] + 2
        if self._spec["max_length"] < needed:
            raise MultigraftError(
                f"reader.max_length: found {self._spec['max_length']}; this tokenizer needs "
                f"{needed} for a pair of one token each"
            )


def _tokenizer(content: dict[str, Any]) -> Tokenizer:
    try:
        with no_panic():
            return Tokenizer.from_str(json.dumps(content))
    except MultigraftError:
        raise
    except Exception as error:  # `tokenizers` raises nothing narrower
        raise BundleError(f"tokenizer.json cannot be used: {error}") from error


def _plain(spec: Spec) -> dict[str, Any]:
    """The JSON of the spec's tokenizer without a truncation and padding of its own."""
    tokenizer = spec.get("tokenizer.json") if isinstance(spec, dict) else None
    if not isinstance(tokenizer, dict):
        raise MultigraftError(
            "the reader has no tokenizer yet: complete its spec with the modality's `fit`"
        )
    return {**tokenizer, "truncation": None, "padding": None}
