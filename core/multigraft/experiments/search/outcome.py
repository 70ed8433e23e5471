"""Outcome of a search: what each trial drew and reached, and which one was chosen."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from multigraft.errors import RunError, refused_as
from multigraft.experiments.folder import SEARCH
from multigraft.experiments.records import Record
from multigraft.experiments.search.optuna_study import Asked
from multigraft.experiments.search.pruning import PRUNED, goodness
from multigraft.experiments.search.space import Search
from multigraft.experiments.values import Choice, Combination, label_of
from multigraft.system.files import check_plain, write_json
from multigraft.system.json_numbers import finite

TRIALS = "trials.json"
TRIAL_BYTES = 2**28


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A trial that ended."""

    study: str
    number: int
    key: str
    """Of its run, which several trials share that drew the same."""
    drawn: Mapping[str, Any]
    """Field -> the number that was drawn, or what the choice is called."""
    state: Literal["complete", "pruned", "failed"]
    value: float | None = None
    """The best validation by ``metric``; None: it failed."""
    metric: str | None = None
    greater: bool = True
    seconds: float = 0.0
    reason: str | None = None
    """Why it failed, or ended early."""

    @property
    def goodness(self) -> float:
        """What larger is better of; minus infinity where it cannot be chosen."""
        known = self.state == "complete" and self.value is not None and math.isfinite(self.value)
        return goodness(float(self.value or 0), greater=self.greater) if known else -math.inf


def tried(study: str, key: str, asked: Asked, record: Record | None) -> Tried:
    """A trial by the record of its run; None: the disk took none."""
    drawn = {name: _written(choice) for name, choice in asked.drawn.items()}
    if record is None or record.state == "failed":
        reason = "its record could not be written" if record is None else record.reason
        return Tried(
            study=study, number=asked.number, key=key, drawn=drawn, state="failed", reason=reason
        )
    return Tried(
        study=study,
        number=asked.number,
        key=key,
        drawn=drawn,
        state="pruned" if (record.reason or "").startswith(PRUNED) else "complete",
        value=record.validation,
        metric=record.monitor,
        greater=record.greater_is_better,
        seconds=record.seconds,
        reason=record.reason,
    )


def _written(choice: Choice) -> Any:
    """A number as it is, unless it has a name; all else by its label."""
    number = isinstance(choice.value, int | float) and not isinstance(choice.value, bool)
    return choice.value if number and choice.label == label_of(choice.value) else choice.label


def chosen_of(search: Search, drawn: Mapping[str, Any]) -> Combination:
    """What a trial drew, with the values behind names."""
    found: dict[str, Choice] = {}
    for name, value in drawn.items():
        options = {choice.label: choice for choice in search.space[name].options}
        found[name] = options.get(label_of(value), Choice(label_of(value), value))
    return found


def best_of(trials: Sequence[Tried]) -> Tried | None:
    """The trial with the best validation, of equal ones the first; None: none ended well."""
    ended = [each for each in trials if each.goodness > -math.inf]
    return max(ended, key=lambda each: (each.goodness, -each.number), default=None)


def write_trials(folder: Path, trials: Sequence[Tried]) -> None:
    """Write the trials of an experiment that ended so far, whole or not at all."""
    path = folder / SEARCH / TRIALS
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, finite([asdict(each) for each in trials]))


def read_trials(folder: Path) -> list[Tried]:
    """The trials of an experiment; empty where it searches nothing, or none has ended. Raises
    RunError where they are damaged."""
    from pydantic import TypeAdapter

    path = folder / SEARCH / TRIALS
    if not path.exists():
        return []
    with refused_as(RunError, f"{path}: cannot be read"):
        check_plain(path, limit=TRIAL_BYTES)
        raw = json.loads(path.read_text(encoding="utf-8"))
        return TypeAdapter(list[Tried]).validate_python(raw)


def by_study(trials: Sequence[Tried]) -> dict[str, list[Tried]]:
    """Trials by their study, in the order of their numbers."""
    found: dict[str, list[Tried]] = {}
    for each in sorted(trials, key=lambda each: each.number):
        found.setdefault(each.study, []).append(each)
    return found
