"""Users without a home, and cache folders that are not theirs: work goes on without a cache, and
says so."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
from helpers.samples import write_images
from multigraft.cli import main
from multigraft.errors import MultigraftError
from multigraft.system import cache

TRAINING = {"steps": 2, "batch_size": 8, "precision": "fp32", "workers": 0, "compile": "off"}
WHY = {
    "no home": "has no home folder",
    "another's": "belongs to another user",
    "unreadable": "may not be read by this user",
    "no folder": "Not a directory",
    "unwritable": None,
}


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Become a user whose cache cannot be used, for one of the reasons."""

    def become(why: str) -> None:
        for name in ("MULTIGRAFT_CACHE", "XDG_CACHE_HOME", "HOME", "TORCHINDUCTOR_CACHE_DIR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(cache, "_told", set())
        (tmp_path / ".cache" / "multigraft").mkdir(parents=True)
        if why == "no home":
            monkeypatch.setattr(pwd, "getpwuid", _nobody)
        elif why == "another's":
            monkeypatch.setenv("HOME", str(tmp_path))
            stranger = os.geteuid() + 1
            monkeypatch.setattr(os, "geteuid", lambda: stranger)
        elif why == "unreadable":
            monkeypatch.setenv("MULTIGRAFT_CACHE", str(tmp_path / ".cache" / "multigraft"))
            monkeypatch.setattr(cache.os, "access", lambda *_: False)
        else:
            place = "/dev/null/cache" if why == "no folder" else "/proc/self/cache"
            monkeypatch.setenv("MULTIGRAFT_CACHE", place)

    return become


def _nobody(number: int) -> Any:
    raise KeyError(f"getpwuid(): uid not found: {number}")


@pytest.mark.parametrize("why", WHY)
def test_a_run_goes_on_without_a_cache(
    why: str,
    user: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = write_images(tmp_path / "data", 16)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    user(why)
    run = mg.finetune(
        task="image-classification",
        backbone={"name": "resnet-tiny", "weights": "scratch"},
        strategy="linear-probe",
        data=str(data),
        training=TRAINING,
        evaluation={"bootstrap": 0},
        output=tmp_path / "run",
    )
    run.evaluate()
    assert not list((tmp_path / ".cache" / "multigraft").iterdir())
    assert not list((tmp_path / "here").iterdir()), "a folder named ~"
    told = [
        record.message for record in caplog.records if "going on without a cache" in record.message
    ]
    assert [WHY[why] in line for line in told] == ([True] if WHY[why] else [])


@pytest.mark.parametrize("why", WHY)
def test_the_command_says_that_there_is_none(
    why: str, user: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    user(why)
    for more in ([], ["--json"], ["--clear"]):
        assert main(["cache", *more]) == 0
    said = capsys.readouterr().out
    assert "Traceback" not in said
    assert ("there is no cache" in said) == (WHY[why] is not None)


def test_a_folder_of_others_is_used_where_the_person_names_it(
    user: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    user("another's")
    assert cache.cache_folder() == cache.NOWHERE
    monkeypatch.setenv("MULTIGRAFT_CACHE", str(tmp_path / ".cache" / "multigraft"))
    assert cache.cache_folder() == tmp_path / ".cache" / "multigraft"


@pytest.mark.parametrize(
    "changed",
    [
        {"data": "~nobody-of-that-name/rows.csv"},
        {"backbone": {"name": "bert-tiny", "weights": "~nobody-of-that-name/weights"}},
    ],
)
def test_the_home_of_nobody_is_a_path_that_is_not_there(
    changed: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("text,label\n" + "a,x\nb,y\n" * 8)
    fields: dict[str, Any] = {
        "task": "text-classification",
        "backbone": "bert-tiny",
        "data": str(tmp_path / "rows.csv"),
        "output": str(tmp_path / "run"),
    }
    with pytest.raises(MultigraftError, match="~nobody-of-that-name"):
        mg.finetune(**{**fields, **changed})
