"""Timing a bundle from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from helpers.toy_runs import exported
from multigraft.cli.bench import table
from multigraft.errors import BundleError
from multigraft.runtime import timing
from multigraft.runtime.bundle import Port, open_bundle
from multigraft.runtime.timing import Shape, Timing


@pytest.fixture(scope="module")
def bundle() -> Path:
    folder: Path = exported("numbers")[0].folder / "bundle"
    return folder


def test_every_precision_batch_and_length_is_timed(cli: Any, bundle: Path) -> None:
    arguments = ("--batch", "1", "--batch", "3", "--length", "5", "--rounds", "1", "--calls", "2")
    said = cli("bench", str(bundle), *arguments, "--threads", "1", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert (found["threads"], found["default"]) == (1, "int8")
    cells = [(each["name"], each["batch"], each["length"]) for each in found["timings"]]
    assert sorted(cells) == [("fp32", 1, 5), ("fp32", 3, 5), ("int8", 1, 5), ("int8", 3, 5)]
    for each in found["timings"]:
        assert 0 < each["p50"] <= each["p95"]
        assert each["rows_per_second"] == pytest.approx(
            1000 * each["batch"] / each["p50"], rel=0.02
        )


def test_the_table_names_the_default(cli: Any, bundle: Path) -> None:
    said = cli(
        "bench", str(bundle), "--batch", "2", "--rounds", "1", "--calls", "1", "--threads", "1"
    )
    assert "int8 (default)" in said.out and "1.00x" in said.out


def test_rates_are_told_in_whole_rows() -> None:
    timings = [Timing("fp32", 8, 7, 0.343, 4.4, 23_292.4), Timing("int8", 8, 7, 400.0, 410.0, 20.0)]
    rates = table([Shape(8, 7)], timings, "fp32").columns[5]
    assert list(rates.cells) == ["23,292", "20"]


def test_the_runs_torch_model_stands_beside(
    cli: Any, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = exported("numbers")
    monkeypatch.setattr("multigraft.api.open_run", lambda folder: run)
    monkeypatch.setattr("torch.set_num_threads", lambda count: None)
    said = cli(
        "bench",
        str(bundle),
        "--run",
        "x",
        "--batch",
        "2",
        "--rounds",
        "1",
        "--calls",
        "1",
        "--json",
    )
    run.graft.train()  # as the other tests had it
    assert said.code == 0, said.err
    assert {each["name"] for each in json.loads(said.out)["timings"]} == {"torch", "fp32", "int8"}


def test_rows_of_one_size_have_no_lengths(cli: Any) -> None:
    folder = exported("picture")[0].folder / "bundle"
    opened = open_bundle(folder)
    assert timing.shapes(opened, [1, 8], None) == [Shape(1, None), Shape(8, None)]
    with pytest.raises(BundleError, match="leave out the lengths"):
        timing.shapes(opened, [1], [128])


def test_arrays_are_as_large_as_the_shape_asks() -> None:
    sizes = {"ids": (None,), "mask": (None,), "picture": (3, 8)}
    found = timing.feed(sizes, dict.fromkeys(sizes, "int64"), Shape(4, 20))
    assert {name: array.shape for name, array in found.items()} == {
        "ids": (4, 20),
        "mask": (4, 20),
        "picture": (4, 3, 8),
    }
    port = Port(name="frames", dtype="float32", shape=("batch", "length", 80))
    assert timing.sizes_of([port]) == {"frames": (None, 80)}


def test_a_percentile_is_of_all_rounds() -> None:
    opened: list[str] = []

    def opener() -> Any:
        opened.append("x")
        return lambda arrays: None

    found = timing.time_all({"a": opener}, {Shape(1, 2): {"x": np.ones(2)}}, rounds=3, calls=5)
    assert len(opened) == 3 and len(found) == 1


def test_a_bundle_without_a_sample_says_so() -> None:
    old: Any = SimpleNamespace(sample={}, inputs=())
    with pytest.raises(BundleError, match="export it again"):
        timing.row_length(old)
