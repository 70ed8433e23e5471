"""Pooling of tokens, and what folders say of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from multigraft import Features
from multigraft.errors import WeightsError
from multigraft_text.options import POOLINGS as NAMES
from multigraft_text.sentence_pooling import POOLINGS, folder_pooling, pooling_config
from multigraft_text.similarity.head import EmbeddingHead

SEQUENCE = torch.tensor([[[1.0, 4.0], [3.0, 2.0], [9.0, 9.0]], [[5.0, 5.0]] * 3])
MASK = torch.tensor([[True, True, False], [False, False, False]])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("mean", [2, 3]), ("cls", [1, 4]), ("max", [3, 4]), ("lasttoken", [3, 2])],
)
def test_a_pooling_reads_no_padding(name: str, wanted: list[float]) -> None:
    found = POOLINGS[name](SEQUENCE, MASK)
    assert found[0].tolist() == wanted
    assert torch.isfinite(found).all(), "a row of padding alone is a number"


def test_the_recipe_and_the_folder_know_the_same() -> None:
    assert set(NAMES) == set(POOLINGS)


def test_an_embedding_has_unit_length() -> None:
    features = Features(pooled=SEQUENCE[:, 0], sequence=SEQUENCE, mask=MASK)
    found = EmbeddingHead("mean")(features, {})["embedding"]
    assert found.norm(dim=1).tolist() == pytest.approx([1.0, 0.0])


def said(folder: Path, content: Any) -> Path:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(
        content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
    )
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_again(name: str, tmp_path: Path) -> None:
    assert folder_pooling(said(tmp_path, pooling_config(name, 8))) == name


def test_a_folder_may_say_nothing_of_pooling(tmp_path: Path) -> None:
    assert folder_pooling(None) is folder_pooling(tmp_path) is None


def test_the_newer_form_is_read(tmp_path: Path) -> None:
    assert folder_pooling(said(tmp_path, {"pooling_mode": "cls"})) == "cls"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"pooling_mode_weightedmean_tokens": True}, "pools by pooling_mode_weightedmean_tokens"),
        (
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
            "pools by cls and mean",
        ),
        ({}, "pools by nothing"),
        ("{", "cannot be read"),
        ([1], "cannot be read"),
    ],
)
def test_a_pooling_that_is_unknown_is_refused(content: Any, why: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=why):
        folder_pooling(said(tmp_path, content))
