"""Compare two runs: their weights, their metrics, and what could explain a difference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from multigraft.errors import RunError, refused_as
from multigraft.runs.record import read_record
from multigraft.runs.run import METRICS, MODEL
from multigraft.system.notebook import Table, View, page_part


@dataclass(frozen=True, repr=False)
class Comparison:
    """A run beside its repetition."""

    first: Path
    second: Path
    weights: Mapping[str, float | None]
    """File of weights -> the largest difference of a number; None where only one run has it."""
    step: int | None
    """The first step whose metrics differ; None: all are equal."""
    changed: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """What is not as it was, as ``{"versions.torch": ("2.8", "2.9")}``."""

    @property
    def equal(self) -> bool:
        """Tell whether weights and metrics are the same to the bit."""
        return self.step is None and all(gap == 0 for gap in self.weights.values())

    def __repr__(self) -> str:
        return f"<Comparison of {self.first} and {self.second}: {self._said}>"

    def _repr_html_(self) -> str:
        return page_part(
            View(
                heading=self._said,
                aside="rerun",
                facts={"first": str(self.first), "second": str(self.second)},
                tables=self._differences(),
            )
        )

    @property
    def _said(self) -> str:
        return "the same to the bit" if self.equal else "not the same"

    def _differences(self) -> dict[str, Table]:
        """What differs, as tables; empty where nothing does."""
        gaps = [
            (name, "only one has it" if gap is None else f"{gap:.3g}")
            for name, gap in self.weights.items()
            if gap != 0
        ]
        changed = [(name, str(one), str(other)) for name, (one, other) in self.changed.items()]
        return {
            "weights": (("file", "largest difference"), *gaps) if gaps else (),
            "changed since": (("what", "first", "second"), *changed) if changed else (),
        }

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "first": str(self.first),
            "second": str(self.second),
            "equal": self.equal,
            "weights": dict(self.weights),
            "first_step_that_differs": self.step,
            "changed": {name: list(pair) for name, pair in self.changed.items()},
        }


def compare(first: Path, second: Path) -> Comparison:
    """Lay two finished runs side by side."""
    names = sorted(
        {
            path.relative_to(run / MODEL).as_posix()
            for run in (first, second)
            for path in (run / MODEL).rglob("*.safetensors")
        }
    )
    with refused_as(RunError, f"{first / METRICS} and {second / METRICS}: cannot be compared"):
        step = _first_difference(first / METRICS, second / METRICS)
    return Comparison(
        first,
        second,
        weights={name: _gap(first / MODEL / name, second / MODEL / name) for name in names},
        step=step,
        changed=_changed(read_record(first), read_record(second)),
    )


def _gap(first: Path, second: Path) -> float | None:
    if not (first.exists() and second.exists()):
        return None
    ones, others = load_file(first), load_file(second)
    if {name: t.shape for name, t in ones.items()} != {name: t.shape for name, t in others.items()}:
        return float("inf")
    return max((_largest(ones[name], others[name]) for name in ones), default=0.0)


def _largest(one: torch.Tensor, other: torch.Tensor) -> float:
    if torch.equal(one, other) or not one.numel():
        return 0.0
    return float((one.double() - other.double()).abs().max())


def _first_difference(first: Path, second: Path) -> int | None:
    ones, others = (path.read_text(encoding="utf-8").splitlines() for path in (first, second))
    for one, other in zip(ones, others, strict=False):
        if one != other:
            return int(json.loads(one)["step"])
    if len(ones) != len(others):
        return int(json.loads(max(ones, others, key=len)[min(len(ones), len(others))])["step"])
    return None


def _changed(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The circumstances that differ: versions, plugins, machine."""
    found: dict[str, tuple[Any, Any]] = {}
    for part in ("versions", "plugins", "machine"):
        one, other = first.get(part, {}), second.get(part, {})
        for name in sorted(one.keys() | other.keys()):
            if one.get(name) != other.get(name):
                found[f"{part}.{name}"] = (one.get(name), other.get(name))
    return found
