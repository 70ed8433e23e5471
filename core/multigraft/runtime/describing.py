"""Describe a bundle: what to know to ask it, the same on a server and on a page alone."""

from __future__ import annotations

import mimetypes
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multigraft.contracts.options import types_like
from multigraft.contracts.records import Modality, Option
from multigraft.errors import RowError
from multigraft.runtime.bundle import Bundle


def describe(bundle: Bundle, modality: Modality, *, name: str, precision: str) -> dict[str, Any]:
    """Describe a bundle as JSON; ``media`` is ``image``, ``audio``, or None for typed values."""
    return {
        "name": name,
        "task": bundle.task,
        "answers": bundle.named,
        "modality": bundle.modality,
        "backbone": bundle.backbone,
        "precision": precision,
        "labels": list(bundle.targets.get("labels", ())),
        "columns": list(columns(bundle, modality)),
        "suffixes": list(modality.suffixes),
        "media": media(modality.suffixes),
        "branches": [_branch(bundle, name, each) for name, each in modality.branches.items()],
    }


def _branch(bundle: Bundle, name: str, modality: Modality) -> dict[str, Any]:
    """What to know to give the value of one branch."""
    return {
        "name": name,
        "columns": list(branch_columns(bundle, name, modality)),
        "suffixes": list(modality.suffixes),
        "media": media(modality.suffixes),
    }


def shown(asks: Mapping[str, Option]) -> dict[str, dict[str, Any]]:
    """What may be asked of an answer, as JSON; ``types`` are those of JSON schema.

    >>> shown({"top_k": Option(default=None, types=(int,), low=1, help="how many")})
    {'top_k': {'help': 'how many', 'types': ['integer'], 'low': 1}}
    """
    return {name: _shown(option) for name, option in asks.items()}


def _shown(option: Option) -> dict[str, Any]:
    words = {bool: "boolean", int: "integer", float: "number", str: "string"}
    words |= {list: "array", tuple: "array"}
    kinds = option.types or types_like(option.default)
    said = {
        "help": option.help,
        "types": list(dict.fromkeys(words.get(kind, "object") for kind in kinds)),
        "default": option.default,
        "low": option.low,
        "high": option.high,
        "choices": list(option.choices) or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def columns(bundle: Bundle, modality: Modality) -> tuple[str, ...]:
    """Columns of a value; a prompt that is to be continued has one in any modality."""
    prompted = bundle.generation is not None and not bundle.generation.memory
    if prompted:
        return modality.columns[:1]
    return tuple(name for name in modality.columns if name in bundle.columns) or modality.columns


def branch_columns(bundle: Bundle, name: str, modality: Modality) -> tuple[str, ...]:
    """Columns of one branch's value: those of its modality that the training rows had."""
    own = modality.columns_as(name)
    return tuple(each for each in own if each in bundle.columns) or own


def check_columns(columns: Sequence[str], raw: Any) -> None:
    """Raise RowError for a tuple of more texts than the training rows had columns.

    Two texts would else be read as a pair by a model that has never seen one; a list asks for each.
    """
    if not columns or not isinstance(raw, tuple) or len(raw) <= len(columns):
        return
    if all(isinstance(value, str) for value in raw):
        named = ", ".join(map(repr, columns))
        raise RowError(
            f"holds {len(raw)} texts, and the training rows had {named} alone; ask for each by "
            "itself (in Python a tuple is one value of several columns, and a list several values)"
        )


def media(suffixes: Sequence[str]) -> str | None:
    """The kind of media that most of the suffixes stand for; None where values are typed.

    >>> media((".png", ".jpg")), media((".wav", ".strange")), media((".strange",)), media(())
    ('image', 'audio', 'file', None)
    """
    if not suffixes:
        return None
    kinds = [mimetypes.guess_type(f"x{suffix}")[0] for suffix in suffixes]
    known = Counter(kind.partition("/")[0] for kind in kinds if kind)
    return known.most_common(1)[0][0] if known else "file"


def bundle_name(folder: Path) -> str:
    """Name a bundle: as its folder; inside a run as the run, from a hub as its repository.

    >>> bundle_name(Path("models/reviews-1"))
    'reviews-1'
    >>> bundle_name(Path("models--jo--reviews/snapshots/4f2a"))
    'reviews'
    """
    # a link's name was chosen
    whole = folder.resolve() if ".." in folder.parts else folder.absolute()
    if (whole.parent / "run.json").is_file():
        return whole.parent.name or whole.name
    if whole.parent.name == "snapshots":
        return whole.parent.parent.name.rpartition("--")[2]
    return whole.name
