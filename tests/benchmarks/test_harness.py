"""The benchmarks' harness, with sides that only pretend to work."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks import results
from benchmarks.harness import (
    CACHE,
    Case,
    Sample,
    Side,
    Turn,
    at_least,
    below,
    difference,
    interval,
    measure,
)
from benchmarks.machine import best_time, generation_of, short_name

MACHINE = {"processor": "Toy", "cores": 2, "threads": 2, "fp32_gflops": 100.0, "bf16_gflops": 20.0}


@pytest.fixture(autouse=True)
def nothing_to_collect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sides that pretend leave no garbage; to look for it among a session's objects takes a second
    a turn."""
    monkeypatch.setattr("benchmarks.harness.gc.collect", lambda: 0)


def side(
    *values: float, quality: float | None = None, told: list[Any] | None = None, name: str = ""
) -> Side:
    """A side that gives these values in turn."""

    def take(turn: Turn) -> Sample:
        if told is not None:
            told.append((name, turn.number, turn.warm))
        return Sample(100.0 if turn.warm else values[turn.number], quality, {"answer": 42})

    return take


def case(ours: Side, theirs: Side, **fields: Any) -> Case:
    given = {
        "name": "toy",
        "work": "nothing",
        "other": "the other",
        "unit": "s",
        "rounds": 3,
        **fields,
    }
    return Case(ours=ours, theirs=theirs, **given)


def figures(**fields: Any) -> dict[str, Any]:
    measured = measure(case(side(1, 2, 3), side(8, 4, 6), bar=at_least(4)))
    return {
        **measured,
        "mode": "full",
        "date": "2030-01-01",
        "module": "toy",
        "versions": {},
        **fields,
    }


def test_the_ratio_is_that_of_the_medians_and_its_spread_that_of_the_rounds() -> None:
    assert measure(case(side(1, 2, 3), side(8, 4, 6)))["ratio"] == {"value": 3, "min": 2, "max": 8}


def test_more_rows_a_second_are_better() -> None:
    assert measure(case(side(8, 4, 6), side(1, 2, 3), unit="rows/s"))["ratio"]["value"] == 3


def test_sides_take_turns_after_a_warm_up_that_does_not_count() -> None:
    told: list[Any] = []
    measure(case(side(1, 1, 1, told=told, name="ours"), side(1, 1, 1, told=told, name="theirs")))
    assert told[:2] == [("ours", 0, True), ("theirs", 0, True)]
    assert [(name, number) for name, number, _ in told[2:]] == [
        *[("ours", 0), ("theirs", 0)],
        *[("theirs", 1), ("ours", 1)],
        *[("ours", 2), ("theirs", 2)],
    ]


def test_what_one_turn_measures_together_goes_first_in_every_round() -> None:
    told: list[Any] = []
    sides = [side(1, 1, 1, told=told, name=name) for name in ("ours", "theirs")]
    measure(case(*sides, warm=False, together=True))
    assert [name for name, _, _ in told] == ["ours", "theirs"] * 3


def test_each_turn_has_an_empty_folder_and_cache_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(CACHE, "mine")
    seen: list[Path] = []

    def take(turn: Turn) -> Sample:
        for folder in (turn.folder, Path(os.environ[CACHE])):
            assert not list(folder.iterdir())
            (folder / "left").write_text("over")
            seen.append(folder)
        return Sample(1.0)

    measure(case(take, take))
    assert len(set(seen)) == 16
    assert not any(folder.exists() for folder in seen)
    assert os.environ[CACHE] == "mine"


def test_bars() -> None:
    assert figures()["met"] is False
    assert measure(case(side(1, 2, 3), side(8, 4, 6), bar=at_least(3)))["met"] is True
    assert measure(case(side(1, 2, 3), side(1, 1, 1), bar=below(2, "s")))["met"] is True
    assert measure(case(side(1, 2, 3), side(1, 1, 1)))["met"] is None


def test_quality_is_shown_where_both_sides_have_one() -> None:
    both = measure(case(side(1, 1, 1, quality=0.9), side(1, 1, 1, quality=0.8)))
    assert both["quality"]["theirs"] == {"mean": 0.8, "low": 0.8, "high": 0.8, "rounds": 3}
    assert "quality" not in measure(case(side(1, 1, 1, quality=0.9), side(1, 1, 1)))


def qualities(*values: float, rows: int) -> list[Sample]:
    return [Sample(1.0, value, held_out=rows) for value in values]


