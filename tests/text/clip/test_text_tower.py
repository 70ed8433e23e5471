"""A text tower by itself: how it reads, what it learns beside others, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, CLIPModel, CLIPTextModel

import multigraft as mg
from helpers.clip_folders import TEXTS, clip_folder, siglip_folder
from multigraft.errors import MultigraftError, WeightsError
from multigraft_text.clip.build import build
from multigraft_text.clip.configuration import find, tower_config
from multigraft_text.clip.reading import reader_spec
from multigraft_text.reader import TextReader


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_folder(tmp_path_factory.mktemp("text") / "clip")


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return siglip_folder(tmp_path_factory.mktemp("text") / "siglip")


def origin(folder: Path) -> mg.Origin:
    return mg.Origin(backbone=f"clip-text/{folder}", size="any", path=folder)


def changed(folder: Path, to: Path, **fields: Any) -> Path:
    """A copy with other fields in its config.json."""
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (to / "config.json").write_text(json.dumps({**config, **fields}))
    return to


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_it_reads_as_the_folders_own_tokenizer(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    reader = TextReader(reader_spec(origin(folder), {}))
    theirs = AutoTokenizer.from_pretrained(folder)
    for text in (*TEXTS, "red " * 60):
        row = reader.read(text)
        told = {"padding": "max_length"} if kind == "siglip" else {}
        limit = reader.spec()["max_length"]
        wanted = theirs(text, truncation=True, max_length=limit, **told)["input_ids"]
        assert row["input_ids"].tolist() == wanted
        assert row["attention_mask"].all()


def test_siglip_is_always_full(siglip: Path) -> None:
    spec = reader_spec(origin(siglip), {"places": True})
    reader = TextReader(spec)
    row = reader.read("red")
    assert spec["max_length"] == 16 and spec["full_length"]
    assert {name: len(each) for name, each in row.items() if each.ndim} == {
        "input_ids": 16,
        "attention_mask": 16,
        "places": 16,
    }
    assert row["places"][:, 2].tolist() == [0, *[-1] * 15]
    assert [len(each["input_ids"]) for each in reader.windows("red " * 40)] == [16] * 4
    with pytest.raises(MultigraftError, match=r"reader\.max_length: found 8; .*padded to 16"):
        reader_spec(origin(siglip), {"max_length": 8})


def test_scratch_is_read_as_its_kind() -> None:
    family = mg.Catalog().backbone("clip-text-tiny")[0]
    for size, first, length in (("tiny", "<|startoftext|>", None), ("siglip-tiny", None, 32)):
        config = family.sizes[size].config
        made = mg.Origin(backbone=f"clip-text-{size}", size=size, config=config)
        text = mg.Catalog().modality("text")
        assert text.fit is not None
        spec = text.fit(list(TEXTS), reader_spec(made, {"vocabulary": 300}))
        row = TextReader(spec).read("a red square")
        assert length is None or len(row["input_ids"]) == length
        names = {
            number: token for token, number in spec["tokenizer.json"]["model"]["vocab"].items()
        }
        assert first is None or names[int(row["input_ids"][0])] == first
        torch.manual_seed(0)
        features = build(made, spec)({n: torch.tensor(v)[None] for n, v in row.items()})
        assert features.pooled.shape == (1, 64)


def test_a_tower_without_its_projection_is_a_backbone_alone(clip: Path, tmp_path: Path) -> None:
    CLIPModel.from_pretrained(clip).text_model.save_pretrained(tmp_path / "bare")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "bare" / name).write_bytes((clip / name).read_bytes())
    spec = reader_spec(origin(tmp_path / "bare"), {})
    bare, whole = build(origin(tmp_path / "bare"), spec), build(origin(clip), spec)
    assert bare.shared_space is None and whole.shared_space is not None
    assert all(map(torch.equal, bare.state_dict().values(), whole.state_dict().values()))
    bare.save(tmp_path / "again", head=None, labels=())
    _, loaded = CLIPTextModel.from_pretrained(tmp_path / "again", output_loading_info=True)
    assert not loaded["missing_keys"]


def test_weights_in_torchs_format_are_tensors_alone(clip: Path, tmp_path: Path) -> None:
    older = changed(clip, tmp_path / "older")
    state = CLIPModel.from_pretrained(clip).state_dict()
    (older / "model.safetensors").unlink()
    torch.save(state, older / "pytorch_model.bin")
    spec = reader_spec(origin(older), {})
    space = build(origin(older), spec).shared_space
    assert space is not None and space.log_scale == pytest.approx(2.9)
    torch.save({**state, "logit_scale": Path}, older / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="hold more than tensors"):
        build(origin(older), spec)


def test_code_beside_weights_is_never_run(clip: Path, tmp_path: Path) -> None:
    evil = changed(
        clip, tmp_path / "evil", auto_map={"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil"}
    )
    (evil / "evil.py").write_text("raise SystemExit('ran')")
    assert build(origin(evil), reader_spec(origin(evil), {})).width == 24


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"model_type": "bert"}, "holds a 'bert'; .* needs a dual encoder"),
        ({"model_type": "siglip2"}, "pictures of any shape"),
        ({"text_config": [1]}, "its text_config is no mapping"),
        ({"text_config": {"hidden_size": 10**7}}, "a larger network is asked for"),
        ({"text_config": {"num_hidden_layers": 3, "hidden_size": 24}}, "lacks|cannot be used"),
    ],
    ids=["bert", "siglip2", "list", "large", "layers"],
)
def test_folders_of_another_kind_are_refused(
    fields: dict[str, Any], says: str, clip: Path, tmp_path: Path
) -> None:
    folder = changed(clip, tmp_path / "other", **fields)
    with pytest.raises(WeightsError, match=says):
        build(origin(folder), reader_spec(origin(clip), {}))


def test_names_and_folders_are_found() -> None:
    assert find("openai/clip-vit-base-patch32") == mg.Size(hub="openai/clip-vit-base-patch32")
    assert find("./here") == mg.Size(path=Path("here"))
    assert find("tniy") is None
    with pytest.raises(WeightsError, match="take clip-text-tiny or"):
        tower_config(mg.Origin(backbone="clip-text/openai/clip", size="any"))
