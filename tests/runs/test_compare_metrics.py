"""Runs beside each other: paired by row, pooled over seeds, and refused where rows differ."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from helpers.evaluated_runs import ROWS, write_run
from helpers.read_html import read_html
from multigraft.contracts.numbers import figure, interval
from multigraft.contracts.report_view import beside
from multigraft.errors import RunError
from multigraft.evaluation.statistics import mcnemar
from multigraft.runs import row_results
from multigraft.runs.compare_metrics import compare_metrics
from multigraft.runs.row_results import read_results, results_file
from multigraft.runs.run import Run


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a run's folder as an evaluation leaves it."""
    return lambda name, *given, **fields: write_run(tmp_path / name, *given, **fields)


def test_results_survive_their_file(write: Callable[..., Path]) -> None:
    found = read_results(results_file(write("a", count=7)))
    assert (found.task, found.data, found.metric, found.greater) == (
        "text-classification", "test", "accuracy", True,
    )  # fmt: skip
    assert set(found.values) == set(found.draws) == {"accuracy", "loss"}
    assert found.draws["loss"].shape == (7,)
    assert found.right is not None
    assert found.values["accuracy"] == found.right.mean()


def test_the_best_comes_first_and_others_differ_by_mcnemar(write: Callable[..., Path]) -> None:
    runs = [write("low", 0.5), write("high", 0.8, strategy="linear-probe")]
    found = compare_metrics(runs)
    best, other = found.runs
    assert (found.metric, found.rows, found.reference, found.chosen) == (
        "accuracy", ROWS, "high", True,
    )  # fmt: skip
    assert (best.name, best.strategy, best.difference) == ("high", "linear-probe", None)
    right = [read_results(results_file(run)).right for run in runs]
    assert other.difference == mcnemar(*(each.astype(float) for each in right))  # type: ignore[union-attr]
    assert other.adjusted == other.difference.p
    assert best.estimate.value == right[1].mean()  # type: ignore[union-attr]


def test_runs_that_differ_by_the_seed_alone_are_one_line(write: Callable[..., Path]) -> None:
    runs = [write(f"bert-s{seed}", seed=seed) for seed in range(3)]
    runs += [write("probe", 0.6, strategy="linear-probe"), write("longer", training={"epochs": 9})]
    found = compare_metrics(runs)
    pooled = next(each for each in found.runs if len(each.seeds) == 3)
    assert (pooled.name, pooled.seeds) == ("bert", (0, 1, 2))
    assert pooled.estimate.seeds == 3
    assert "Student's t over seeds" in pooled.estimate.method
    values = [read_results(results_file(run)).values["accuracy"] for run in runs[:3]]
    assert pooled.estimate.value == pytest.approx(np.mean(values))
    assert any(
        note.startswith("bert: 3 runs that differ by the seed alone") for note in found.notes
    )
    assert any("probe, longer: one seed" in note for note in found.notes)


def test_a_seed_that_is_there_twice_is_not_pooled(write: Callable[..., Path]) -> None:
    found = compare_metrics([write("one", seed=1), write("two", seed=1)])
    assert [len(each.seeds) for each in found.runs] == [1, 1]


def test_a_baseline_is_named_before_the_data_are_seen(write: Callable[..., Path]) -> None:
    runs = [write(name, share, strategy=each) for name, share, each in (
        ("a", 0.8, "full"), ("bb", 0.78, "partial"), ("ccc", 0.7, "linear-probe"),
    )]  # fmt: skip
    best = compare_metrics(runs)
    named = compare_metrics(runs, baseline=runs[0])
    assert best.reference == named.reference == "a"
    last, less = best.runs[-1], named.runs[-1]
    assert last.difference == less.difference
    assert last.adjusted is not None
    assert less.adjusted is not None
    assert less.adjusted <= last.adjusted
    other = compare_metrics(runs, baseline=runs[2])
    assert next(each for each in other.runs if each.name == "ccc").difference is None
    assert other.runs[0].difference is not None
    assert other.runs[0].difference.value > 0


def test_less_of_a_loss_is_better(write: Callable[..., Path]) -> None:
    found = compare_metrics(
        [write("low", 0.5), write("high", 0.8, seed=1, strategy="partial")], metric="loss"
    )
    assert (found.greater, found.reference) == (False, "high")
    assert found.runs[1].difference is not None
    assert "McNemar" not in found.runs[1].difference.method


def test_other_rows_are_refused_with_how_many(write: Callable[..., Path]) -> None:
    first = write("first")
    more = write("more", seed=1, rows=np.arange(10, ROWS + 10, dtype=np.uint64))
    with pytest.raises(RunError, match=r"10 of the 400 test rows .* and 10 of those are not"):
        compare_metrics([first, more])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"task": "text-regression"}, "is of task 'text-classification' and .* 'text-regression'"),
        ({"count": 20}, "was evaluated with 20 resamples, and 100 are needed"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    write: Callable[..., Path], change: dict[str, Any], told: str
) -> None:
    with pytest.raises(RunError, match=told):
        compare_metrics([write("first"), write("other", seed=1, **change)])


