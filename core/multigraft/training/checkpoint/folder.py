"""Checkpoint folders: written whole, checked before use, as often as they are cheap."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from multigraft.errors import RunError, refused_as
from multigraft.system.files import check_plain, remove_folder, sweep, whole_folder
from multigraft.system.resume_command import resume_command
from multigraft.training.checkpoint.integrity import damage, seal
from multigraft.training.checkpoint.progress import Progress, read_progress
from multigraft.training.checkpoint.tensors import (
    changing,
    copies,
    fingerprint,
    moments,
    packed,
    put_back,
    restore_moments,
)

log = logging.getLogger("multigraft")
MODEL, OPTIMIZER, AVERAGE, STATE = (
    "model.safetensors",
    "optimizer.safetensors",
    "average.safetensors",
    "state.json",
)
STATE_BYTES = 2**26
"""The most bytes of a checkpoint's JSON: a line for each epoch."""
STEP, BEST = "step-", "best-"
SHARE = 0.02
"""The share of a training's time that checkpoints may take where the recipe sets no interval."""
LONG = 300.0
"""Seconds of training after which a checkpoint need not wait for an epoch's end."""
SPEED = 200e6
"""Bytes a second that a disk is taken to write, before it was measured."""


class Checkpoints:
    """The checkpoints in one folder, of one graft and its optimizer.

    A checkpoint holds what changes in training. Weights in ``unchanging`` never learn: they are
    rebuilt from where they came from, and ``fingerprint`` tells whether they are still the same.
    """

    def __init__(
        self,
        folder: Path,
        graft: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        names: Sequence[str],
        unchanging: frozenset[str] = frozenset(),
        average: Mapping[str, Tensor] | None = None,
        keep: int = 2,
    ) -> None:
        """``names``: the optimizer's parameters in order; ``average``: a running mean."""
        self.folder = folder
        self.graft = graft
        self.optimizer = optimizer
        self.names = names
        self.unchanging = unchanging
        self.average = average
        self.keep = keep
        self.fingerprint = fingerprint(graft, unchanging) if unchanging else ""
        self._best: tuple[int, dict[str, Tensor]] | None = None
        self._cost: float | None = None

    def size(self) -> int:
        """About how many bytes a checkpoint takes."""
        learning = [p for group in self.optimizer.param_groups for p in group["params"]]
        kept = sum(_bytes(tensor) for tensor in changing(self.graft, self.unchanging).values())
        average = sum(_bytes(tensor) for tensor in (self.average or {}).values())
        slots = 1 if isinstance(self.optimizer, torch.optim.SGD) else 2
        return kept + average + slots * sum(_bytes(tensor) for tensor in learning)

    def needed(self) -> int:
        """About how many bytes the run will take: its checkpoints and one being written, and the
        best weights and the model, each while a new one is written beside the old."""
        weights = sum(_bytes(tensor) for tensor in self.graft.state_dict().values())
        return (self.keep + 1) * self.size() + 4 * weights

    def due(self, seconds: float, *, pause: bool) -> bool:
        """Tell whether ``seconds`` since the last are worth saving; ``pause``: an epoch ends."""
        return (pause or seconds > LONG) and self.pays(seconds)

    def pays(self, seconds: float) -> bool:
        """Tell whether saving after ``seconds`` of training keeps to its share of time."""
        cost = self.size() / SPEED if self._cost is None else self._cost
        return cost <= SHARE * (seconds + cost)

    def save(self, progress: Progress) -> Path:
        """Write ``step-N``, and the best weights if new; drop what is no longer needed."""
        began = time.perf_counter()
        self._write_best()
        path = self.folder / f"{STEP}{progress.step:08d}"
        state = {**asdict(progress), "resting": self.fingerprint}
        with whole_folder(path) as beside:
            _write(packed(changing(self.graft, self.unchanging)), beside / MODEL)
            _write(packed(moments(self.optimizer, self.names)), beside / OPTIMIZER)
            if self.average is not None:
                _write(packed(self.average), beside / AVERAGE)
            (beside / STATE).write_text(json.dumps(state), encoding="utf-8")
            seal(beside)
        self._prune()
        self._cost = time.perf_counter() - began
        progress.saving += self._cost
        return path

    def load(self) -> Progress | None:
        """Restore the newest intact checkpoint in place; None: training starts anew.

        A damaged one is passed over with a warning; since a training follows from its recipe and
        seed, what it held is made again with the same bits. Raises RunError where an intact one is
        of another run.
        """
        sweep(self.folder)
        for path in reversed(self._all()):
            wrong = self._damage(path)
            if wrong is None:
                progress = self._load(path)
                self._forget(progress)
                self._prune()
                return progress
            log.warning("%s: %s; going on from what was before it", path, wrong)
        self._forget(Progress())
        return None

    def keep_best(self, step: int, weights: Mapping[str, Tensor] | None = None) -> None:
        """Remember the weights as the best so far; the next `save` writes them."""
        self._best = (
            step,
            copies(changing(self.graft, self.unchanging) if weights is None else weights),
        )

    def load_best(self, step: int) -> bool:
        """Restore the best weights, of this step, in place; False where none were kept."""
        if self._best is not None and self._best[0] == step:
            put_back(changing(self.graft, self.unchanging), self._best[1])
            return True
        path = self._best_at(step)
        if not path.exists():
            return False
        wrong = damage(path)
        if wrong is not None:
            raise RunError(
                f"{path}: {wrong}; train it again from there: {resume_command(self.folder.parent)}"
            )
        with refused_as(RunError, f"{path}: these weights do not fit the run"):
            put_back(changing(self.graft, self.unchanging), load_file(path / MODEL))
        return True

    def _load(self, path: Path) -> Progress:
        with refused_as(RunError, f"{path}: this checkpoint does not fit the run"):
            state = _state(path)
            if state.pop("resting") != self.fingerprint:
                raise ValueError("the weights that do not learn are others than when the run began")
            progress = read_progress(state)
            put_back(changing(self.graft, self.unchanging), load_file(path / MODEL))
            restore_moments(self.optimizer, self.names, load_file(path / OPTIMIZER))
            if self.average is not None:
                put_back(self.average, load_file(path / AVERAGE))
            return progress

    def _forget(self, progress: Progress) -> None:
        """Drop what is newer than ``progress``: it is made anew."""
        self._best = None
        for kind, step in ((STEP, progress.step), (BEST, progress.best_step)):
            for path in self.folder.glob(f"{kind}*"):
                if path.name > f"{kind}{step:08d}" or progress.step == 0:
                    remove_folder(path)

    def _damage(self, path: Path) -> str | None:
        """What is wrong with a checkpoint, or with the best weights it speaks of."""
        wrong = damage(path)
        if wrong is not None:
            return wrong
        best = self._best_of(path)
        return None if best is None else damage(best)

    def _write_best(self) -> None:
        if self._best is None or self._best_at(self._best[0]).exists():
            return
        step, weights = self._best
        with whole_folder(self._best_at(step)) as beside:
            _write(packed(weights), beside / MODEL)
            seal(beside)

    def _prune(self) -> None:
        """Remove all but the newest checkpoints, and best weights that none of them speaks of."""
        found = self._all()
        for path in found[: -self.keep]:
            remove_folder(path)
        spoken = {self._best_of(path) for path in found[-self.keep :]}
        for path in self.folder.glob(f"{BEST}*"):
            if path not in spoken:
                remove_folder(path)

    def _best_of(self, path: Path) -> Path | None:
        """The best weights that a checkpoint speaks of."""
        with suppress(RunError), refused_as(RunError, f"{path}: cannot be read"):
            state = _state(path)
            return None if state["best"] is None else self._best_at(int(state["best_step"]))
        return None  # damaged since; `load` will say so

    def _best_at(self, step: int) -> Path:
        return self.folder / f"{BEST}{step:08d}"

    def _all(self) -> list[Path]:
        return sorted(path for path in self.folder.glob(f"{STEP}*") if (path / STATE).exists())


def _state(path: Path) -> dict[str, Any]:
    """The JSON of a checkpoint. Raises OSError or ValueError where it is none."""
    check_plain(path / STATE, limit=STATE_BYTES)
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{STATE} is nested too deep") from error
    if not isinstance(state, dict):
        raise ValueError(f"{STATE} holds {type(state).__name__}, not a mapping")
    return state


def _write(tensors: dict[str, Tensor], path: Path) -> None:
    """Save tensors; what the disk refuses is an OSError, as for any other file."""
    try:
        save_file(tensors, path)
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        code = int(number[1])
        raise OSError(code, os.strerror(code), str(path)) from error


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
