"""Ray: cells as tasks of a cluster of two nodes, of which one is killed in the middle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

import multigraft as mg
from experiments.conftest import toy_grid, write_domains
from experiments.test_kills import rows_of
from helpers.packages import ROOT, install

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
VARY = {"data": ["a", "b"], "strategy": ["full", "linear-probe"], "seed": [0, 1, 2]}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A head that computes nothing, and two nodes with a core each."""
    from ray.cluster_utils import Cluster

    install(ROOT / "plugins/template", tmp_path / "site")
    paths = [str(tmp_path / "site"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv("MULTIGRAFT_PLUGINS", "series")
    monkeypatch.setenv("MULTIGRAFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [made.add_node(num_cpus=1) for _ in range(2)]
    yield made, nodes
    made.shutdown()


@pytest.mark.parametrize("stored", [False, True])
def test_a_node_that_is_killed_changes_no_bit(
    cluster: Any, tmp_path: Path, *, stored: bool
) -> None:
    made, nodes = cluster
    storage = f"file://{tmp_path}/far" if stored else None
    write_domains(tmp_path, "ab")
    domains = {
        name: {"train": str(tmp_path / f"{name}.csv"), "test": str(tmp_path / f"{name}-test.csv")}
        for name in "ab"
    }
    calm = {**toy_grid(domains, tmp_path / "calm"), "vary": VARY}
    whole = mg.experiment(calm)
    struck = tmp_path / "struck.yaml"
    struck.write_text(yaml.safe_dump({**calm, "output": str(tmp_path / "struck")}, sort_keys=False))
    ended: list[str] = []

    def strike(update: Any) -> None:
        ended.append(update.cell.key)
        if len(ended) == 3:
            made.remove_node(nodes[0], allow_graceful=False)

    found = mg.experiment(struck, engine="ray", address=made.address, storage=storage, tell=strike)
    assert not found.problems and len(ended) == len(set(ended)) == 12
    assert rows_of(found.folder) == rows_of(whole.folder)
    assert not list((found.folder / "workers").glob("ray-*"))
    again = mg.experiment(struck, engine="ray", address=made.address, storage=storage, tell=strike)
    assert len(ended) == 12 and rows_of(again.folder) == rows_of(whole.folder)
    assert (tmp_path / "far").exists() == stored
