"""Choices in a recipe: a name with options, written short or long."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)

from multigraft.system.validation import FORMS


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


def named_by_branch(value: Any) -> Any:
    """Read a choice, or one for each branch."""
    if by_branch(value):
        return {branch: named(each) for branch, each in value.items()}
    return named(value)


def named_list(value: Any) -> Any:
    """Read a list of choices, or one for each branch; a single one is a list of one."""
    if by_branch(value):
        return {branch: named_list(each) for branch, each in value.items()}
    values = [value] if isinstance(value, str | Mapping) else value
    return [named(item) for item in values] if isinstance(values, list | tuple) else values


def by_branch(value: Any) -> bool:
    """Whether a choice is written for each branch: as a mapping that is no choice itself.

    >>> by_branch({"text": "bert-tiny", "image": "resnet-tiny"}), by_branch({"name": "bert-tiny"})
    (True, False)
    """
    return isinstance(value, Mapping) and "name" not in value


def _form(value: Any) -> str:
    return FORMS[by_branch(value)]


def _several(value: dict[str, Any]) -> dict[str, Any]:
    """Check the names of branches; they are names of columns, and stand in those of arrays."""
    if len(value) < 2:
        raise ValueError("it has no name; where it is written by branch, at least 2 are needed")
    if odd := [branch for branch in value if not (branch.isascii() and branch.isidentifier())]:
        raise ValueError(
            f"{odd[0]!r} is no name of a branch: letters, digits and _ are allowed, no digit first"
        )
    if len({branch.casefold() for branch in value}) < len(value):
        raise ValueError("two branches are called alike but for their letters' case")
    return value


Strategies = Annotated[tuple[Choice, ...], Field(min_length=1)]
BackboneChoices = Annotated[
    Annotated[BackboneChoice, Tag(FORMS[0])]
    | Annotated[dict[str, BackboneChoice], AfterValidator(_several), Tag(FORMS[1])],
    Discriminator(_form),
]
"""A backbone, or one for each branch."""
StrategyChoices = Annotated[
    Annotated[Strategies, Tag(FORMS[0])] | Annotated[dict[str, Strategies], Tag(FORMS[1])],
    Discriminator(_form),
]
"""Strategies that are applied in order, or those of each branch."""


def listed(value: Any) -> Any:
    """Read a list; a word alone is a list of one, and one that stands twice counts once."""
    values = [value] if isinstance(value, str) else value
    return list(dict.fromkeys(map(str, values))) if isinstance(values, list | tuple) else values


def trained(value: Any) -> Any:
    """Read data, where a path alone, or a list of them, is its training rows."""
    return {"train": value} if isinstance(value, str | Path | list | tuple) else value
