from __future__ import annotations

from pathlib import Path

import pytest

from helpers.touched import ROOT, touched_by


@pytest.mark.parametrize(
    ("file", "tests"),
    [
        ("core/multigraft/runtime/predictor.py", ["tests/runtime/test_predictor.py"]),
        ("core/multigraft/runtime/session.py", ["tests/runtime"]),
        ("core/multigraft/data/checks/leakage.py", ["tests/data/checks/test_leakage.py"]),
        ("core/multigraft/engine.py", ["tests/test_engine.py"]),
        ("plugins/multigraft_text/reader.py", ["tests/text"]),
        ("docs/data.md", ["tests/docs"]),
        ("examples/text.py", ["tests/docs"]),
        ("tests/system/test_lock.py", ["tests/system/test_lock.py"]),
        ("tests/system/test_gone.py", []),
        ("LICENSE", []),
    ],
)
def test_a_change_touches_the_tests_of_its_room(file: str, tests: list[str]) -> None:
    assert touched_by([file]) == tests


def test_a_file_is_left_out_where_its_room_is_tested() -> None:
    both = ["core/multigraft/runtime/session.py", "core/multigraft/runtime/predictor.py"]
    assert touched_by(both) == ["tests/runtime"]


def test_every_room_has_tests() -> None:
    rooms = {path.parent.name for path in (ROOT / "core" / "multigraft").glob("*/__init__.py")}
    tested = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    assert rooms - {"contracts"} <= tested, "what a room promises is tried in a folder of its name"


def test_what_is_found_exists(tmp_path: Path) -> None:
    files = [str(path.relative_to(ROOT)) for path in (ROOT / "core").rglob("*.py")]
    assert all((ROOT / path).exists() for path in touched_by(files))
