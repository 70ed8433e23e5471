"""A run and a bundle name the plugin that they need, its version and its package; a bundle needs
few."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import multigraft as mg
from helpers import toy_plugin
from helpers.toy_runs import exported
from multigraft.contracts.owners import Owner, advice
from multigraft.engine import Engine
from multigraft.errors import BundleError, RunError
from multigraft.plugins import discovery
from multigraft.plugins.catalog import Catalog
from multigraft.runs.run import Run
from multigraft.runtime import load

Install = Callable[[bool], None]


@mg.hookimpl
def register_strategies() -> list[mg.Strategy]:
    return [mg.Strategy(name="sideways", plan=lambda plan, options: plan)]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Let the toy and a plugin with a strategy be installed packages, or not be there."""
    module = ModuleType("sideways_plugin")
    module.register_strategies = register_strategies  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sideways_plugin", module)
    packages = {
        "series": ("multigraft_series", SimpleNamespace(name="multigraft-series", version="0.1.0")),
        "sideways": (
            "sideways_plugin",
            SimpleNamespace(name="slanted-strategies", version="2.5rc1"),
        ),
    }

    def install(present: bool) -> None:
        found = []
        for name, (target, distribution) in packages.items() if present else ():
            entry = EntryPoint(name=name, value=target, group="multigraft")
            vars(entry)["dist"] = distribution
            found.append(entry)
        monkeypatch.setattr(discovery, "entry_points", lambda group: found)

    return install


@pytest.fixture
def run(install: Install, rows: Path, tmp_path: Path) -> Run:
    install(True)
    recipe = {
        "task": "series-classification",
        "backbone": "tcn-tiny",
        "data": str(rows),
        "strategy": ["full", "sideways"],
        "training": {"epochs": 1, "batch_size": 16},
        "output": str(tmp_path / "run"),
    }
    return Engine().start(recipe, "finetune")


def test_a_run_names_the_plugins_it_needs(run: Run, install: Install) -> None:
    facts = json.loads((run.folder / "run.json").read_text())
    assert facts["owners"]["task"] == {
        "plugin": "series",
        "version": "0.1.0",
        "distribution": "multigraft-series",
    }
    assert facts["owners"]["strategy.0"]["distribution"] == "multigraft"
    install(False)
    with pytest.raises(RunError) as caught:
        Engine().open(run.folder)
    said = str(caught.value)
    for noun in ("task", "modality", "backbone"):
        assert (
            f"the {noun} came from plugin 'series' 0.1.0  ->  pip install "
            '"multigraft-series==0.1.0"' in said
        )
    assert "unknown strategy 'sideways'" in said
    assert 'pip install "slanted-strategies==2.5rc1"' in said


def test_so_does_one_that_was_interrupted(run: Run, install: Install) -> None:
    path = run.folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "state": "running"}))
    install(False)
    with pytest.raises(
        RunError, match=r"was made with what is not here[\s\S]*multigraft-series==0\.1\.0"
    ):
        Engine().resume(run.folder)
    install(True)
    assert Engine().resume(run.folder).facts["state"] == "finished"


def test_an_object_is_to_be_handed_over_again(finetune: Callable[..., Run]) -> None:
    run = finetune()
    with pytest.raises(
        RunError, match=r"plugin 'multigraft_series', which was handed over .*: plugins="
    ):
        Engine(discover=False).open(run.folder)


def test_a_record_from_a_stranger_cannot_smuggle_a_command(run: Run) -> None:
    path = run.folder / "run.json"
    facts = json.loads(path.read_text())
    facts["owners"]["task"]["distribution"] = 'x"; rm -rf /; echo "'
    path.write_text(json.dumps(facts))
    with pytest.raises(RunError, match=r"owners\.task\.distribution"):
        Engine().open(run.folder)


def test_a_bundle_answers_without_the_plugin_of_its_task(tmp_path: Path) -> None:
    """Its reader is here, and the engine's own function makes the answers."""
    run, _ = exported("numbers")
    folder = tmp_path / "bundle"
    shutil.copytree(run.folder / "bundle", folder)
    path = folder / "bundle.json"
    raw = json.loads(path.read_text())
    assert (raw["decode"], raw["merge"]) == ("classification", "mean_probabilities")
    raw |= {"task": "from-elsewhere", "sha256": None}
    raw["owners"]["task"] = {"plugin": "else", "version": "1", "distribution": "else-where"}
    path.write_text(json.dumps(raw))
    here = load(run.folder / "bundle", catalog=run.catalog)
    there = load(folder, catalog=Catalog([toy_plugin], discover=False))
    texts = ["1 2 3", "1 2 3 4 1096 1097"]
    assert there.predict(texts, long="window") == here.predict(texts, long="window")
    path.write_text(json.dumps({**raw, "decode": None}))
    with pytest.raises(
        BundleError, match=r'the task came from plugin \'else\' 1  ->  pip install "else-wh'
    ):
        load(folder, catalog=Catalog([toy_plugin], discover=False))
    path.write_text(json.dumps({**raw, "decode": "os.system"}))
    with pytest.raises(BundleError, match="decode"):
        load(folder, catalog=Catalog([toy_plugin], discover=False))


def test_a_bundle_of_a_run_says_who_brought_its_backbone(run: Run, install: Install) -> None:
    bundle = run.export().files["bundle"]
    owners = json.loads((Path(bundle) / "bundle.json").read_text())["owners"]
    assert owners["backbone"]["distribution"] == "multigraft-series"
    assert owners["strategy.1"]["version"] == "2.5rc1"
    assert "slanted" not in (Path(bundle) / "README.md").read_text(), "answers do not need it"


@pytest.mark.parametrize(
    ("owner", "said"),
    [
        (None, "the run does not say which plugin brings this task"),
        (
            Owner(plugin="x"),
            "the task came from plugin 'x', which was handed over as an object: door",
        ),
        (
            Owner(plugin="x", distribution="y"),
            "the task came from plugin 'x'  ->  pip install \"y\"",
        ),
    ],
)
def test_the_advice(owner: Any, said: str) -> None:
    assert advice("task", owner, keeper="run", door="door") == said
