"""Run one chapter: data, pretraining, two finetunings, evaluation, export, torch-free answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from multigraft import api
from multigraft.cli.demo.chapters import Chapter
from multigraft.cli.demo.sets import DemoSet
from multigraft.contracts.report import Report
from multigraft.errors import MultigraftError
from multigraft.evaluation.measure import measure_split
from multigraft.runs.run import Run
from multigraft.runtime.bundle import open_bundle

SCRATCH = "scratch"
ASKED = 40
"""Test rows whose answers are compared with those of the bundle in a process without torch."""


@dataclass(frozen=True)
class Ending:
    """Outcome of one chapter."""

    chapter: Chapter
    data: DemoSet
    scratch: tuple[float, ...]
    """Test accuracy of each seed, made from scratch."""
    pretrained: tuple[float, ...]
    """The same from the pretrained weights."""
    exported: dict[str, dict[str, Any]]
    """Precision -> accuracy, milliseconds a row, accepted or not; ``torch`` -> milliseconds."""
    agreeing: dict[str, tuple[int, int]]
    """Precision -> how many of the rows that were asked without torch got the run's answer."""
    reports: tuple[Report, ...]


def tell(
    chapter: Chapter, folder: Path, *, seeds: Sequence[int], say: Callable[[str], None]
) -> Ending:
    """Run a chapter in ``folder``, which must be empty."""
    data = chapter.build(folder / "data")
    say(
        f"{data.facts['what']} "
        f"({', '.join(f'{rows:,} {split}' for split, rows in data.rows.items())})"
    )
    start = str(_weights(chapter, data, folder, say))
    accuracies: dict[str, list[float]] = {SCRATCH: [], start: []}
    runs: list[Run] = []
    reports: list[Report] = []
    for weights, found in accuracies.items():
        kind = SCRATCH if weights == SCRATCH else "pretrained"
        say(
            f"finetuning on {data.rows['train']} labels, {kind}, seeds {', '.join(map(str, seeds))}"
        )
        for seed in seeds:
            recipe = _finetuning(chapter, data, weights)
            run = api.finetune(recipe, seed=seed, output=folder / f"{kind}-{seed}")
            report = run.evaluate()
            found.append(report.metrics["accuracy"].value)
            if seed == seeds[0]:
                runs.append(run)
                reports.append(replace(report, title=f"{chapter.name}, {kind}, seed {seed}"))
    shipped = runs[-1]
    say("exporting, and asking the bundle in a process without torch")
    exported = shipped.export()
    bundle = Path(exported.files["bundle"])
    return Ending(
        chapter=chapter,
        data=data,
        scratch=tuple(accuracies[SCRATCH]),
        pretrained=tuple(accuracies[start]),
        exported=_figures(bundle, exported),
        agreeing=_ask(shipped, bundle),
        reports=(
            *reports,
            replace(exported, title=f"{chapter.name}, pretrained, seed {seeds[0]}"),
        ),
    )


def _weights(chapter: Chapter, data: DemoSet, folder: Path, say: Callable[[str], None]) -> Path:
    """What finetuning starts from: published weights, or a pretraining on the rows without
    labels."""
    if chapter.published is not None:
        say(f"starting from {chapter.published.what}")
        return chapter.published.weights(folder / "published")
    rows = data.rows["unlabelled"]
    say(f"pretraining {chapter.backbone['name']} on {rows:,} rows without labels")
    return api.pretrain(_pretraining(chapter, data), output=folder / "pretrained").folder


def _pretraining(chapter: Chapter, data: DemoSet) -> dict[str, Any]:
    return {
        **chapter.pretraining,
        "backbone": dict(chapter.backbone),
        "data": {"train": str(data.unlabelled), "split": {"validation": 0.05, "test": 0.0}},
    }


def _finetuning(chapter: Chapter, data: DemoSet, weights: str) -> dict[str, Any]:
    """A pretraining's reader comes with its weights; without them it is made as it was."""
    made = chapter.pretraining.get("reader", {}) if weights == SCRATCH else {}
    return {
        **chapter.finetuning,
        "backbone": {**chapter.backbone, "weights": weights},
        "data": {
            "train": str(data.train),
            "validation": str(data.validation),
            "test": str(data.test),
        },
        "reader": {**made, **chapter.finetuning.get("reader", {})},
    }


def _figures(bundle: Path, exported: Report) -> dict[str, dict[str, Any]]:
    """Accuracy and milliseconds of each precision, and of torch beside them."""
    figures = {
        name: {
            "accuracy": precision.value,
            "milliseconds": precision.milliseconds,
            "accepted": precision.accepted,
        }
        for name, precision in open_bundle(bundle).precisions.items()
    }
    heading, *rows = exported.tables["precisions"]
    column = next(index for index, title in enumerate(heading) if title.startswith("ms"))
    torch = next(row for row in rows if row[0] == "torch")
    return {**figures, "torch": {"milliseconds": float(torch[column])}}


def _ask(run: Run, bundle: Path) -> dict[str, tuple[int, int]]:
    """Let each precision answer test rows in a process of its own; compare with the run."""
    rows = run.rows["test"]
    kept = measure_split(run.graft, run.metrics, rows, **run.reading())
    expected = run.objective.details(kept)["answered"][:ASKED]
    raws = [rows.raw(index) for index in range(len(expected))]
    accepted = [name for name, entry in open_bundle(bundle).precisions.items() if entry.accepted]
    return {
        name: (_equal(_answers(bundle, name, raws), expected), len(expected)) for name in accepted
    }


def _answers(bundle: Path, precision: str, raws: Sequence[Any]) -> list[str]:
    command = [sys.executable, "-m", "multigraft.testing.offline", str(bundle), precision]
    done = subprocess.run(
        command, input=json.dumps(raws), capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode != 0:
        raise MultigraftError(f"the bundle did not answer without torch:\n{done.stderr}")
    answers: list[str] = json.loads(done.stdout)
    return answers


def _equal(found: Sequence[str], expected: Sequence[str]) -> int:
    return sum(one == other for one, other in zip(found, expected, strict=True))
