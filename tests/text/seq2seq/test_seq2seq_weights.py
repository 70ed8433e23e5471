"""Published weights of encoder-decoders: each kind opens, and writes as transformers writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import multigraft as mg
from helpers.seq2seq_runs import made_texts, rows_of, stir, trained
from multigraft.errors import MultigraftError, WeightsError
from multigraft_text.learning import fit
from multigraft_text.saving import save_tokenizer
from multigraft_text.seq2seq import records
from multigraft_text.seq2seq.build import load
from multigraft_text.seq2seq.module import EncoderDecoder, dissimilarity
from multigraft_text.seq2seq.specs import seq2seq_spec
from multigraft_text.weights import SEQ2SEQ

LANGUAGES = ("aa_XX", "bb_YY", "cc_ZZ")
STACKS = {
    f"{side}_{name}": size
    for side in ("encoder", "decoder")
    for name, size in (("layers", 2), ("attention_heads", 2), ("ffn_dim", 48))
}
T5 = {"d_kv": 16, "d_ff": 48, "num_layers": 2, "num_decoder_layers": 1, "num_heads": 2}
FREE = {"forced_bos_token_id": None, "forced_eos_token_id": None, "max_position_embeddings": 64}


def origin(folder: Path, **config: Any) -> mg.Origin:
    return mg.Origin(backbone="t5-tiny", size="tiny", config=config, path=folder, hub=None)


def tokenizer(texts: list[str], *, languages: str | None = None) -> dict[str, Any]:
    """The spec of a learned tokenizer, with a language before a text or behind it."""
    scratch = mg.Origin(
        backbone="t5-tiny", size="tiny", config=records.T5.sizes["tiny"].config, path=None, hub=None
    )
    options = {"tokenizer": "character", "vocabulary": 60, "max_length": 48}
    spec = dict(fit(texts, seq2seq_spec(scratch, options)))
    if languages is None:
        return spec
    content = json.loads(json.dumps(spec["tokenizer.json"]))
    first = 1 + max(token["id"] for token in content["added_tokens"])
    first = max(first, 1 + max(content["model"]["vocab"].values()))
    template = dict.fromkeys(("content", "single_word", "lstrip", "rstrip", "normalized"), False)
    for number, token in enumerate(LANGUAGES):
        added = {**template, "content": token, "id": first + number, "special": True}
        content["added_tokens"].append(added)
    piece = {"SpecialToken": {"id": LANGUAGES[0], "type_id": 0}}
    for side in ("single", "pair"):
        old = content["post_processor"][side]
        content["post_processor"][side] = [piece, *old] if languages == "before" else [*old, piece]
    content["post_processor"]["special_tokens"][LANGUAGES[0]] = {
        "id": LANGUAGES[0], "ids": [first], "tokens": [LANGUAGES[0]],
    }  # fmt: skip
    return {**spec, "tokenizer.json": content}


def published(kind: str, folder: Path, *, languages: str | None = None, **changed: Any) -> Any:
    """A random model of a kind, saved with a tokenizer as its authors would."""
    spec = tokenizer([*made_texts(60, seed=0), "FOX RUNS RAIN FALLS HILL"], languages=languages)
    content = spec["tokenizer.json"]
    ids = {**content["model"]["vocab"], **{t["content"]: t["id"] for t in content["added_tokens"]}}
    shape = T5 if kind in ("t5", "mt5", "umt5") else {**STACKS, **FREE}
    special = {"pad_token_id": spec["pad_id"], "eos_token_id": ids["</s>"], "bos_token_id": None}
    first = spec["pad_id"] if languages is None else ids["</s>"]
    start = {"decoder_start_token_id": first, "vocab_size": max(ids.values()) + 3}
    config = transformers.AutoConfig.for_model(
        kind, d_model=32, **{**shape, **special, **start, **changed}
    )
    model = AutoModelForSeq2SeqLM.from_config(config)
    stir(model)
    model.save_pretrained(folder)
    save_tokenizer(spec, folder, writes=False)
    return model


@pytest.mark.parametrize("kind", SEQ2SEQ)
def test_each_kind_is_read_in_steps_as_at_once(kind: str, tmp_path: Path) -> None:
    languages = "before" if kind in ("mbart", "m2m_100", "plbart") else None
    model = published(kind, tmp_path, languages=languages).eval()
    asked = {} if languages is None else {"target_language": LANGUAGES[1]}
    spec = seq2seq_spec(origin(tmp_path, **asked), {})
    module = load(origin(tmp_path, **asked), spec).eval()
    assert dissimilarity(module) < 1e-5
    assert module.writing.start[0] == model.config.decoder_start_token_id
    theirs, ours = model.state_dict(), module.model.state_dict()
    assert all("embed_positions" in name for name in theirs.keys() - ours.keys())
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def texts_of(folder: Path, texts: list[str], tokens: int) -> list[str]:
    """What transformers alone writes with a saved folder and its settings."""
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    reader = AutoTokenizer.from_pretrained(folder)
    batch = reader(texts, return_tensors="pt", padding=True)
    written = model.generate(**batch, max_new_tokens=tokens, do_sample=False, num_beams=1)
    return [text.strip() for text in reader.batch_decode(written, skip_special_tokens=True)]


@pytest.mark.parametrize(
    ("kind", "languages", "start"),
    [("t5", None, 1), ("mbart", "before", 2), ("mbart", "behind", 1)],
)
def test_finetuned_weights_are_written_with_alike_by_transformers(
    kind: str, languages: str | None, start: int, tmp_path: Path
) -> None:
    published(kind, tmp_path / "weights", languages=languages)
    sides = {"source_language": LANGUAGES[2], "target_language": LANGUAGES[1]}
    run = trained(
        tmp_path,
        "t5",
        rows_of(made_texts(40, seed=0)),
        backbone={
            "weights": str(tmp_path / "weights"),
            "prefix": "say: ",
            **(sides if languages else {}),
        },
        training={"learning_rate": 1e-5},
        reader={},
        export={"precisions": ["fp32"], "rows": 4},
    )
    backbone: Any = run.graft.backbone
    assert len(backbone.writing.start) == start
    texts, saved = made_texts(8, seed=4), run.folder / "model"
    answers = mg.load(run.export().files["bundle"]).predict(texts)
    wanted = texts_of(saved, [f"say: {text}" for text in texts], 11 + start)
    assert [answer["text"].strip() for answer in answers] == wanted
    assert wanted != texts_of(saved, texts, 11 + start), "the prefix is read"
    again = seq2seq_spec(origin(saved), {"max_length": run.reader.spec()["max_length"]})
    assert {**again, "prefix": "say: "} == run.reader.spec()


@pytest.mark.parametrize(
    ("languages", "asked", "says"),
    [
        ("before", {}, "target_language: these weights write several languages"),
        ("behind", {}, "target_language: these weights write several languages"),
        ("before", {"target_language": "bb_YX"}, "no token 'bb_YX'; did you mean 'bb_YY'"),
        ("before", {"source_language": "nowhere", "target_language": "aa_XX"}, "source_language"),
        (None, {"source_language": "FOX", "target_language": "F"}, "source_language"),
    ],
)
def test_a_language_that_the_weights_do_not_have_is_refused(
    languages: str | None, asked: dict[str, str], says: str, tmp_path: Path
) -> None:
    published("mbart", tmp_path, languages=languages)
    with pytest.raises(MultigraftError, match=says):
        seq2seq_spec(origin(tmp_path, **asked), {})


def test_a_source_language_needs_a_place_in_the_tokenizer(tmp_path: Path) -> None:
    published("mbart", tmp_path)
    with pytest.raises(MultigraftError, match="puts no language around a text"):
        seq2seq_spec(origin(tmp_path, source_language="f", target_language="f"), {})


def test_languages_are_refused_where_there_are_no_weights() -> None:
    scratch = mg.Origin(backbone="t5-tiny", size="tiny", config={"target_language": "de"})
    with pytest.raises(MultigraftError, match="target_language: is for weights"):
        seq2seq_spec(scratch, {})


@pytest.mark.parametrize(
    ("lost", "says"),
    [("model.decoder.layers.1.fc1.weight", "lacks 1 tensors"), (None, "tokenizer has ids up to")],
)
def test_weights_that_do_not_fit_are_refused(lost: str | None, says: str, tmp_path: Path) -> None:
    published("bart", tmp_path, **({} if lost else {"vocab_size": 9}))
    if lost:
        file = tmp_path / "model.safetensors"
        kept = {name: each for name, each in load_file(file).items() if name != lost}
        save_file(kept, file, metadata={"format": "pt"})
    where = origin(tmp_path)
    with pytest.raises(WeightsError, match=says):
        load(where, seq2seq_spec(where, {}))


def test_what_is_built_otherwise_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("bart", tmp_path)
    where = origin(tmp_path)
    spec = seq2seq_spec(where, {})
    scores = EncoderDecoder._scores
    monkeypatch.setattr(EncoderDecoder, "_scores", lambda self, hidden: scores(self, hidden + 0.1))
    with pytest.raises(WeightsError, match="read in steps, a BartForConditionalGeneration gives"):
        load(where, spec)


def test_an_encoder_is_named_with_the_family_that_opens_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(WeightsError, match="family 'bert' opens it"):
        seq2seq_spec(origin(tmp_path), {})
