"""Leave-one-domain-out: learned from all domains but one, tested on that one, each in turn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import multigraft as mg
import multigraft_series
from experiments.conftest import Compute
from experiments.made_up import ROWS, first_right, leave_out, make_cell, make_experiment
from helpers.toys import write_rows
from multigraft.errors import RecipeError
from multigraft.evaluation.statistics import mcnemar
from multigraft.experiments.job import Job
from multigraft.experiments.overview import report_of
from multigraft.experiments.page import render
from multigraft.experiments.plan import Plan, read_plan
from multigraft.experiments.summary import Summary
from multigraft.experiments.transfer import transfers
from multigraft.plugins.catalog import Catalog

CATALOG = Catalog([multigraft_series], discover=False)
EACH = {"data": ["leave-one-domain-out"]}


def plan(grid: Any, **fields: Any) -> Plan:
    return read_plan({**grid, "vary": EACH, "test_on": [], **fields}, CATALOG)


def problems(grid: Any, **fields: Any) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as error:
        plan(grid, **fields)
    return error.value.problems


def places(made: Plan) -> dict[str | None, list[str]]:
    """What cells learn from -> the names and files that they are tested on."""
    jobs = [Job.of(run, made, Path("made"), 1) for run in made.runs]
    return {
        job.data: [f"{domain.name} {Path(str(domain.source)).name}" for domain in job.domains]
        for job in jobs
    }


def test_each_domain_is_left_out_once(grid: Any) -> None:
    made = plan(grid)
    assert [(run.cell.data, run.cell.left_out) for run in made.runs] == [
        ("all but a", "a"),
        ("all but b", "b"),
        ("all but c", "c"),
    ]
    files = {name: each["train"] for name, each in grid["domains"].items()}
    for run in made.runs:
        others = [file for name, file in files.items() if name != run.cell.left_out]
        assert run.recipe["data"]["train"] == others
        assert run.recipe["data"]["test"] is None and run.recipe["data"]["validation"] is None
        assert run.recipe["data"]["split"]["test"] == 0, "no row is cut off that nobody asks for"
        assert run.recipe["data"]["split"]["validation"] == 0.1
        assert run.recipe["data"]["leakage"]["allowed"] == 1, "what all data share stays"
    assert places(made) == {f"all but {each}": [f"{each} {each}-test.csv"] for each in "abc"}
    assert made.runs[0].key.startswith("all-but-a-")


def test_one_file_a_domain_is_enough(grid: Any) -> None:
    files = {name: each["train"] for name, each in grid["domains"].items()}
    assert places(plan(grid, domains=files)) == {
        f"all but {each}": [f"{each} {each}.csv"] for each in "abc"
    }


def test_validation_is_that_of_the_others(grid: Any) -> None:
    given = {
        name: {**each, "validation": each["train"].replace(".csv", "-validation.csv")}
        for name, each in grid["domains"].items()
    }
    for each in given.values():
        write_rows(Path(each["validation"]), rows=8)
    last = plan(grid, domains=given).runs[-1]
    assert last.recipe["data"]["validation"] == [given[name]["validation"] for name in "ab"]
    del given["b"]["validation"]
    (line,) = problems(grid, domains=given)
    assert line.startswith("domains: b without validation rows beside a, c, which have them")
    two = {name: given[name] for name in "ab"}
    assert len(plan(grid, domains=two).runs) == 2, "of two domains each is learned from alone"


def test_domains_alone_stand_beside_it(grid: Any) -> None:
    made = plan(grid, vary={"data": ["all", "leave-one-domain-out"]}, test_on="all")
    every = ["a a-test.csv", "b b-test.csv", "c c-test.csv"]
    assert places(made) == {
        **dict.fromkeys("abc", every),
        **{f"all but {each}": [f"{each} {each}-test.csv"] for each in "abc"},
    }


def test_one_of_them_may_be_named_excluded_and_listed(grid: Any) -> None:
    def sources(**fields: Any) -> list[str | None]:
        return [run.cell.data for run in plan(grid, **fields).runs]

    assert sources(vary={"data": ["all but c"]}) == ["all but c"]
    assert sources(exclude=[{"data": "all but a"}]) == ["all but b", "all but c"]
    assert sources(vary={"data": ["a"]}, cells=[{"data": "all but a"}]) == ["a", "all but a"]
    assert sources(vary={}, recipe={**grid["recipe"], "data": "all but b"}) == ["all but b"]


def test_a_search_leaves_domains_out_too(grid: Any) -> None:
    space = {"space": {"training.learning_rate": [0.1, 0.01]}, "trials": 2, "sampler": "grid"}
    made = plan(grid, search=space)
    assert [study.name for study in made.studies] == [f"all but {each}" for each in "abc"]
    assert [domain.name for domain in made.domains] == list("abc")


def test_every_mistake_is_told(grid: Any) -> None:
    a, b, c = (grid["domains"][name] for name in "abc")
    assert problems(grid, domains={"a": a}) == (
        "vary.data: leave-one-domain-out needs two domains at least; domains has a",
    )
    assert problems(grid, domains={}) == (
        "vary.data: leave-one-domain-out needs two domains at least; domains has none",
    )
    line = problems(grid, vary={"data": ["all but a", "leave-one-domain-out"]})[0]
    assert line.startswith("vary.data: 'all but a' stands there twice")
    assert (
        'vary.data: found "all but d"; no domain is called so; did you mean \'all but'
        in (problems(grid, vary={"data": ["all but d"]})[0])
    )
    (line,) = problems(grid, domains={"a": a, "b": b, "c": {**c, "train": a["train"]}})
    assert line.startswith(f"domains.c: {a['train']} is also a source of a")
    (line,) = problems(grid, domains={"a": a, "b": b, "c": {**c, "columns": {"series": "x"}}})
    assert line.startswith('domains: columns is not the same (a: {}, b: {}, c: {"series": "x"})')
    (line,) = problems(grid, domains={"a": a, "b": b, "c": {**c, "encoding": "utf-16"}})
    assert line.startswith("domains: encoding is not the same (")
    (line,) = problems(grid, test_on=["a"])
    assert line.startswith("test_on: every cell leaves a domain out")
    for field, value in (("test", a["test"]), ("split", {"hold_out": {"label": "up"}})):
        given = {**grid["recipe"], "data": {field: value}}
        (line,) = problems(grid, recipe=given)
        assert line.startswith(f"data.{field}") and "leave one of them out" in line


def test_a_domain_that_is_missing_is_told_once(grid: Any) -> None:
    given = {**grid["domains"], "c": "nowhere.csv"}
    assert problems(grid, domains=given) == (
        "domains.c.train: nowhere.csv: there is no such file or folder",
    )


def test_figures_are_those_of_a_run_by_hand(compute: Compute, grid: Any, tmp_path: Path) -> None:
    made = compute(vary={**EACH, "seed": [0, 1]}, test_on=[])
    assert not made.problems
    assert [(row["data"], row["domain"]) for row in made.rows() if row["metric"] == "accuracy"] == [
        (f"all but {each}", each) for each in "abc" for _ in range(2)
    ]
    recipe = {**grid["recipe"], "seed": 1, "output": str(tmp_path / "by-hand")}
    a, _, c = (grid["domains"][name] for name in "abc")
    recipe["data"] = {
        **recipe["data"],
        "train": [a["train"], c["train"]],
        "split": {"test": 0},
    }
    run = mg.finetune(recipe, plugins=[multigraft_series])
    report = run.evaluate(grid["domains"]["b"]["test"])
    (cell,) = [each for each in made.cells if (each.left_out, each.seed) == ("b", 1)]
    record = made.records()[cell.key]
    scores = {score.metric: score.value for score in record.tested[0].scores}
    assert scores == {name: each.value for name, each in report.metrics.items()}
    assert record.train_rows == len(run.rows["train"]) == 96 - 10
    assert mg.Experiment.open(made.folder).cells == made.cells
    table = made.report().tables["leave-one-domain-out"]
    assert table[0] == ("accuracy", "a", "b", "c", "mean") and len(table) == 2
    again: list[Any] = []
    compute(vary={**EACH, "seed": [0, 1]}, test_on=[], tell=again.append)
    assert not again, "cells that ended are left as they are"


def test_labels_that_the_others_lack_are_told_and_the_rest_goes_on(
    compute: Compute, grid: Any
) -> None:
    one, other = (Path(grid["domains"][name]["test"]) for name in "ab")
    one.write_text(one.read_text().replace("down", "sideways"))
    other.write_text(other.read_text().replace("up", "steep").replace("down", "flat"))
    made = compute(vary=EACH, test_on=[])
    assert set(made.problems) == {each.key for each in made.cells if each.left_out == "b"}
    assert "b: b: 40 of 40 rows" in made.problems[made.cells[1].key][0]
    told = "\n".join(made.report().notes)
    assert "sideways" in told
    (row,) = [row for row in made.rows() if (row["domain"], row["metric"]) == ("a", "accuracy")]
    assert row["n"] == 20


def random_right(name: str, base: float) -> np.ndarray:
    return (np.random.default_rng(sum(map(ord, name))).random(ROWS) < base).astype(float)


def rights_of(cell: Any, domain: str) -> np.ndarray:
    base = {"full": 0.8, "probe": 0.6}[str(cell.varied["strategy"])]
    return random_right(f"{cell.varied['strategy']} {domain}", base)


def test_the_table_has_the_mean_and_the_paired_difference(tmp_path: Path) -> None:
    cells = [
        leave_out(domain, strategy=strategy) for strategy in ("probe", "full") for domain in "abc"
    ]
    found = make_experiment(tmp_path, cells, list("abc"), rights_of)
    table = report_of(found).tables["leave-one-domain-out"]
    heading = ("accuracy", "a", "b", "c", "mean", "beside the best", "p (Holm)")
    assert table[0] == heading and [line[0] for line in table[1:]] == ["full", "probe"]
    full, probe = (
        np.array([random_right(f"{name} {domain}", base) for domain in "abc"])
        for name, base in (("full", 0.8), ("probe", 0.6))
    )
    for line, right in zip(table[1:], (full, probe), strict=True):
        shown = [float(each.split()[0]) for each in line[1:5]]
        assert shown == pytest.approx([*right.mean(1), right.mean()], abs=5e-4)
    gap = full - probe
    half = 1.96 * np.sqrt((gap.var(1) / ROWS).sum()) / 3  # of a mean over independent domains
    value, low, high = (float(each.strip("[],")) for each in table[2][5].replace("to", "").split())
    assert value == pytest.approx(-gap.mean(), abs=5e-4)
    assert (value - low, high - value) == pytest.approx((half, half), rel=0.15)
    board = report_of(found).tables["leaderboard"]
    assert [line[1] for line in board[1:]] == ["full", "probe"]
    assert board[1][2] == table[1][4], "where every cell leaves one out, it is the leaderboard's"


def test_it_stands_beside_the_targets_own_model(tmp_path: Path) -> None:
    cells = [make_cell(each) for each in "ab"] + [leave_out(each) for each in "ab"]
    found = make_experiment(
        tmp_path,
        cells,
        ["a", "b"],
        lambda cell, domain: first_right(90 if cell.data == domain else 60),
    )
    summary = Summary(found)
    gap = next(each for each in transfers(summary) if each.group.left_out == "b").over_own
    peer = mcnemar(first_right(60), first_right(90))
    assert gap is not None and gap.value == pytest.approx(-30 / ROWS)
    assert (gap.low, gap.high) == pytest.approx((peer.low, peer.high))
    tables = report_of(found).tables
    assert [line[0] for line in tables["accuracy, source by target"]] == ["learned from", "a", "b"]
    assert {line[1] for line in tables["leaderboard"][1:]} == {"a", "b", "leave-one-domain-out"}


def test_the_page_says_which_was_left_out(tmp_path: Path) -> None:
    cells = [leave_out(domain, strategy=name) for name in ("full", "probe") for domain in "abc"]
    page = render(make_experiment(tmp_path, cells, list("abc"), rights_of))
    assert "Leave one domain out" in page
    assert "a, b, c, each learned from all others, averaged over 3 pairs" in page
    assert "Transfer between domains" not in page


def test_what_has_ended_is_shown_while_the_rest_is_computed(tmp_path: Path) -> None:
    cells = [leave_out(domain, strategy=name) for name in ("full", "probe") for domain in "abc"]
    found = make_experiment(tmp_path, cells, list("abc"), rights_of)
    (tmp_path / "records" / f"{cells[-1].key}.json").unlink()
    table = report_of(found).tables["leave-one-domain-out"]
    assert table[0][:5] == ("accuracy", "a", "b", "c", "mean over a, b")
    assert {line[0]: line[3] for line in table[1:]}["probe"] == ""


def test_its_state_is_read_by_others(compute: Compute, tmp_path: Path) -> None:
    made = compute(vary=EACH, test_on=[])
    state = json.loads((made.folder / "experiment.json").read_text())
    assert [each["left_out"] for each in state["cells"]] == ["a", "b", "c"]
    assert state["domains"] == ["a", "b", "c"]
    assert yaml.safe_load((made.folder / "grid.yaml").read_text())["vary"] == EACH
