"""Lines for a log: now and then, and at once where it will be long."""

from __future__ import annotations

from multigraft.training.callbacks.stage_lines import StageLines


def lines(seconds: float, *, rows: int, total: int | None) -> list[str]:
    """What is said of so many rows that take so long each."""
    said: list[str] = []
    now = [0.0]
    stage = StageLines(said.append, lambda: now[0])
    stage.begin("explaining", total)
    for _ in range(rows):
        now[0] += seconds
        stage.advance(1)
    return said


def test_what_is_done_soon_needs_no_line() -> None:
    assert lines(1.0, rows=20, total=20) == []


def test_of_a_long_stage_the_first_row_tells_the_cost() -> None:
    assert lines(10.0, rows=4, total=20) == [
        "explaining: 1 of 20 rows, about 3 min 10 s left",
        "explaining: 4 of 20 rows, about 2 min 40 s left",
    ]


def test_without_a_total_nothing_is_foretold() -> None:
    assert lines(20.0, rows=2, total=None) == ["explaining: 2 rows"]
