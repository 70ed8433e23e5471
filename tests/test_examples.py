"""The examples answer as the predictor does, without multigraft, torch or transformers."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
from samples import TINY, WRITERS

EXAMPLES = Path(__file__).parent.parent / "examples"
ALONE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"multigraft", "torch", "transformers", "timm", "soxr"}:
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Absent())
sys.argv = sys.argv[1:]
exec(compile(open(sys.argv[0]).read(), sys.argv[0], "exec"))
"""


def some_value(data: Path) -> str:
    """A text of the file, or the path of a file in the folder."""
    if data.is_dir():
        return str(next(path for path in sorted(data.rglob("*.*")) if path.is_file()))
    with data.open(encoding="utf-8") as file:
        return next(csv.DictReader(file))["text"]


def export(modality: str, folder: Path) -> tuple[Path, str]:
    """A bundle of a tiny network, and a value to ask it."""
    data = WRITERS[modality](folder, 24)
    run = mg.finetune(
        task=f"{modality}-classification",
        backbone=TINY[modality],
        data={"train": str(data), "split": {"validation": 0.0, "test": 0.25}},
        training={"steps": 2, "batch_size": 8},
        export={"precisions": ["fp32"]},
        output=folder / "run",
    )
    return Path(run.export().files["bundle"]), some_value(data)


@pytest.mark.parametrize("modality", sorted(WRITERS))
def test_an_example_answers_as_the_predictor_does(modality: str, tmp_path: Path) -> None:
    bundle, value = export(modality, tmp_path)
    script = EXAMPLES / f"{modality}.py"
    command = [sys.executable, "-c", ALONE, str(script), str(bundle), value]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found == pytest.approx(mg.load(bundle).predict(value)["scores"], abs=1e-6)
    assert len(script.read_text(encoding="utf-8").splitlines()) < 40


def test_every_modality_has_an_example() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(WRITERS)
