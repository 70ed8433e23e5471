"""What a deployer installs, in an environment of its own: the predictor's tests, and the same
answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
from benchmarks.cases.bundle_start import installed_megabytes
from helpers.samples import WRITERS
from helpers.tiny_bundles import export
from helpers.toy_bundles import KEPT, keep

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
PREDICTOR = (
    *("runtime/test_predictor.py", "runtime/test_bundle.py"),
    *("runtime/test_length_batches.py", "runtime/test_generation.py"),
    *("vision/test_image_reader.py", "speech/test_audio_reader.py"),
)
"""The tests of what answers, which need nothing that trains."""
TOOLS = ("pytest", "pytest-timeout", "hypothesis")
WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "timm", "datasets", "onnx"}:
            raise ImportError(f"{name} is not a deployer's")

sys.meta_path.insert(0, Absent())
"""
ANSWER = """
import json, sys
import multigraft as mg
print(mg.__file__)
predictor = mg.load(sys.argv[1])
print(json.dumps(predictor.predict(sys.argv[2])["scores"]))
print(json.dumps(predictor.explain(sys.argv[2]).weights.tolist()))
"""


@dataclass(frozen=True)
class Environment:
    """An environment with the wheel and what it requires; testing tools lie beside it, not in
    it."""

    folder: Path

    @property
    def tools(self) -> Path:
        return self.folder / "tools"

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run its Python, in which what trains cannot be imported."""
        python = str(self.folder / "venv" / "bin" / "python")
        kept = {
            name: os.environ[name]
            for name in os.environ
            if not name.startswith(("PYTHON", "MULTIGRAFT"))
        }
        found = {
            **kept,
            "PYTHONPATH": str(self.tools),
            "MULTIGRAFT_CACHE": str(self.folder / "cache"),
        }
        return subprocess.run(
            [python, *arguments],
            cwd=ROOT,
            env={**found, **variables},
            capture_output=True,
            text=True,
            check=False,
        )


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A fresh environment from the wheel that the tree builds, and no extra."""
    made = Environment(tmp_path_factory.mktemp("deployed"))
    venv.create(made.folder / "venv", with_pip=False)
    pip("wheel", "--no-deps", "--wheel-dir", str(made.folder / "wheel"), str(ROOT))
    (wheel,) = (made.folder / "wheel").glob("*.whl")
    pinned = ("--constraint", str(ROOT / "constraints.txt"))
    pip("--python", str(made.folder / "venv"), "install", *pinned, str(wheel))
    pip("install", *pinned, "--target", str(made.tools), *TOOLS)
    (made.tools / "sitecustomize.py").write_text(WITHOUT)
    return made


def test_the_predictors_tests_pass_without_what_trains(
    deployed: Environment, tmp_path: Path
) -> None:
    for modality in ("numbers", "picture"):
        keep(modality, tmp_path)
    files = [str(ROOT / "tests" / name) for name in PREDICTOR]
    beside = "not timm and not a_graph_that_is_not_the_manifests"  # what needs timm, and onnx
    options = ("--noconftest", "-p", "no:cacheprovider", "-q", "-k", beside)
    done = deployed.run("-m", "pytest", *options, *files, **{KEPT: str(tmp_path)})
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


@pytest.mark.parametrize("modality", sorted(WRITERS))
def test_a_bundle_answers_as_it_does_beside_torch(
    deployed: Environment, modality: str, tmp_path: Path
) -> None:
    bundle, value = export(modality, tmp_path)
    done = deployed.run("-c", ANSWER, str(bundle), value)
    assert done.returncode == 0, done.stderr
    where, answer, weights = done.stdout.splitlines()
    assert Path(where).is_relative_to(deployed.folder)
    found: Mapping[str, Any] = json.loads(answer)
    predictor = mg.load(bundle)
    assert found == pytest.approx(predictor.predict(value)["scores"], abs=1e-6)
    assert json.loads(weights) == pytest.approx(predictor.explain(value).weights, abs=1e-6)


def test_the_wheel_holds_the_page(deployed: Environment, tmp_path: Path) -> None:
    bundle, _ = export("image", tmp_path)
    asked = ("web", str(bundle), "--into", str(tmp_path / "site"), "--packages", str(tmp_path))
    done = deployed.run("-m", "multigraft.cli", *asked)
    # the last step: the rest was there
    assert "in that folder: npm pack onnxruntime-web@" in done.stderr


def test_it_is_a_tenth_of_what_trains(deployed: Environment) -> None:
    held = (
        sum(file.stat().st_size for file in (deployed.folder / "venv").rglob("*") if file.is_file())
        / 1e6
    )
    assert held < installed_megabytes("transformers", "torch") / 10
