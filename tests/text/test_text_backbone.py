from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import transformers
from safetensors.torch import load_file
from torch import nn

import multigraft_text as text
from helpers.text_toys import DECODERS, ENCODERS, LABELS, SHAPE, Grown, origin, relative
from multigraft import BackboneModule, MultigraftError
from multigraft.contracts.plan import block_of
from multigraft.errors import WeightsError
from multigraft.models.graft import Graft
from multigraft_text.options import POOLINGS
from multigraft_text.reader import TextReader
from multigraft_text.sentence_pooling import POOLINGS as POOLED

RAWS = ["The fox runs over the hill.", "Rain.", ("A cook tastes.", "It is good.")]


def head_for(grown: Grown) -> nn.Linear:
    torch.manual_seed(1)
    return nn.Linear(grown.module.width, len(LABELS), bias=grown.module.head_bias)


def same_state(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[name], theirs[name]) for name in ours
    )


@torch.no_grad()
def test_features_are_those_of_transformers(bert: Grown, gpt: Grown, tmp_path: Path) -> None:
    for grown in (bert, gpt):
        folder = tmp_path / grown.family.name
        grown.module.save(folder, head=None, labels=())
        stock, batch = transformers.AutoModel.from_pretrained(folder).eval(), grown.batch(RAWS)
        theirs, features = stock(**batch), grown.module(batch)
        torch.testing.assert_close(features.sequence, theirs.last_hidden_state, rtol=0, atol=0)
        if grown is bert:
            torch.testing.assert_close(features.pooled, theirs.pooler_output, rtol=0, atol=0)
        assert torch.equal(features.mask, batch["attention_mask"].bool())


def test_it_is_a_backbone(grown: Grown) -> None:
    assert isinstance(grown.module, BackboneModule)
    names = [type(block).__name__ for block in grown.module.blocks]
    assert names in (
        ["BertEmbeddings", "BertLayer", "BertLayer"],
        ["Embedding", "GPT2Block", "GPT2Block"],
    )
    assert grown.module.width == 64


def test_every_parameter_goes_with_a_block_or_the_end(grown: Grown) -> None:
    blocks = block_of(Graft(grown.module, nn.Identity()))
    after = {name.removeprefix("backbone.model.") for name, block in blocks.items() if block == 3}
    assert set(blocks.values()) == {0, 1, 2, 3}
    assert (
        after
        == {
            "bert": {"bert.pooler.dense.weight", "bert.pooler.dense.bias"},
            "gpt": {"transformer.ln_f.weight", "transformer.ln_f.bias"},
        }[grown.family.name]
    )


@torch.no_grad()
def test_gpt_pools_the_last_real_token(gpt: Grown) -> None:
    batch = gpt.batch(RAWS)
    features = gpt.module(batch)
    lengths = [len(gpt.reader.read(raw)["input_ids"]) for raw in RAWS]
    expected = torch.stack(
        [row[length - 1] for row, length in zip(features.sequence, lengths, strict=True)]
    )
    assert len(set(lengths)) > 1
    assert torch.equal(features.pooled, expected)


@torch.no_grad()
def test_a_padded_row_gives_what_it_gives_alone(grown: Grown) -> None:
    together = grown.module(grown.batch(RAWS))
    for index, raw in enumerate(RAWS):
        alone = grown.module(grown.batch([raw]))
        length = alone.sequence.shape[1]
        torch.testing.assert_close(together.pooled[index], alone.pooled[0], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(
            together.sequence[index, :length], alone.sequence[0], rtol=1e-5, atol=1e-6
        )


@torch.no_grad()
def test_a_saved_classifier_answers_alike_in_a_stock_pipeline(grown: Grown, tmp_path: Path) -> None:
    head = head_for(grown)
    grown.module.save(tmp_path, head=head, labels=LABELS)
    pipeline = transformers.pipeline("text-classification", model=str(tmp_path), top_k=None)
    texts = [raw for raw in RAWS if isinstance(raw, str)]
    ours = head(grown.module(grown.batch(texts)).pooled)
    theirs = pipeline(texts, batch_size=2, function_to_apply="none")
    for row, answers in zip(ours.tolist(), theirs, strict=True):
        by_label = {answer["label"]: answer["score"] for answer in answers}
        assert [by_label[label] for label in LABELS] == pytest.approx(row, abs=1e-5)
    assert type(pipeline.model).__name__.endswith("ForSequenceClassification")
    assert pipeline.model.config.id2label == dict(enumerate(LABELS))
    assert pipeline.tokenizer.model_max_length == grown.spec["max_length"]


@pytest.mark.parametrize("with_head", [True, False])
def test_a_saved_folder_opens_again_bit_for_bit(
    grown: Grown, with_head: bool, tmp_path: Path, reopen: Callable[..., Grown]
) -> None:
    head = head_for(grown) if with_head else None
    grown.module.save(tmp_path, head=head, labels=LABELS)
    again = reopen(grown.family, tmp_path)
    assert same_state(grown.module, again.module)
    assert again.spec == grown.spec
    assert again.module.head_bias == grown.module.head_bias
    assert grown.module.model.config.num_labels == 2  # saving changes nothing


def test_a_head_of_another_form_is_refused(gpt: Grown, tmp_path: Path) -> None:
    with pytest.raises(MultigraftError, match="without a bias"):
        gpt.module.save(tmp_path, head=nn.Linear(64, 3), labels=LABELS)


@torch.no_grad()
@pytest.mark.parametrize("kind", [*ENCODERS, *DECODERS])
def test_relatives_pool_what_their_classifiers_read(
    kind: str, bert: Grown, gpt: Grown, tmp_path: Path, reopen: Callable[..., Grown]
) -> None:
    grown = bert if kind in ENCODERS else gpt
    stock = relative(kind, grown, tmp_path)
    opened = reopen(grown.family, tmp_path)
    linear: Any = stock.get_submodule(opened.module.linear)
    batch = opened.batch(RAWS)
    torch.testing.assert_close(
        linear(opened.module(batch).pooled), stock(**batch).logits, rtol=1e-5, atol=1e-6
    )
    assert len(opened.module.blocks) == stock.config.num_hidden_layers + 1
    opened.module.save(tmp_path / "again", head=linear, labels=LABELS)
    again = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "again")
    assert same_state(stock, again)


