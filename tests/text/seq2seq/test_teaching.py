"""Teacher forcing: what the decoder is fed, and what its loss is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn import functional as F

import multigraft_text as text
from helpers.seq2seq_runs import WORDS, made_texts
from helpers.text_toys import Grown, grow
from multigraft.contracts.readers import collate
from multigraft.errors import MultigraftError, RecipeError, RowError
from multigraft_text.seq2seq import records
from multigraft_text.seq2seq.rows import translation_rows
from multigraft_text.seq2seq.teaching import TextToText

OPTIONS = {
    "max_target_length": 20,
    "label_smoothing": 0.0,
    "beams": 1,
    "length_penalty": 1.0,
    "no_repeat_ngram": 0,
}
FAMILIES = {family.name: family for family in records.BACKBONES}


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def grown(request: pytest.FixtureRequest) -> Grown:
    return grow(FAMILIES[request.param])


def objective(grown: Grown, **options: Any) -> TextToText:
    return TextToText(grown.brief(**{**OPTIONS, **options}))


def batch_of(grown: Grown, made: TextToText) -> dict[str, torch.Tensor]:
    """Three rows whose targets have different lengths."""
    rows = []
    for source, target in zip(made_texts(3, seed=0), WORDS[:3], strict=True):
        arrays = grown.reader.read(source)
        rows.append({**arrays, **made.encode({"target": target * len(rows) or "a"}, arrays)})
    fills = {**grown.reader.fills, **made.fills}
    return {name: torch.from_numpy(array) for name, array in collate(rows, fills).items()}


def test_the_loss_is_that_of_the_models_own_forward_pass(grown: Grown) -> None:
    made = objective(grown)
    batch = batch_of(grown, made)
    outputs = made.head()(grown.module(batch), batch)
    found = made.loss(outputs, batch)
    theirs = grown.module.model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        labels=batch["labels"],
    )
    assert float(found.mean().detach()) == pytest.approx(float(theirs.loss.detach()), 1e-5)
    lengths = (batch["labels"] >= 0).sum(1)
    assert found.weight.tolist() == lengths.tolist() and len(set(lengths.tolist())) > 1


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_smoothing_spreads_a_share_over_all_tokens(grown: Grown, smoothing: float) -> None:
    made = objective(grown, label_smoothing=smoothing)
    batch = batch_of(grown, made)
    outputs = made.head()(grown.module(batch), batch)
    likely = F.log_softmax(outputs["logits"], -1)
    real = batch["labels"] >= 0
    right = likely.gather(-1, batch["labels"].clamp(min=0)[..., None])[..., 0]
    each = -(1 - smoothing) * right - smoothing * likely.mean(-1)
    loss = made.loss(outputs, batch)
    torch.testing.assert_close(loss.total, (each * real).sum(1))
    kept = made.measure(outputs, batch, loss)
    torch.testing.assert_close(kept["loss"], (-right * real).sum(1), msg="measured without it")


def test_a_text_begins_as_its_decoder_does_and_ends(grown: Grown) -> None:
    made = objective(grown)
    batch = batch_of(grown, made)
    tokens, real = made.feed(batch)
    first = made.writing.start
    assert tokens[:, : len(first)].tolist() == [list(first)] * 3
    for number, labels in enumerate(batch["labels"].tolist()):
        wanted = [label for label in labels if label >= 0]
        assert wanted[-1:] == list(made.writing.stop)
        length = len(first) + len(wanted) - 1
        assert tokens[number, len(first) : length].tolist() == wanted[:-1]
        assert real[number].tolist() == [1] * length + [0] * (real.shape[1] - length)


@pytest.mark.parametrize(
    ("target", "says"),
    [("", "empty"), (" \n", "empty"), (3, "text"), (None, "text"), ("fox " * 40, "at most 20 are")],
)
def test_what_cannot_be_a_target_is_refused_with_its_column(target: Any, says: str) -> None:
    grown = grow(records.T5)
    with pytest.raises(RowError, match=says) as caught:
        objective(grown).encode({"target": target}, {})
    assert caught.value.column == "target"


def test_more_tokens_than_the_decoder_holds_are_refused() -> None:
    with pytest.raises(RecipeError, match="max_target_length: found 500; the decoder holds 127"):
        objective(grow(records.BART), max_target_length=500)
    assert objective(grow(records.T5), max_target_length=500), "distances have no end"


def test_an_encoder_alone_is_refused_with_what_fits() -> None:
    says = r"needs an encoder-decoder.*no writing, remember, step; backbones that fit: t5-"
    with pytest.raises(MultigraftError, match=says):
        objective(grow(text.BERT))


def test_a_decoder_that_does_not_say_what_ends_a_text_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grown = grow(records.MARIAN)
    endless = replace(grown.module.writing, stop=())
    monkeypatch.setattr(type(grown.module), "writing", property(lambda self: endless))
    with pytest.raises(MultigraftError, match="lacks a memory, a start or a stop"):
        objective(grown)


def test_a_translations_source_is_the_text_that_is_read() -> None:
    assert translation_rows({"source": "a", "target": "b"}) == {"text": "a", "target": "b"}
    assert translation_rows({"text": "a", "target": "b"}) == {"text": "a", "target": "b"}
    with pytest.raises(RowError, match="two columns are needed: source and target; it holds en"):
        translation_rows({"en": "a"})
    with pytest.raises(RowError, match="the column source is needed; it holds en: "):
        translation_rows({"en": "a", "target": None})  # as a bundle's caller gives it
