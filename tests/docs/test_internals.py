"""What docs/internals says of the code is so: its files are there, its chains are the code's."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
from helpers.samples import write_texts

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core" / "multigraft"
INTERNALS = ROOT / "docs" / "internals"
ROOMS = sorted(path.parent.name for path in CORE.glob("*/__init__.py"))


def chain(name: str) -> list[str]:
    """The calls of a numbered list behind ``<!-- chain: name -->``."""
    text = (INTERNALS / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"<!-- chain: {name} -->\n\n(.*?)\n\n", text, re.S)
    assert found, f"no chain {name!r}"
    return re.findall(r"^\d+\. `([\w.]+)`", found[1], re.M)


def watch(monkeypatch: pytest.MonkeyPatch, owner: type, method: str) -> list[str]:
    """The calls that lead from this test to a method, once it was called, with it as the last."""
    real: Callable[..., Any] = getattr(owner, method)
    calls: list[str] = []

    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not calls:
            frames = [frame for frame, _ in traceback.walk_stack(sys._getframe(1))]
            calls.extend([*in_order(reversed(frames)), f"{owner.__name__}.{method}"])
        return real(self, *args, **kwargs)

    monkeypatch.setattr(owner, method, watched)
    return calls


def in_order(frames: Any) -> list[str]:
    """Our functions by module and name; what pluggy does in between is one call."""
    names: list[str] = []
    for frame in frames:
        module, _, rest = frame.f_globals["__name__"].partition(".")
        if module == "multigraft":
            names.append(f"{rest}.{frame.f_code.co_qualname}")
        elif module == "pluggy" and names:
            names.append("pluggy")
    return [name for name, _ in groupby(names)]


def test_from_finetune_to_the_optimizer_and_from_a_bundle_to_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime
    import torch

    step = watch(monkeypatch, torch.optim.AdamW, "step")
    run = mg.finetune(
        task="text-classification",
        backbone="bert-tiny",
        data=str(write_texts(tmp_path, 60)),
        training={"epochs": 1},
        export={"precisions": ["fp32"]},
        output=str(tmp_path / "run"),
    )
    assert step == chain("step")
    predictor = mg.load(run.export().files["bundle"])
    answer = watch(monkeypatch, onnxruntime.InferenceSession, "run")
    predictor.predict("a fine film")
    assert answer == chain("answer")


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_page(room: str) -> None:
    page = (INTERNALS / f"{room}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {room}: ")
    for part in ("**Holds**", "**May import**", "**Start reading**", "## Decisions"):
        assert part in page
    assert f"[{room}]({room}.md)" in (INTERNALS / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", sorted(INTERNALS.glob("*.md")), ids=lambda page: page.stem)
def test_the_files_that_a_page_names_are_there(page: Path) -> None:
    """``name.py`` and ``folder/`` are in the page's room, in core or at the root."""
    places = [CORE / page.stem, CORE, ROOT]
    places += [path for path in (CORE / page.stem).glob("*/") if path.is_dir()]
    named = re.findall(r"`([\w/]+\.py|[\w/]+/)`", page.read_text(encoding="utf-8"))
    in_runs = {"checkpoints/", "quarantine/", "model/", "bundle/"}
    lost = [name for name in named if not any((place / name).exists() for place in places)]
    assert set(lost) <= in_runs