def test_mistakes_are_told_with_what_to_do(write: Callable[..., Path], tmp_path: Path) -> None:
    first, second = write("first"), write("second", strategy="partial")
    with pytest.raises(RunError, match="has no metric 'acuracy'; did you mean 'accuracy'"):
        compare_metrics([first, second], metric="acuracy")
    with pytest.raises(RunError, match=r"--baseline .*third: is none of the runs"):
        compare_metrics([first, second], baseline=tmp_path / "third")
    with pytest.raises(RunError, match="at least two runs"):
        compare_metrics([first, first])
    with pytest.raises(RunError, match="found 0 run; give at least two"):
        compare_metrics([])
    with pytest.raises(RunError, match="differ by the seed alone"):
        compare_metrics([first, write("third", seed=7)])
    with pytest.raises(RunError, match="is not a run"):
        compare_metrics([first, tmp_path])
    with pytest.raises(RunError, match=r"no results by row of 'books'.*--data FILE --name books"):
        compare_metrics([first, second], data="books")
    results_file(second).unlink()
    with pytest.raises(RunError, match=r"measure it with: multigraft evaluate .*second"):
        compare_metrics([first, second])


def test_a_folder_stands_for_the_runs_in_it_that_were_evaluated(
    write: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs = [write("full/s0"), write("full/s1", seed=1), write("probe", 0.5, strategy="partial")]
    late = write("late", strategy="linear-probe")
    results_file(late).unlink()
    assert compare_metrics([tmp_path]) == compare_metrics(runs)
    assert "1 of 4 runs were not evaluated, and are left out" in caplog.text
    with pytest.raises(RunError, match="found 0 run; give at least two"):
        compare_metrics([tmp_path], data="books")


@pytest.mark.parametrize("damage", ["torn", "pickled", "other", "shapes", "bomb"])
def test_damaged_results_are_refused(
    write: Callable[..., Path], damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = write("first"), write("second", strategy="partial")
    path = results_file(second)
    if damage == "torn":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "pickled":
        np.savez(path, told=np.array([{"a": 1}], dtype=object))
    elif damage == "other":
        np.savez(path, told=np.array(json.dumps({"format": 99})))
    elif damage == "bomb":
        monkeypatch.setattr(row_results, "BYTES", 10_000)
        np.savez_compressed(path, told=np.zeros(20_000))
    else:
        with np.load(path) as file:
            arrays = dict(file)
        np.savez(path, **{**arrays, "identities": arrays["identities"].astype(float)})
    told = "unpacks to 160,128 bytes" if damage == "bomb" else ""
    with pytest.raises(RunError, match=rf"evaluate\.npz: {told}"):
        compare_metrics([first, second])


def test_tables_for_people_and_papers(write: Callable[..., Path]) -> None:
    found = compare_metrics([write("a_1"), write("b|2", 0.6, strategy="partial")])
    cells = list(csv.reader(io.StringIO(found.to("csv"))))
    assert cells == [list(row) for row in found.table()]
    assert {"accuracy", "difference to a_1", "p (Holm)"} <= set(cells[0])
    assert r"| b\|2 |" in found.to("markdown")
    assert str(found) == found.to("markdown")
    with pytest.raises(RunError, match=r"no form 'latx'; did you mean 'latex'"):
        found.to("latx")
    latex = found.to("latex")
    assert r"a\_1 & bert-tiny" in latex
    assert latex.count(r"\\") == 3
    assert json.loads(json.dumps(found.to_dict()))["runs"][1]["difference"]["method"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Two seeds of one recipe, and another strategy, on one file of test rows."""
    import multigraft_series
    from helpers.toys import write_rows
    from multigraft.engine import Engine

    folder = tmp_path_factory.mktemp("runs")
    write_rows(folder / "train.csv")
    write_rows(folder / "test.csv", rows=60, seed=1)
    lines = (folder / "test.csv").read_text().splitlines()
    grouped = [f"{line},{'a' if n % 3 else 'b'}" for n, line in enumerate(lines[1:])]
    (folder / "test.csv").write_text("\n".join([lines[0] + ",domain", *grouped]) + "\n")
    runs = []
    for name, fields in (
        ("full-0", {"seed": 0}),
        ("full-1", {"seed": 1}),
        ("probe", {"strategy": "linear-probe"}),
    ):
        recipe = {
            "task": "series-classification",
            "backbone": "tcn-tiny",
            "data": {"train": str(folder / "train.csv"), "test": str(folder / "test.csv")},
            "training": {"epochs": 2, "batch_size": 16, "learning_rate": 0.01},
            "evaluation": {"bootstrap": 120},
            "output": str(folder / name),
            **fields,
        }
        runs.append(Engine([multigraft_series], discover=False).start(recipe, "finetune"))
    return runs


def test_trained_runs_are_evaluated_compared_and_listed(trained: list[Run]) -> None:
    found = mg.compare(trained)
    assert {each.name for each in found.runs} == {"full", "probe"}
    for run in trained:
        report = run.report
        assert report is not None
        results = read_results(results_file(run.folder))
        assert report.metrics["accuracy"].value == results.values["accuracy"]
        assert results.right is not None
        assert results.right.mean() == results.values["accuracy"]
    listed = mg.list_runs(trained[0].folder.parent, sort="value")
    assert [each.metric for each in listed] == ["accuracy"] * 3
    values = [each.value.value for each in listed if each.value is not None]
    assert values == sorted(values, reverse=True)
    assert {each.seed for each in listed} == {0, 1}
    assert all(each.seconds and each.state == "finished" for each in listed)


def test_runs_comparisons_and_lists_are_shown_in_notebooks(trained: list[Run]) -> None:
    first, found = trained[0], mg.compare(trained)
    accuracy = first.evaluate(quiet=True).metrics["accuracy"]
    told = f"accuracy {beside(accuracy)}"
    assert repr(first) == f"<Run series-classification with tcn-tiny, {first.folder}: {told}>"
    _, said = read_html(first._repr_html_())
    assert {figure(accuracy), interval(accuracy), str(first.folder), "baseline"} <= set(said)
    assert repr(found).startswith("<MetricComparison by accuracy on test: ")
    _, said = read_html(found._repr_html_())
    assert {"full", "probe", "strategy", "linear-probe", "p (Holm)"} <= set(said)
    assert not {"method", "backbone"} & set(said)
    listed = mg.list_runs(first.folder.parent)
    names = ", ".join(each.name for each in listed)
    assert repr(listed) == f"<RunList of {first.folder.parent}: {names}>"
    tags, said = read_html(listed._repr_html_())
    assert {each.name for each in listed} <= set(said)
    assert tags.count("tr") == len(listed) + 1
    assert listed[0] is listed.runs[0]


def test_other_data_by_its_name(trained: list[Run]) -> None:
    source = trained[0].folder.parent / "test.csv"
    for run in trained:
        run.evaluate(source, name="again", quiet=True)
    own, other = mg.compare(trained), mg.compare(trained, data="again")
    assert (own.data, other.data) == ("test", "again")
    assert [each.estimate for each in own.runs] == [each.estimate for each in other.runs]


def test_the_same_rows_in_another_order_are_told(trained: list[Run], tmp_path: Path) -> None:
    heading, *lines = (trained[0].folder.parent / "test.csv").read_text().splitlines()
    (tmp_path / "turned.csv").write_text("\n".join([heading, *lines[::-1]]) + "\n")
    trained[0].evaluate(tmp_path / "turned.csv", name="turned", quiet=True)
    trained[2].evaluate(trained[0].folder.parent / "test.csv", name="turned", quiet=True)
    turned, own = (read_results(results_file(trained[n].folder, "turned")) for n in (0, 2))
    np.testing.assert_array_equal(turned.identities[::-1], own.identities)
    with pytest.raises(RunError, match="the same rows in another order; measure both on one file"):
        mg.compare([trained[0], trained[2]], data="turned")


def test_groups_of_rows_have_figures_of_their_own(trained: list[Run]) -> None:
    run = trained[0]
    report = run.evaluate(groups="domain", quiet=True)
    results = read_results(results_file(run.folder))
    domains = np.array([n % 3 != 0 for n in range(60)])
    rows = run.rows["test"]
    assert rows.column("domain") == ["a" if each else "b" for each in domains]
    heading, *lines = report.tables["by domain"]
    assert heading == ("group", "rows", "accuracy", "interval")
    assert {line[0]: line[1] for line in lines} == {"a": "40", "b": "20"}
    worst = report.metrics["worst_group_accuracy"]
    both = [results.values[f"accuracy of {name}"] for name in "ab"]
    assert worst.value == min(both)
    assert (40 * both[0] + 20 * both[1]) / 60 == pytest.approx(report.metrics["accuracy"].value)
    assert worst.low is not None
    assert worst.high is not None
    assert worst.low <= worst.value <= worst.high
    with pytest.raises(RunError, match=r"has no column 'domian'; did you mean 'domain'"):
        run.evaluate(groups="domian", quiet=True)
    run.evaluate(quiet=True)


def test_the_commands_say_it_without_torch(write: Callable[..., Path], tmp_path: Path) -> None:
    for name, share in (("low", 0.5), ("high", 0.8)):
        write(name, share, strategy="full" if share > 0.6 else "partial")
    script = (
        "import sys; from multigraft.cli import main; code = main({args!r}); "
        "print('torch' in sys.modules, file=sys.stderr); sys.exit(code)"
    )
    for args in (
        ["compare", str(tmp_path / "low"), str(tmp_path / "high"), "--json"],
        ["runs", str(tmp_path), "--json"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", script.format(args=args)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stderr.splitlines()[-1] == "False"
        json.loads(done.stdout)
