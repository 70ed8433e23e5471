"""Optuna studies in a storage: asked for trials, told how they ended, opened again after a kill."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from multigraft.experiments.search.pruning import TrialPlace
from multigraft.experiments.search.space import Dimension, Search
from multigraft.experiments.values import Choice, Combination, label_of

PATIENCE = 120.0
"""Seconds to wait for SQLite while another process writes."""


@dataclass(frozen=True)
class Asked:
    """A trial that was begun: its number in the study, and what was drawn."""

    number: int
    drawn: Combination


class OptunaStudy:
    """One study. Each field of each trial is drawn by a seed of its own: a search that was killed
    goes on with the draws that it would have made."""

    def __init__(self, search: Search, storage: str, name: str, epochs: int | None) -> None:
        self.name = name
        self.search = search
        self._place = (storage, name, search.pruner, epochs)
        with _quiet():
            self._study = _study(storage, name, _pruner(search.pruner, epochs))

    def unfinished(self) -> list[int]:
        """The trials that were begun and have not ended, by number."""
        return [each.number for each in self._trials() if not each.state.is_finished()]

    def begun(self) -> int:
        """How many trials there are."""
        return len(self._trials())

    def ask(self, base: Combination, number: int | None = None) -> Asked:
        """Begin a trial, or draw again what the one of this number had drawn, and the rest of it
        where it was killed in between."""
        import optuna

        with _quiet():
            place = self.begun() if number is None else number
            self._study.sampler = _sampler(self.search, place, 0)
            if number is None:
                trial = self._study.ask()
            else:
                known = self._trials()[number]
                trial = optuna.trial.Trial(self._study, known._trial_id)
            return Asked(trial.number, self._drawn(trial, base))

    def tell(self, number: int, value: float | None, *, pruned: bool) -> None:
        """End a trial: with its value, as pruned, or without a value as failed."""
        from optuna.samplers import RandomSampler
        from optuna.trial import TrialState

        with _quiet():
            self._study.sampler = RandomSampler()  # the grid's would stop a loop that is not there
            if pruned:
                self._study.tell(number, state=TrialState.PRUNED, skip_if_finished=True)
            elif value is None:
                self._study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
            else:
                self._study.tell(number, value, skip_if_finished=True)

    def place(self, number: int) -> TrialPlace:
        """Where a worker finds a trial."""
        storage, name, pruner, epochs = self._place
        return TrialPlace(storage, name, number, pruner, epochs)

    def _drawn(self, trial: Any, base: Combination) -> Combination:
        """What a trial has of each field that is drawn beside ``base`` and what was drawn
        before."""
        chosen: dict[str, Choice] = {}
        for place, (name, each) in enumerate(self.search.space.items(), 1):
            if each.active({**base, **chosen}):
                self._study.sampler = _sampler(self.search, trial.number, place)
                chosen[name] = _suggested(trial, name, each)
        return chosen

    def _trials(self) -> list[Any]:
        found: list[Any] = self._study.get_trials(deepcopy=False)
        return found


def grid_size(search: Search) -> int:
    """How many trials the sampler ``grid`` has."""
    return math.prod(len(_every(each)) for each in search.space.values())


def open_trial(place: TrialPlace) -> Any:
    """A trial of a study that another process began."""
    import optuna

    with _quiet():
        study = _study(place.storage, place.study, _pruner(place.pruner, place.epochs))
        known = study.get_trials(deepcopy=False)[place.number]
        return optuna.trial.Trial(study, known._trial_id)


def _study(storage: str, name: str, pruner: Any) -> Any:
    import optuna

    wait = {"connect_args": {"timeout": PATIENCE}} if storage.startswith("sqlite") else {}
    return optuna.create_study(
        storage=optuna.storages.RDBStorage(storage, engine_kwargs=wait),
        study_name=name,
        direction="maximize",
        pruner=pruner,
        load_if_exists=True,
    )


def _sampler(search: Search, number: int, place: int) -> Any:
    """The sampler of one field of one trial, whose chance depends on nothing else."""
    from optuna import samplers

    seed = int(np.random.SeedSequence([search.seed, number, place]).generate_state(1)[0])
    if search.sampler == "random":
        return samplers.RandomSampler(seed=seed)
    if search.sampler == "grid":
        return samplers.GridSampler(
            {name: _every(each) for name, each in search.space.items()}, seed=search.seed
        )
    return samplers.TPESampler(seed=seed)


def _pruner(name: str, epochs: int | None) -> Any:
    from optuna import pruners

    if name == "none":
        return pruners.NopPruner()
    if name == "hyperband":
        return pruners.HyperbandPruner(max_resource="auto" if epochs is None else epochs)
    return pruners.MedianPruner()


def _suggested(trial: Any, name: str, each: Dimension) -> Choice:
    if each.choices is not None:
        options = {choice.label: choice for choice in each.options}
        return options[trial.suggest_categorical(name, list(options))]
    suggest = trial.suggest_int if each.whole else trial.suggest_float
    step = {} if each.step is None else {"step": each.step}
    value = suggest(name, each.low, each.high, log=each.log, **step)
    return Choice(label_of(value), value)


def _every(each: Dimension) -> list[Any]:
    """Every value that a dimension without an end between two has."""
    if each.choices is not None:
        return [choice.label for choice in each.options]
    assert each.low is not None
    assert each.high is not None
    step = 1 if each.step is None else each.step
    count = int((each.high - each.low) / step + 1e-9) + 1
    return [each.low + place * step for place in range(count)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna's own log, and its notes of what is new in it, stay out of ours."""
    logger = logging.getLogger("optuna")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
