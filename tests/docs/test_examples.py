"""The examples answer as the predictor does, without multigraft, torch or transformers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
from helpers.node_example import installed
from helpers.samples import WRITERS
from helpers.tiny_bundles import export
from multigraft.runtime.web.site import write_site
from security.watched import environment

EXAMPLES = Path(__file__).parents[2] / "examples"
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


@pytest.mark.parametrize("modality", sorted(WRITERS))
def test_an_example_answers_as_the_predictor_does(modality: str, tmp_path: Path) -> None:
    bundle, value = export(modality, tmp_path)
    script = EXAMPLES / f"{modality}.py"
    command = [sys.executable, "-c", ALONE, str(script), str(bundle), value]
    home = environment(tmp_path / "home")
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env=home
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found == pytest.approx(mg.load(bundle).predict(value)["scores"], abs=1e-6)
    assert not (tmp_path / "home" / ".cache").exists(), "onnxruntime keeps a device id"
    assert len(script.read_text(encoding="utf-8").splitlines()) < 40


def test_every_modality_has_an_example() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(WRITERS)


@pytest.fixture(scope="module")
def node_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example for Node, installed."""
    return installed(tmp_path_factory.mktemp("node") / "node")


@pytest.mark.slow
@pytest.mark.parametrize("modality", sorted(WRITERS))
def test_node_answers_as_the_predictor_does(
    modality: str, node_example: Path, tmp_path: Path
) -> None:
    bundle, value = export(modality, tmp_path)
    site = write_site(bundle, tmp_path / "site")
    command = ["node", "answer.js", str(site), value]
    home = environment(tmp_path / "home")
    done = subprocess.run(
        command, cwd=node_example, capture_output=True, text=True, check=False, env=home
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found == pytest.approx(mg.load(bundle).predict(value)["scores"], abs=1e-5)
    assert not (tmp_path / "home" / ".cache").exists(), "onnxruntime keeps a device id"
    assert len((EXAMPLES / "node" / "answer.js").read_text(encoding="utf-8").splitlines()) < 40
