"""Choices in a recipe: a name with options, written short or long."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Section(BaseModel):
    """A part of a recipe: frozen, and strict about its keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch_is_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML reads a bare on, off, yes or no as true or false, which else would count as 1 or
        0."""
        wanted = cls.model_fields[str(info.field_name)].annotation
        if not isinstance(value, bool) or wanted is bool:
            return value
        word = "on" if value else "off"
        if word not in get_args(wanted):
            raise ValueError("it should not be true or false (YAML's on, off, yes, no)")
        return word


class Choice(BaseModel):
    """A registered name with its options, written as the name or as a mapping with ``name``."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)
    name: str
    """What a plugin registered; `multigraft plugins` lists it."""

    @property
    def options(self) -> dict[str, Any]:
        """The keys besides those of this class."""
        return dict(self.model_extra or {})


class BackboneChoice(Choice):
    """A backbone, its weights, and its options."""

    weights: str | None = None
    """``scratch``, a folder or file, a run of ours, a hub name; unset: what the size is published
    with."""


class AugmentChoice(Choice):
    """Strength of random changes to rows, with the modality's options."""

    name: Literal["none", "light", "strong"]


def named(value: Any) -> Any:
    """Read a choice, where a name alone is one without options."""
    return {"name": value} if isinstance(value, str) else value


def named_list(value: Any) -> Any:
    """Read a list of choices; a single one is a list of one."""
    values = [value] if isinstance(value, str | Mapping) else value
    return [named(item) for item in values] if isinstance(values, list | tuple) else values


def listed(value: Any) -> Any:
    """Read a list; a word alone is a list of one, and one that stands twice counts once."""
    values = [value] if isinstance(value, str) else value
    return list(dict.fromkeys(map(str, values))) if isinstance(values, list | tuple) else values


def trained(value: Any) -> Any:
    """Read data, where a path alone is its training rows."""
    return {"train": str(value)} if isinstance(value, str | Path) else value
