"""A whole run in each modality opens no socket, and writes no secret anywhere."""

from __future__ import annotations

import logging
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

import multigraft as mg
from helpers.samples import TINY, WRITERS
from multigraft.cli import main
from multigraft.errors import MultigraftError

SECRET = "hf_tellnobody0123456789"
TOKENS = (
    "HF_TOKEN HUGGING_FACE_HUB_TOKEN WANDB_API_KEY AWS_SECRET_ACCESS_KEY MLFLOW_TRACKING_PASSWORD"
).split()
TRAINING = {
    "steps": 2,
    "batch_size": 8,
    "precision": "fp32",
    "workers": 0,
    "compile": "off",
    "replay": "off",
}


@dataclass
class Attempts:
    """What tried to reach a network."""

    made: list[str] = field(default_factory=list)

    def refuse(self, *where: Any, **_: Any) -> NoReturn:
        """Note it and fail: libraries that swallow the error are found all the same."""
        self.made.append(repr(where))
        raise OSError("no network here")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Attempts:
    attempts = Attempts()
    for name in ("socket", "create_connection", "getaddrinfo", "socketpair", "create_server"):
        monkeypatch.setattr(socket, name, attempts.refuse)
    return attempts


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TOKENS:
        monkeypatch.setenv(name, SECRET)


def fields(modality: str, folder: Path) -> dict[str, Any]:
    return {
        "task": f"{modality}-classification",
        "backbone": {"name": TINY[modality], "weights": "scratch"},
        "data": str(WRITERS[modality](folder, 24)),
        "reader": {"max_length": 16, "vocabulary": 60} if modality == "text" else {},
        "training": TRAINING,
        "evaluation": {"bootstrap": 0},
        "export": {"precisions": ["fp32"]},
        "output": str(folder / "run"),
    }


@pytest.mark.parametrize("modality", list(WRITERS))
def test_train_evaluate_export_and_predict_alone(
    modality: str,
    tmp_path: Path,
    no_network: Attempts,
    secrets: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    run = mg.finetune(**fields(modality, tmp_path))
    mg.open_run(run.folder).evaluate()
    bundle = Path(run.export().files["bundle"])
    row = (
        "a great day"
        if modality == "text"
        else str(next(path for path in tmp_path.rglob("*/first/*.*")))
    )
    assert mg.load(bundle).predict(row)["label"] in ("first", "second")
    assert no_network.made == []
    assert not list(leaks(tmp_path))
    assert SECRET not in caplog.text


def leaks(folder: Path) -> Iterator[Path]:
    """The files in which the secret stands."""
    return (
        path
        for path in folder.rglob("*")
        if path.is_file() and SECRET.encode() in path.read_bytes()
    )


def test_the_search_for_secrets_finds_one(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "log").write_bytes(b"\0" + SECRET.encode() + b"\xff")
    assert list(leaks(tmp_path)) == [tmp_path / "inner" / "log"]


def test_a_hub_name_is_the_one_thing_that_asks_for_a_network(
    tmp_path: Path, no_network: Attempts, secrets: None, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(WRITERS["text"](tmp_path, 24))
    wanted: dict[str, Any] = {"task": "text-classification", "data": data}
    with pytest.raises(MultigraftError, match="nobody/nothing") as caught:
        mg.finetune(**wanted, backbone={"name": "bert-tiny", "weights": "nobody/nothing"})
    assert no_network.made
    assert SECRET not in str(caught.value)
    flags = [
        "--task",
        "text-classification",
        "--backbone",
        "bert-tiny",
        "--weights",
        "nobody/nothing",
    ]
    assert main(["finetune", *flags, "--data", data, "--debug"]) == 1
    heard = capsys.readouterr()
    assert "nobody/nothing" in heard.err
    assert SECRET not in heard.out + heard.err


def test_doctor_tells_no_secret(secrets: None, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["doctor"], ["doctor", "--json"], ["plugins", "--json"], ["cache"]):
        assert main(arguments) == 0
        heard = capsys.readouterr()
        assert SECRET not in heard.out + heard.err


def test_the_cache_is_made_for_this_person_alone(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from multigraft.system import cache

    monkeypatch.setenv("MULTIGRAFT_CACHE", str(cache_folder / "deep" / "cache"))
    before = os.umask(0o022)
    try:
        with cache.new_entry("rows", "key") as folder:
            (folder / "x").touch()
    finally:
        os.umask(before)
    assert stat.S_IMODE((cache_folder / "deep" / "cache").stat().st_mode) == 0o700
    assert cache.find_entry("rows", "key")