@pytest.mark.parametrize(
    ("ours", "theirs", "rows", "reason"),
    [
        ((0.88, 0.88, 0.88), (0.91, 0.91, 0.91), 2000, "quality 3.0 points lower"),
        ((0.88, 0.87, 0.89), (0.91, 0.92, 0.90), 50, "quality 3.0 points lower"),
        ((0.975, 0.975, 0.975), (0.99, 0.99, 0.99), 2000, "quality 1.5 points lower"),
        ((0.90, 0.90, 0.90), (0.91, 0.91, 0.91), 2000, None),
        ((0.93, 0.93, 0.93), (0.91, 0.91, 0.91), 2000, None),
    ],
)
def test_a_ratio_with_lower_quality_is_void(
    ours: Any, theirs: Any, rows: int, reason: str | None
) -> None:
    sides = [iter(qualities(*values, rows=rows)) for values in (ours, theirs)]
    found = measure(
        case(lambda turn: next(sides[0]), lambda turn: next(sides[1]), warm=False, bar=at_least(1))
    )
    assert found["void"] == reason
    assert found["met"] is (reason is None)
    full = {**found, "mode": "full", "date": "2030-01-01", "module": "toy", "versions": {}}
    shown = results.table({"machine": MACHINE, "cases": {"a": {"full": full}}}, ["a"])
    assert ("**void**, quality" in shown) == (reason is not None)


def test_two_points_show_on_the_rows_that_text_figures_have() -> None:
    from benchmarks.training import HELD_OUT

    apart = difference(
        *(qualities(share, share, share, rows=HELD_OUT["full"]) for share in (0.90, 0.92))
    )
    assert apart["high"] is not None
    assert apart["high"] < 0
    few = difference(*(qualities(share, share, share, rows=64) for share in (0.90, 0.92)))
    assert few["high"] is not None
    assert few["high"] > 0


def test_seeds_that_differ_widen_the_difference_and_no_rows_give_none() -> None:
    steady = difference(qualities(0.9, 0.9, rows=2000), qualities(0.9, 0.9, rows=2000))
    shaken = difference(qualities(0.8, 1.0, rows=2000), qualities(0.9, 0.9, rows=2000))
    assert steady["high"] is not None
    assert shaken["high"] is not None
    assert shaken["high"] > 3 * steady["high"]
    assert difference(qualities(0.9, rows=0), qualities(0.8, rows=0))["low"] is None


def test_the_interval_is_students() -> None:
    found = interval([0.4, 0.5, 0.6])
    assert (found["low"], found["high"]) == pytest.approx((0.5 - 0.2484, 0.5 + 0.2484), abs=1e-4)
    assert interval([0.5])["low"] is None


def test_results_are_merged_by_case_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "results" / "toy.json"
    results.merge(path, MACHINE, {"a": figures(), "b": figures()})
    results.merge(path, MACHINE, {"a": figures(mode="quick")})
    results.merge(path, {**MACHINE, "cores": 4}, {"a": figures(date="2031-01-01")})
    content = json.loads(path.read_text())
    assert content["machine"]["cores"] == 4
    assert set(content["cases"]) == {"a", "b"}
    assert content["cases"]["a"]["full"]["date"] == "2031-01-01"
    assert content["cases"]["a"]["quick"]["date"] == "2030-01-01"


def test_the_table_shows_full_figures_before_quick_ones_and_a_missed_bar_too() -> None:
    cases = {
        "a": {"full": figures(), "quick": figures(mode="quick")},
        "b": {"quick": figures(mode="quick", module="first")},
    }
    table = results.table({"machine": MACHINE, "cases": cases}, ["first"])
    rows = [line for line in table.splitlines() if line.startswith("| ")][2:]
    assert [row.split(" | ")[0] for row in rows] == ["| b (quick)", "| a"]
    assert "3x (2 to 8)" in rows[1]
    assert ">= 4x: **missed**" in rows[1]
    assert "ours answer: 42" in rows[1]
    assert "100 GFLOPS in fp32" in table


def test_only_what_is_between_the_markers_changes(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{results.BEGIN}\nold\n{results.END}\nafter\n")
    for _ in range(2):
        results.rewrite(readme, {"toy": "new"})
        text = readme.read_text()
        assert text == f"before\n{results.BEGIN}\n\n### toy\n\nnew\n\n{results.END}\nafter\n"
    readme.write_text("no markers")
    with pytest.raises(ValueError, match="needs the lines"):
        results.rewrite(readme, {})
    assert readme.read_text() == "no markers"


def test_the_readme_has_its_markers() -> None:
    text = results.README.read_text(encoding="utf-8")
    assert text.index(results.BEGIN) < text.index(results.END)


def test_machines_are_named_by_processor_and_cores() -> None:
    assert (
        short_name("Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", 16)
        == "xeon-platinum-8375c-16-cores"
    )
    assert short_name("Apple M1", 1) == "apple-m1-1-core"
    assert short_name("", 2) == "processor-2-cores"


def test_two_generations_of_one_brand_are_two_machines() -> None:
    names = set()
    for family, model in ((23, 49), (25, 1), (25, 17), (26, 2)):
        text = (
            f"processor\t: 0\ncpu family\t: {family}\nmodel\t\t: {model}\nmodel name\t: AMD EPYC\n"
        )
        names.add(short_name("AMD EPYC", 2, generation_of(text)))
    assert len(names) == 4
    assert generation_of("nothing of the kind\n") == ""


def test_a_rate_is_taken_warm() -> None:
    """The first calls, in which threads start and kernels are chosen, do not count."""
    calls = []

    def work() -> None:
        calls.append(time.perf_counter())
        time.sleep(0.2 if len(calls) < 3 else 0.001)

    assert best_time(work) < 0.05
    assert len(calls) > 6
