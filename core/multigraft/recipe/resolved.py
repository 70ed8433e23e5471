"""A resolved recipe: the objects behind its names, with every option filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from multigraft.contracts.records import Backbone, Modality, Origin, Strategy, Task
from multigraft.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class ResolvedBranch:
    """One backbone of a recipe: what it reads, what it is built from, and what of it learns."""

    modality: Modality
    reader_options: Mapping[str, Any]
    """Only those that the recipe sets: the others follow the weights."""
    augment_options: Mapping[str, Any]
    backbone: Backbone
    origin: Origin
    strategies: tuple[tuple[Strategy, Mapping[str, Any]], ...]


@dataclass(frozen=True, kw_only=True)
class ResolvedRecipe:
    """A recipe and what its names stand for, with every option filled in."""

    recipe: Recipe
    task: Task
    task_options: Mapping[str, Any]
    modality: Modality
    """Of the one branch, or composed of those of several."""
    branches: Mapping[str, ResolvedBranch]
    """By name; one alone is called ``""``."""

    @property
    def several(self) -> bool:
        """Whether there are several branches."""
        return bool(self.modality.branches)

    @property
    def writer(self) -> str:
        """The branch that writes about the others; empty where all are read."""
        unread = [name for name in self.branches if name not in self.modality.branches]
        return unread[0] if self.several and unread else ""

    @property
    def scratch(self) -> bool:
        """Whether no branch begins with weights of its own."""
        return all(branch.origin.scratch for branch in self.branches.values())

    @property
    def augment_options(self) -> Mapping[str, Any]:
        """What the augmentation of `modality` is told: of several branches, of each by its name."""
        found = {name: branch.augment_options for name, branch in self.branches.items()}
        return found if self.several else found[""]

    def anchored(self) -> ResolvedRecipe:
        """The same with whole paths, which a change of the working folder does not move."""
        return replace(self, recipe=self.recipe.anchored())