def test_weights_without_a_pooler_are_pooled_by_their_mean(
    bert: Grown, tmp_path: Path, reopen: Callable[..., Grown], caplog: pytest.LogCaptureFixture
) -> None:
    bert.module.save(tmp_path, head=None, labels=())
    transformers.BertForMaskedLM(bert.module.model.config).save_pretrained(tmp_path)
    with caplog.at_level(logging.WARNING, "multigraft"):
        assert reopen(text.BERT, tmp_path).module.pooling == "mean"
        assert not caplog.text
        asked = origin(text.BERT, path=tmp_path, pooling="own")
        assert text.BERT.build(asked, text.BERT.reader(asked, {})).pooling == "own"
    assert "bert.pooler.dense.bias, bert.pooler.dense.weight: initialised at random" in caplog.text


@torch.no_grad()
@pytest.mark.parametrize("pooling", POOLINGS)
def test_another_pooling_is_kept_in_the_saved_folder(
    pooling: str, grown: Grown, tmp_path: Path, reopen: Callable[..., Grown]
) -> None:
    """What sentence-transformers computes from its files is what our head computes."""
    made = origin(grown.family, pooling=pooling)
    module: Any = grown.family.build(made, grown.spec).eval()
    batch, head = grown.batch(RAWS), head_for(grown)
    module.save(tmp_path, head=head, labels=LABELS)
    opened = reopen(grown.family, tmp_path)
    assert opened.module.pooling == pooling
    found = opened.module(batch)
    assert torch.equal(found.pooled, module(batch).pooled)
    assert torch.equal(found.pooled, POOLED[pooling](found.sequence, found.mask))
    kinds = [
        each["type"].rpartition(".")[2]
        for each in json.loads((tmp_path / "modules.json").read_text())
    ]
    assert kinds == ["Transformer", "Pooling", "Dense"]
    dense = load_file(tmp_path / "2_Dense" / "model.safetensors")
    logits = torch.nn.functional.linear(
        found.pooled, dense["linear.weight"], dense.get("linear.bias")
    )
    assert torch.equal(logits, head(module(batch).pooled))
    config = transformers.AutoModel.from_pretrained(tmp_path).config
    assert config.id2label == dict(enumerate(LABELS))


def test_incomplete_weights_are_refused(
    bert: Grown, tmp_path: Path, reopen: Callable[..., Grown]
) -> None:
    bert.module.save(tmp_path, head=None, labels=())
    state = {
        name: tensor
        for name, tensor in bert.module.model.bert.state_dict().items()
        if ".1." not in name
    }
    bert.module.model.bert.save_pretrained(tmp_path, state_dict=state)
    with pytest.raises(WeightsError, match="lacks 16 tensors of a BertForSequenceClassification"):
        reopen(text.BERT, tmp_path)


def test_pickled_code_in_weights_is_refused(
    bert: Grown, tmp_path: Path, reopen: Callable[..., Grown]
) -> None:
    bert.module.save(tmp_path, head=None, labels=())
    (tmp_path / "model.safetensors").unlink()
    torch.save({"weight": print}, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="more than tensors"):
        reopen(text.BERT, tmp_path)


