"""Callbacks that a recipe asks for, registered while a verb is at work."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pluggy import PluginManager

from multigraft.errors import MissingDependency
from multigraft.training.callbacks.stopping import EarlyStopping
from multigraft.training.callbacks.trackers import tracker
from multigraft.training.callbacks.tracking import Tracker

if TYPE_CHECKING:
    from multigraft.recipe import Recipe

log = logging.getLogger("multigraft")


def asked_for(recipe: Recipe) -> list[object]:
    """Observers of a training. Raises MissingDependency where one needs what is missing."""
    patience = recipe.training.early_stopping
    stopping = [EarlyStopping(patience)] if patience else []
    return [*stopping, *(tracker(name) for name in recipe.track)]


@contextmanager
def observing(recipe: Recipe, manager: PluginManager, verb: str) -> Iterator[None]:
    """Register what the recipe asks for, less the trackers that are there already."""
    present = _names(manager.get_plugins())
    added = [observer for observer in _for(recipe, verb) if not _names([observer]) & present]
    for observer in added:
        manager.register(observer, getattr(observer, "__name__", None))
    try:
        yield
    finally:
        for observer in added:
            manager.unregister(observer)


def _for(recipe: Recipe, verb: str) -> Sequence[object]:
    """Skip, in an evaluation (perhaps elsewhere), a tracker that is not installed there."""
    if verb in ("pretrain", "finetune"):
        return asked_for(recipe)
    try:
        return [tracker(name) for name in recipe.track] if verb == "evaluate" else ()
    except MissingDependency as error:
        log.warning("track: %s", error)
        return ()


def _names(plugins: Iterable[object]) -> set[str]:
    return {plugin.__name__ for plugin in plugins if isinstance(plugin, Tracker)}
