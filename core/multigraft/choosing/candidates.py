"""Candidates: one recipe with each of several backbones, all checked before any is built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from multigraft.choosing.targets import check_scored
from multigraft.errors import RecipeError
from multigraft.plugins.catalog import Catalog
from multigraft.recipe.choices import by_branch
from multigraft.recipe.resolve import read_recipe
from multigraft.recipe.resolved import ResolvedRecipe
from multigraft.system.validation import short
from multigraft.system.yaml_text import YamlError, parse_yaml

Named = str | Mapping[str, Any]
Among = Sequence[Named] | Mapping[str, Named]
"""Backbones to choose from, under names of one's own or not."""


@dataclass(frozen=True)
class Candidate:
    """A backbone that may be chosen."""

    name: str
    resolved: ResolvedRecipe


def candidates(
    raw: Mapping[str, Any], among: Among, catalog: Catalog, *, rows: int
) -> list[Candidate]:
    """The recipe with each backbone, learning from ``rows`` rows at most.

    Raises RecipeError with every problem: of the recipe, of the backbones, of a task that has no
    scores.
    """
    given = among.values() if isinstance(among, Mapping) else among
    choices = [choice_of(each) if isinstance(each, str) else dict(each) for each in given]
    if len(choices) < 2:
        raise RecipeError(
            ["among: name two backbones or more, as --among bert-tiny bert-base=weights/minilm"]
        )
    problems: list[str] = []
    found = [_read(raw, choice, catalog, problems) for choice in choices]
    resolved = [each for each in found if each is not None]
    problems += _modalities(resolved)
    if problems:
        raise RecipeError(list(dict.fromkeys(problems)))
    check_scored(resolved[0].task, catalog.tasks())
    names = list(among) if isinstance(among, Mapping) else _names(choices)
    return [
        Candidate(name, limited(each, rows)) for name, each in zip(names, resolved, strict=True)
    ]


def choice_of(text: str) -> Any:
    """A backbone as a command line gives it: a name, ``NAME=WEIGHTS``, or a mapping in YAML.

    >>> choice_of("bert-tiny"), choice_of("bert-base=weights/minilm")
    ('bert-tiny', {'name': 'bert-base', 'weights': 'weights/minilm'})
    >>> choice_of("{name: bert-tiny, weights: scratch}")
    {'name': 'bert-tiny', 'weights': 'scratch'}
    """
    if text.lstrip().startswith("{"):
        try:
            return parse_yaml(text)
        except YamlError as error:
            raise RecipeError([f"among: {short(text)}: the mapping {error}"]) from error
    name, equals, weights = text.partition("=")
    return {"name": name, "weights": weights} if equals else text


def limited(resolved: ResolvedRecipe, rows: int) -> ResolvedRecipe:
    """The recipe with that many training rows at most."""
    recipe = resolved.recipe
    limit = rows if recipe.data.limit is None else min(rows, recipe.data.limit)
    data = recipe.data.model_copy(update={"limit": limit})
    return replace(resolved, recipe=recipe.model_copy(update={"data": data}))


def _read(
    raw: Mapping[str, Any], choice: Any, catalog: Catalog, problems: list[str]
) -> ResolvedRecipe | None:
    try:
        return read_recipe({**raw, "backbone": choice}, catalog).anchored()
    except RecipeError as error:
        problems.extend(error.problems)
        return None


def _modalities(found: Sequence[ResolvedRecipe]) -> list[str]:
    """Backbones that read something else than the first, whose scores would be of other rows."""
    return [
        f"among: {each.recipe.backbone_name!r} reads {each.modality.name}, and "
        f"{found[0].recipe.backbone_name!r} {found[0].modality.name}; only backbones of one "
        "modality are scored on the same values"
        for each in found[1:]
        if each.modality.name != found[0].modality.name
    ]


def _names(choices: Sequence[Any]) -> list[str]:
    """What people call each: its name, with what tells it from others of that name."""
    names = [_name(each) for each in choices]
    counts = Counter(names)
    told = [
        name if counts[name] == 1 else f"{name} {_weights(each)}"
        for name, each in zip(names, choices, strict=True)
    ]
    twice = Counter(told)
    return [name if twice[name] == 1 else f"{name} ({place})" for place, name in enumerate(told, 1)]


def _name(choice: Any) -> str:
    if isinstance(choice, Mapping) and by_branch(choice):
        return "+".join(_name(each) for each in choice.values())
    return str(choice["name"]) if isinstance(choice, Mapping) else str(choice)


def _weights(choice: Any) -> str:
    """The last part of where weights lie; published ones have no name here."""
    named = choice.get("weights") if isinstance(choice, Mapping) else None
    return "published" if named is None else Path(str(named)).name
