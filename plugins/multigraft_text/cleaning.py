"""What is a text at all: the texts of a raw value, and what is refused as none."""

from __future__ import annotations

from typing import Any

from multigraft import RowError

REPLACEMENT = "\ufffd"
"""What stands for bytes that could not be decoded when a text was made."""
MAX_CHARACTERS = 1_000_000
"""A long novel: all of a text is tokenized before it is cut to ``max_length`` tokens."""


def parts_of(raw: Any) -> tuple[Any, ...]:
    """Texts of a raw value: both of a pair, a tuple. Raises RowError for other numbers."""
    texts = raw if isinstance(raw, tuple) else (raw,)
    if not 1 <= len(texts) <= 2:
        raise RowError(f"found {len(texts)} texts; one or two are needed")
    return texts


def clean(raw: Any) -> str:
    """The text in ``raw``. Raises RowError with what is wrong with it."""
    if isinstance(raw, bytes):
        try:
            raw = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise RowError(
                f"the text is not UTF-8: byte {error.start} is {raw[error.start]:#04x}"
            ) from error
    if raw is None:
        raise RowError("the text is missing")
    if not isinstance(raw, str):
        pair = "; a pair of texts is two columns" if isinstance(raw, list) else ""
        raise RowError(f"found {type(raw).__name__}; text is needed{pair}")
    if len(raw) > MAX_CHARACTERS:
        raise RowError(
            f"the text has {len(raw):,} characters; at most {MAX_CHARACTERS:,} are read: cut it in "
            "rows"
        )
    if not raw.strip():
        raise RowError("the text is empty")
    if "\0" in raw:
        raise RowError(f"the text holds a NUL at character {raw.index(chr(0))}; is it binary?")
    if not raw.isascii():
        _refuse_surrogates(raw)
    return raw


def refuse_replaced(text: str) -> None:
    """Raise RowError for a text in which bytes were lost before."""
    if REPLACEMENT in text:
        raise RowError(
            f"the text holds U+FFFD at character {text.index(REPLACEMENT)}: bytes that could not "
            "be decoded; read the source in its own encoding"
        )


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RowError(
            f"the text holds half a surrogate pair at character {error.start}"
        ) from error
