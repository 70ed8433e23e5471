"""Encoders and decoders of transformers by their own names, against transformers itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    CONFIG_MAPPING,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
)

import multigraft as mg
import multigraft_text as text
from helpers.text_toys import LABELS
from helpers.transformers_toys import (
    PROMPTS,
    asked,
    greedy,
    grow,
    inputs_of,
    stock,
    until,
    writing,
)
from helpers.writing_toys import TorchSession
from multigraft.errors import MultigraftError, UnknownName, WeightsError
from multigraft.export.generation.decoder_graph import export_decoder, open_writer, ports_of
from multigraft.runtime.generation.generator import Generator
from multigraft_text.architectures import direction
from multigraft_text.causal import CausalLanguageModeling
from multigraft_text.masked import masked_head
from multigraft_text.specs import OFFSET_POSITIONS, positions

DEBERTA_V3 = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_buckets": 16,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "position_biased_input": False,
    "type_vocab_size": 0,
}
ENCODERS: dict[str, dict[str, Any]] = {
    "roberta": {"type_vocab_size": 1},
    "mpnet": {},
    "albert": {"embedding_size": 32},
    "deberta-v2": DEBERTA_V3,
    "electra": {"embedding_size": 32},
    "distilbert": {},
    "nomic_bert": {},
    "roformer": {},
}
DECODERS: dict[str, dict[str, Any]] = {
    "llama": {},  # an output matrix of its own, grouped heads, rotary positions
    "mistral": {"sliding_window": 5},
    "qwen2": {
        "use_sliding_window": True,
        "sliding_window": 5,
        "layer_types": ["full_attention", "sliding_attention"],
        "tie_word_embeddings": True,
    },
    "gemma2": {"final_logit_softcapping": 3.0, "sliding_window": 5},
    "bloom": {},  # no position ids
    "opt": {},  # its layers lie in a decoder of its base
    "modernbert-decoder": {"local_attention": 12},  # a layer between its base and its classifier
}
RAWS = ["The fox runs over the hill.", "Rain.", ("A cook tastes.", "It is good.")]
CLOSE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5}


@torch.no_grad()
@pytest.mark.parametrize("kind", [*ENCODERS, *DECODERS])
def test_features_are_what_the_classifier_reads_and_saved_folders_open(
    kind: str, tmp_path: Path
) -> None:
    model = stock(
        kind, tmp_path / "stock", AutoModelForSequenceClassification, **(ENCODERS | DECODERS)[kind]
    )
    opened = grow(asked(str(tmp_path / "stock")))
    linear: Any = model.get_submodule(opened.module.linear)
    for raw in RAWS if kind in DECODERS else [RAWS]:
        batch = opened.batch([raw] if kind in DECODERS else raw)
        wanted = model(**inputs_of(opened.module, batch)).logits
        torch.testing.assert_close(linear(opened.module(batch).pooled), wanted, **CLOSE)
    opened.module.save(tmp_path / "again", head=linear, labels=LABELS)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "again")
    assert all(
        torch.equal(tensor, again.state_dict()[name]) for name, tensor in model.state_dict().items()
    )
    assert again.config.id2label == dict(enumerate(LABELS))


@torch.no_grad()
@pytest.mark.parametrize("kind", ["mpnet", "llama"])
def test_a_saved_tagger_opens_in_transformers(kind: str, tmp_path: Path) -> None:
    module: Any = grow(asked(f"{kind}-tiny")).module
    head = nn.Linear(module.width, 3)
    module.save_sequence(tmp_path, head=head, labels=["O", "B-x", "I-x"])
    again = AutoModelForTokenClassification.from_pretrained(tmp_path)
    batch = grow(asked(f"{kind}-tiny")).batch(RAWS)
    real = batch["attention_mask"].bool()
    wanted = again(**inputs_of(module, batch)).logits
    torch.testing.assert_close(head(module(batch).sequence)[real], wanted[real], **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("kind", ENCODERS)
def test_a_masked_head_scores_as_transformers_does(kind: str, tmp_path: Path) -> None:
    model = stock(kind, tmp_path, AutoModelForMaskedLM, **ENCODERS[kind])
    opened = grow(asked(str(tmp_path)))
    head, batch = masked_head(opened.module).eval(), opened.batch(RAWS)
    real = batch["attention_mask"].bool()
    labels = torch.where(real, batch["input_ids"], -100)
    found = head(opened.module(batch), {**batch, "labels": labels})["logits"]
    wanted = model(**inputs_of(opened.module, batch)).logits[real]
    torch.testing.assert_close(found, wanted, **CLOSE)


def test_a_masked_head_shares_the_token_embeddings() -> None:
    module: Any = grow(asked("mpnet-tiny")).module
    head = masked_head(module)
    shared = {id(each) for each in head.parameters()} & {id(each) for each in module.parameters()}
    assert not shared
    assert not any(each.numel() == module.embedding.weight.numel() for each in head.parameters())
    hidden = torch.randn(3, module.width)
    (gradient,) = torch.autograd.grad(head.scorer(hidden).sum(), module.embedding.weight)  # type: ignore[operator, union-attr]
    assert gradient.abs().sum() > 0


@torch.no_grad()
@pytest.mark.parametrize("kind", DECODERS)
def test_a_causal_head_scores_and_is_saved_as_transformers_does(kind: str, tmp_path: Path) -> None:
    model = stock(kind, tmp_path / "stock", AutoModelForCausalLM, **DECODERS[kind])
    opened = grow(asked(str(tmp_path / "stock")))
    head, batch = CausalLanguageModeling(opened.brief()).head().eval(), opened.batch(RAWS[:1])
    wanted = model(**inputs_of(opened.module, batch)).logits
    found = head(opened.module(batch), batch)["logits"]
    torch.testing.assert_close(found, wanted[0, :-1], **CLOSE)
    opened.module.save(tmp_path / "again", head=None, labels=())
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "again").eval()
    torch.testing.assert_close(again(**inputs_of(opened.module, batch)).logits, wanted, **CLOSE)


@pytest.mark.parametrize("kind", DECODERS)
def test_steps_with_a_cache_write_as_transformers_does(kind: str, tmp_path: Path) -> None:
    model, opened, generating = writing(kind, tmp_path, **DECODERS[kind])
    session = TorchSession(generating)
    ports = ports_of(generating, session.inputs)
    generator = Generator(ports, opened.reader, {"decoder": session})  # type: ignore[arg-type, dict-item]
    found = [answer["tokens"] for answer in generator.generate(PROMPTS, max_new_tokens=20)]
    stop = generating.writing.stop
    assert found == [until(greedy(model, opened, prompt), stop) for prompt in PROMPTS]
    assert kind == "bloom" or len({tuple(tokens) for tokens in found}) > 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", DECODERS)
def test_an_exported_decoder_writes_as_transformers_does(kind: str, tmp_path: Path) -> None:
    model, opened, generating = writing(kind, tmp_path, **DECODERS[kind])
    export_decoder(generating, {}, tmp_path / "decoder.onnx", opset=20)
    writer = open_writer(generating, {"decoder": tmp_path / "decoder.onnx"}, opened.reader)
    stop = generating.writing.stop
    wanted = [until(greedy(model, opened, prompt), stop) for prompt in PROMPTS]
    assert [each["tokens"] for each in writer.generate(PROMPTS, max_new_tokens=20)] == wanted


def test_positions_that_begin_behind_the_padding_are_known() -> None:
    """Of every encoder that can be built tiny, by the position table that it has."""
    seen = 0
    kinds = (
        MODEL_FOR_MASKED_LM_MAPPING_NAMES.keys() & MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES
    )
    for kind in sorted(kinds):
        try:
            config = asked(f"{kind}-tiny").config
            model = _on_meta(config["model_type"])
        except MultigraftError:
            continue
        except Exception as error:  # a type whose default shape asks for other numbers
            assert kind not in OFFSET_POSITIONS, (kind, error)
            continue
        tables = [
            module
            for name, module in model.named_modules()
            if isinstance(module, nn.Embedding) and "position" in name
        ]
        offset = any(table.padding_idx is not None for table in tables)
        assert offset == (kind in OFFSET_POSITIONS), kind
        seen += offset
    assert seen >= 8


def _on_meta(kind: str) -> Any:
    with torch.device("meta"):
        return AutoModel.from_config(
            CONFIG_MAPPING[kind](num_hidden_layers=1, pad_token_id=1, vocab_size=50)
        )


def test_a_model_that_counts_from_its_padding_has_fewer_positions() -> None:
    spec = text.TRANSFORMERS.reader(asked("mpnet-tiny"), {})
    assert spec["max_length"] == 127  # 128 rows, the padding's is no position
    assert positions(CONFIG_MAPPING["bloom"]()) == 2**20


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("t5", "is an encoder-decoder"),
        ("vit", "has no sequence classifier"),
        ("rt_detr", "finds objects in pictures; .* named 'detr/<type>'"),
        ("wav2vec2", "no text backbone"),
        ("layoutlm", "where words stand on a page"),
        ("longformer", "attends to the first token otherwise"),
        ("xlnet", "permuted"),
        ("granite", "has no sequence classifier"),
        ("robrta", r"did you mean 'roberta'\?.*remote code"),
    ],
)
def test_what_cannot_serve_is_refused_with_the_reason(kind: str, reason: str) -> None:
    with pytest.raises(UnknownName, match=reason):
        asked(kind)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("fnet", "depend on padding"),
        ("funnel", "positions as"),
        ("xlm", "no modules of their own"),
        ("xmod", "set_default_language"),
    ],
)
def test_what_shows_only_in_a_step_is_refused_too(kind: str, reason: str) -> None:
    with pytest.raises(WeightsError, match=reason):
        grow(asked(f"{kind}-tiny"))


def test_a_folder_of_another_kind_is_refused_with_the_reason(tmp_path: Path) -> None:
    for raw, reason in (
        ({"model_type": "t5"}, "encoder-decoder"),
        ({"model_type": "mycode", "auto_map": {"AutoModel": "m.M"}}, "remote code"),
        ({"model_type": "roberta", "is_decoder": True}, "from left to right"),
        ({}, "no model type"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(raw))
        with pytest.raises(WeightsError, match=reason):
            text.TRANSFORMERS.reader(asked(str(tmp_path)), {})


def test_a_type_that_is_like_none_is_told_of_a_few() -> None:
    for kind, says in (("rober", "did you mean 'roberta'"), ("xyzzy", "known are bert, roberta")):
        with pytest.raises(UnknownName, match=says) as error:
            asked(kind)
        assert len(str(error.value)) < 500


def test_a_setting_of_another_kind_is_named_with_what_it_should_be() -> None:
    with pytest.raises(MultigraftError, match=r"hidden_size': .*expected int, got str"):
        grow(asked("roberta-tiny", config={"hidden_size": "x"}))


def test_weights_are_a_folder_a_run_or_a_name_on_the_hub(tmp_path: Path) -> None:
    assert asked("FacebookAI/roberta-base").hub == "FacebookAI/roberta-base"
    assert asked(str(tmp_path)).path == tmp_path
    (tmp_path / "model").mkdir()
    assert asked(str(tmp_path)).path == tmp_path / "model"
    assert asked("roberta").scratch
    assert text.TRANSFORMERS.find is not None
    assert text.TRANSFORMERS.find("a/b/c") is None


def test_settings_are_of_a_network_without_weights(tmp_path: Path) -> None:
    module: Any = grow(asked("roberta-tiny", config={"num_hidden_layers": 3}, dropout=0.0)).module
    assert len(module.blocks) == 4
    assert module.model.config.hidden_dropout_prob == 0.0
    with pytest.raises(WeightsError, match="from left to right"):
        grow(asked("bert-tiny", config={"is_decoder": True}))
    with pytest.raises(MultigraftError, match=r"no setting 'num_hiden_layers'; did you mean"):
        grow(asked("roberta-tiny", config={"num_hiden_layers": 3}))
    with pytest.raises(WeightsError, match=r"without layers \(num_hidden_layers: 0\)"):
        grow(asked("qwen3-tiny", config={"num_hidden_layers": 0}))
    module.save(tmp_path, head=None, labels=())
    with pytest.raises(MultigraftError, match="without weights"):
        grow(asked(str(tmp_path), config={"num_hidden_layers": 3}))
    with pytest.raises(WeightsError, match="name its type"):
        scratch = mg.Origin(backbone="transformers/a/b", size="a/b")
        text.TRANSFORMERS.reader(scratch, {})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mpnet", "deberta-v2"])
def test_a_folder_by_its_name_is_finetuned_exported_and_answers(kind: str, tmp_path: Path) -> None:
    stock(kind, tmp_path / "stock", AutoModelForMaskedLM, **ENCODERS[kind])
    rows = [
        {"text": f"{one} {number}", "label": label}
        for number in range(24)
        for one, label in (("the fox runs", "fox"), ("rain falls on the hill", "rain"))
    ]
    table = tmp_path / "rows.jsonl"
    table.write_text("\n".join(map(json.dumps, rows)))
    run = mg.finetune(
        task="text-classification",
        backbone=f"transformers/{tmp_path / 'stock'}",
        data={"train": str(table), "leakage": {"near": "off"}},
        training={"epochs": 2, "batch_size": 8, "learning_rate": 1e-3},
        output=str(tmp_path / "run"),
    )
    run.export()
    stocked = AutoModelForSequenceClassification.from_pretrained(run.folder / "model").eval()
    predictor: Any = mg.load(run.folder / "bundle", precision="fp32")
    reader: Any = run.reader
    for row in rows[:4]:
        arrays = {
            name: torch.from_numpy(each)[None] for name, each in reader.read(row["text"]).items()
        }
        with torch.no_grad():
            wanted = stocked(**arrays).logits.softmax(-1)[0].max()
        answer = predictor.predict(row["text"])
        np.testing.assert_allclose(answer["score"], float(wanted), atol=1e-4)
    assert direction(kind) == "encoder"
