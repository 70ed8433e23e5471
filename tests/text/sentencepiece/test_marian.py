"""Marian's two SentencePiece files give the ids of transformers' own tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import MarianConfig, MarianMTModel, MarianTokenizer

import multigraft as mg
from multigraft.errors import WeightsError
from multigraft_text.reader import TextReader
from multigraft_text.seq2seq.build import load
from multigraft_text.seq2seq.specs import seq2seq_spec
from multigraft_text.seq2seq.targets import TargetReader, frame_of


def origin(folder: Path) -> mg.Origin:
    return mg.Origin(backbone="marian-tiny", size="tiny", config={}, path=folder, hub=None)


@pytest.fixture
def folder(tmp_path: Path, train: Any) -> Path:
    """Random weights with a file of each language, whose pieces share one vocabulary."""
    marks = {"bos_id": -1, "unk_id": 1, "eos_id": 0}
    sides = [train(**marks), train(**marks, every=3, vocab_size=300)]
    for side, model in zip(("source", "target"), sides, strict=True):
        (tmp_path / f"{side}.spm").write_bytes(model.serialized_model_proto())
    pieces = {model.id_to_piece(each) for model in sides for each in range(len(model))}
    ordered = ["</s>", "<unk>", ">>por<<", *sorted(pieces - {"</s>", "<unk>"}), "<pad>"]
    ids = {piece: number for number, piece in enumerate(ordered)}
    (tmp_path / "vocab.json").write_text(json.dumps(ids))
    shape = {
        "d_model": 16,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "max_position_embeddings": 512,
    }
    heads = {f"{side}_attention_heads": 2 for side in ("encoder", "decoder")}
    inner = {f"{side}_ffn_dim": 16 for side in ("encoder", "decoder")}
    pad = len(ids) - 1
    special = {"pad_token_id": pad, "eos_token_id": 0, "decoder_start_token_id": pad}
    model = MarianMTModel(MarianConfig(vocab_size=len(ids), **shape, **heads, **inner, **special))
    model.save_pretrained(tmp_path)
    return tmp_path


def test_both_sides_have_the_ids_of_the_slow_tokenizer(folder: Path, texts: list[str]) -> None:
    slow = MarianTokenizer.from_pretrained(folder)
    spec = seq2seq_spec(origin(folder), {"max_length": 512})
    source, target = TextReader(spec), TargetReader(spec, end=frame_of(spec)[1][0])
    assert len(texts) > 500
    for text in [*texts, "\u0142\u0142 of \u0142"]:
        assert source.read(text)["input_ids"].tolist() == slow(text).input_ids, text
        wanted = slow(text_target=text).input_ids
        found = target.read(text)
        # the same pieces in another order are as probable: |-- and --| of three signs
        assert found == wanted or sorted(found) == sorted(wanted), text
        assert source.text(wanted).strip() == slow.decode(wanted, skip_special_tokens=True), text
    asked = ">>por<< the run"
    assert source.read(asked)["input_ids"].tolist() == slow(asked).input_ids
    other = sum(slow(text).input_ids != slow(text_target=text).input_ids for text in texts)
    assert other > len(texts) / 2, "each side has a file of its own"


def test_a_saved_folder_keeps_both(folder: Path, tmp_path: Path) -> None:
    spec = seq2seq_spec(origin(folder), {})
    module = load(origin(folder), spec)
    saved = tmp_path / "saved"
    module.save(saved, head=None, labels=())
    again = seq2seq_spec(origin(saved), {})
    assert again["writes"] == spec["writes"] and "tokenizer.json" in spec["writes"]
    assert again["tokenizer.json"] == spec["tokenizer.json"]
    opened = load(origin(saved), again)
    for name, tensor in module.state_dict().items():
        assert torch.equal(opened.state_dict()[name], tensor), name
    theirs = transformers.AutoTokenizer.from_pretrained(saved)
    assert theirs("the run").input_ids == TextReader(spec).read("the run")["input_ids"].tolist()


def test_one_file_for_both_sides_is_converted_once(folder: Path) -> None:
    (folder / "target.spm").write_bytes((folder / "source.spm").read_bytes())
    assert "tokenizer.json" not in seq2seq_spec(origin(folder), {})["writes"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda ids: ids.pop("\u2581the"), "of its pieces, as '\u2581the', are not in vocab.json"),
        (lambda ids: ids.pop("<pad>"), "are not among its tokens"),
        (lambda ids: ids.update({"<pad>": 0}), "each once"),
    ],
    ids=["a piece", "padding", "an id twice"],
)
def test_a_vocabulary_that_does_not_fit_is_refused(change: Any, says: str, folder: Path) -> None:
    ids = json.loads((folder / "vocab.json").read_text())
    change(ids)
    if says.startswith("of its"):  # the ids stay whole numbers from 0 on
        ids = {token: number for number, token in enumerate(ids)}
    (folder / "vocab.json").write_text(json.dumps(ids))
    with pytest.raises(WeightsError, match=says):
        seq2seq_spec(origin(folder), {})


def test_a_vocabulary_for_each_side_is_refused(folder: Path) -> None:
    (folder / "target_vocab.json").write_text("{}")
    with pytest.raises(WeightsError, match="one for both is needed"):
        seq2seq_spec(origin(folder), {})