@torch.no_grad()
def test_half_precision_weights_are_trained_and_saved_whole(
    bert: Grown, tmp_path: Path, reopen: Callable[..., Grown]
) -> None:
    bert.module.save(tmp_path, head=None, labels=())
    transformers.AutoModel.from_pretrained(tmp_path, dtype=torch.float16).save_pretrained(tmp_path)
    opened, head = reopen(text.BERT, tmp_path), head_for(bert)
    assert {parameter.dtype for parameter in opened.module.parameters()} == {torch.float32}
    opened.module.save(tmp_path, head=head, labels=LABELS)
    stock = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    batch = opened.batch(RAWS)
    torch.testing.assert_close(stock(**batch).logits, head(opened.module(batch).pooled))


def test_a_gpt_is_no_bert(gpt: Grown, tmp_path: Path, reopen: Callable[..., Grown]) -> None:
    gpt.module.save(tmp_path, head=None, labels=())
    with pytest.raises(
        WeightsError, match="holds a 'gpt2'; a backbone of the family 'gpt' opens it"
    ):
        reopen(text.BERT, tmp_path)


def test_a_folder_of_something_else_is_refused(
    tmp_path: Path, reopen: Callable[..., Grown]
) -> None:
    with pytest.raises(WeightsError, match=r"not a folder with a config\.json"):
        reopen(text.BERT, tmp_path)


def test_a_tokenizer_that_does_not_belong_to_the_weights_is_refused(
    bert: Grown, tmp_path: Path, reopen: Callable[..., Grown]
) -> None:
    bert.module.save(tmp_path, head=None, labels=())
    transformers.BertModel(transformers.BertConfig(**{**SHAPE, "vocab_size": 50})).save_pretrained(
        tmp_path
    )
    with pytest.raises(WeightsError, match="do not belong together"):
        reopen(text.BERT, tmp_path)


def test_offline_a_missing_hub_name_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    where = origin(text.BERT, hub="nobody/no-such-bert")
    with pytest.raises(WeightsError) as caught:
        text.BERT.reader(where, {})
    said = str(caught.value)
    assert "hf download nobody/no-such-bert --local-dir no-such-bert" in said
    assert "backbone.weights" in said


def test_options_of_a_learned_tokenizer_do_not_apply_to_weights(
    bert: Grown, tmp_path: Path
) -> None:
    bert.module.save(tmp_path, head=None, labels=())
    with pytest.raises(MultigraftError, match=r"reader\.vocabulary"):
        text.BERT.reader(origin(text.BERT, path=tmp_path), {"vocabulary": 100})


def test_older_tokenizer_files_are_read_too(
    bert: Grown, tmp_path: Path, reopen: Callable[..., Grown]
) -> None:
    bert.module.save(tmp_path, head=None, labels=())
    vocabulary = bert.spec["tokenizer.json"]["model"]["vocab"]
    (tmp_path / "vocab.txt").write_text(
        "\n".join(sorted(vocabulary, key=vocabulary.__getitem__)) + "\n"
    )
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer_config.json").unlink()
    again = reopen(text.BERT, tmp_path)
    for raw in RAWS:
        ours, theirs = bert.reader.read(raw), again.reader.read(raw)
        assert {name: array.tolist() for name, array in ours.items()} == {
            name: array.tolist() for name, array in theirs.items()
        }


def test_roberta_pads_and_counts_its_own_way(
    bert: Grown, tmp_path: Path, reopen: Callable[..., Grown]
) -> None:
    stock = relative("roberta", bert, tmp_path)
    # 140 rows, of which those up to the pad's are unused
    with pytest.raises(MultigraftError, match="at most 139"):
        text.BERT.reader(origin(text.BERT, path=tmp_path), {"max_length": 140})
    spec = text.BERT.reader(origin(text.BERT, path=tmp_path), {"max_length": 139})
    reader = TextReader(spec)
    row = reader.read("fox " * 200)
    assert reader.fills["input_ids"] == stock.config.pad_token_id
    assert "token_type_ids" not in row
    # raises where out of range
    stock(**{name: torch.from_numpy(array)[None] for name, array in row.items()})


class Served(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, **batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.module(batch)
        return features.pooled, features.sequence


def test_the_exported_graph_agrees_at_other_shapes(grown: Grown, tmp_path: Path) -> None:
    sample = grown.batch(RAWS[:2])
    file = tmp_path / "model.onnx"
    torch.onnx.export(
        Served(grown.module).eval(),
        kwargs=sample,
        f=str(file),
        input_names=list(sample),
        output_names=["pooled", "sequence"],
        dynamic_shapes={"batch": {name: {0: "batch", 1: "length"} for name in sample}},
        opset_version=20,
        dynamo=True,
        verbose=False,
    )
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for raws in (RAWS, [RAWS[0] * 4], [RAWS[1]] * 5):
        batch = grown.batch(raws)
        pooled, sequence = session.run(
            None, {name: tensor.numpy() for name, tensor in batch.items()}
        )
        with torch.no_grad():
            features = grown.module(batch)
        np.testing.assert_allclose(pooled, features.pooled.numpy(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(sequence, features.sequence.numpy(), rtol=1e-4, atol=1e-5)
