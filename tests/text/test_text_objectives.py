from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import multigraft_text as text
from helpers.text_toys import DOCUMENTS, Grown
from multigraft import Catalog, MultigraftError
from multigraft.errors import DataError
from multigraft.models.graft import Graft
from multigraft.models.tasks.teacher_forcing import IGNORED
from multigraft_text.causal import CausalLanguageModeling
from multigraft_text.masked import MaskedLanguageModeling
from multigraft_text.next_sentence import NextSentencePrediction
from multigraft_text.sentences import NEXT, RANDOM, pairs, split

MASKED = {"mask_share": 0.15}
NEXT_SENTENCE = {"mask_share": 0.15, "masked_lm": True}


def prepared(grown: Grown, objective: Any, raws: list[Any]) -> dict[str, torch.Tensor]:
    arrays = {name: tensor.numpy() for name, tensor in grown.batch(raws).items()}
    ready = objective.prepare(arrays, np.random.default_rng(0))
    return {name: torch.from_numpy(array) for name, array in ready.items()}


def learned_values(module: torch.nn.Module) -> None:
    torch.manual_seed(3)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)


def stock_with(cls: Any, grown: Grown, head: dict[str, torch.Tensor]) -> Any:
    """A stock model with the weights of ``grown`` and of our head, under its own names."""
    model = cls(grown.module.model.config).eval()
    missing, unexpected = model.load_state_dict(
        {**grown.module.model.state_dict(), **head}, strict=False
    )
    model.tie_weights()
    assert all("pooler" in name for name in unexpected)
    assert all("decoder" in name or "lm_head" in name for name in missing)
    return model


def bert_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    names = {
        "dense.weight": "transform.dense.weight",
        "dense.bias": "transform.dense.bias",
        "norm.weight": "transform.LayerNorm.weight",
        "norm.bias": "transform.LayerNorm.bias",
        "decoder.bias": "bias",
    }
    return {f"cls.predictions.{names[name]}": tensor for name, tensor in state.items()}


@torch.no_grad()
def test_masked_loss_is_that_of_transformers(bert: Grown) -> None:
    objective = MaskedLanguageModeling(bert.brief(**MASKED))
    head = objective.head()
    learned_values(head)
    batch = prepared(bert, objective, DOCUMENTS)
    outputs = Graft(bert.module, head).eval()(batch)
    stock = stock_with(transformers.BertForMaskedLM, bert, bert_names(head.state_dict()))
    theirs = stock(**batch)
    torch.testing.assert_close(objective.loss(outputs, batch).mean(), theirs.loss)
    chosen = batch["labels"] != IGNORED
    torch.testing.assert_close(outputs["logits"], theirs.logits[chosen])
    kept = objective.measure(outputs, batch, objective.loss(outputs, batch))
    right = (theirs.logits.argmax(-1) == batch["labels"])[chosen].float().mean()
    metrics = objective.summarise({name: tensor.numpy() for name, tensor in kept.items()})
    assert metrics["perplexity"] == pytest.approx(math.exp(theirs.loss), rel=1e-4)
    assert metrics["masked_accuracy"] == pytest.approx(float(right))


@torch.no_grad()
def test_causal_loss_is_that_of_transformers(gpt: Grown) -> None:
    objective = CausalLanguageModeling(gpt.brief())
    batch = gpt.batch([*DOCUMENTS[:3], "Rain."])
    outputs = Graft(gpt.module, objective.head()).eval()(batch)
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, IGNORED)
    theirs = stock_with(transformers.GPT2LMHeadModel, gpt, {})(**batch, labels=labels)
    loss = objective.loss(outputs, batch)
    torch.testing.assert_close(loss.mean(), theirs.loss)
    assert loss.weight.tolist() == (batch["attention_mask"].sum(1) - 1).tolist()
    kept = objective.measure(outputs, batch, loss)
    metrics = objective.summarise({name: tensor.numpy() for name, tensor in kept.items()})
    right = (
        (theirs.logits[:, :-1].argmax(-1) == labels[:, 1:])[labels[:, 1:] != IGNORED].float().mean()
    )
    assert metrics["perplexity"] == pytest.approx(math.exp(theirs.loss), rel=1e-4)
    assert metrics["next_token_accuracy"] == pytest.approx(float(right))


@torch.no_grad()
def test_pair_loss_is_that_of_transformers(bert: Grown) -> None:
    objective = NextSentencePrediction(bert.brief(**NEXT_SENTENCE))
    head = objective.head()
    learned_values(head)
    graft = Graft(bert.module, head).eval()
    names = {
        "cls.seq_relationship.weight": head.next.weight,
        "cls.seq_relationship.bias": head.next.bias,
        **bert_names(head.masked.state_dict()),
    }
    stock = stock_with(transformers.BertForPreTraining, bert, names)
    rows = pairs([{"text": document} for document in DOCUMENTS], np.random.default_rng(0))[:6]
    batch = prepared(bert, objective, [(row["text"], row["text_pair"]) for row in rows])
    follows = [torch.from_numpy(objective.encode(row, {})["next"]) for row in rows]
    batch["next"] = torch.stack(follows)
    loss = objective.loss(graft(batch), batch)
    # theirs averages a batch's masked tokens, ours a row's: equal row by row
    for index in range(len(rows)):
        row = {name: tensor[index : index + 1] for name, tensor in batch.items()}
        following = row.pop("next")
        theirs = stock(**row, next_sentence_label=following).loss
        torch.testing.assert_close(loss.total[index], theirs, rtol=1e-4, atol=1e-4)
    assert loss.weight.tolist() == [1.0] * len(rows)


@torch.no_grad()
def test_pairs_can_be_learned_alone(bert: Grown) -> None:
    objective = NextSentencePrediction(bert.brief(**{**NEXT_SENTENCE, "masked_lm": False}))
    batch = prepared(bert, objective, [("Rain falls.", "It is wet."), ("Rain falls.", "A cook.")])
    assert "labels" not in batch
    batch["next"] = torch.tensor([NEXT, RANDOM])
    outputs = Graft(bert.module, objective.head()).eval()(batch)
    loss = objective.loss(outputs, batch)
    torch.testing.assert_close(
        loss.mean(), torch.nn.functional.cross_entropy(outputs["next"], batch["next"])
    )
    kept = objective.measure(outputs, batch, loss)
    metrics = objective.summarise({name: tensor.numpy() for name, tensor in kept.items()})
    assert set(metrics) == {"loss", "next_accuracy"}


@pytest.mark.parametrize("objective", [MaskedLanguageModeling, CausalLanguageModeling])
def test_the_tied_matrix_is_stored_once_and_learns_from_both_ends(
    objective: Any, bert: Grown, gpt: Grown
) -> None:
    grown = gpt if objective is CausalLanguageModeling else bert
    bound = objective(grown.brief(**MASKED))
    graft = Graft(grown.module, bound.head())
    matrix = grown.module.embedding.weight
    assert all(parameter is not matrix for parameter in graft.head.parameters())
    assert sum(tensor.shape == matrix.shape for tensor in graft.state_dict().values()) == 1
    moved = copy.deepcopy(graft)
    torch.nn.init.zeros_(moved.backbone.embedding.weight)
    batch = prepared(grown, bound, DOCUMENTS[:2])
    with torch.no_grad():
        logits = moved(batch)["logits"]
    # a copied graft is tied to its own embeddings: all tokens score alike
    assert logits.std(-1).max() < 1e-5
    bound.loss(graft(batch), batch).mean().backward()
    unseen = sorted(set(range(len(matrix))) - set(batch["input_ids"].flatten().tolist()))
    # these rows are reached through the decoder only
    assert (matrix.grad[unseen].abs().sum(1) > 0).all()
    graft.zero_grad()


def test_masking_has_the_shares_of_the_paper(bert: Grown) -> None:
    objective = MaskedLanguageModeling(bert.brief(**MASKED))
    masking, rng = objective.masking, np.random.default_rng(0)
    one = {name: tensor.numpy() for name, tensor in bert.batch(DOCUMENTS[:4]).items()}
    batch = {name: np.tile(array, (500, 1)) for name, array in one.items()}
    before = batch["input_ids"].copy()
    after = masking.apply(batch, rng)
    np.testing.assert_array_equal(batch["input_ids"], before)
    chosen = after["labels"] != IGNORED
    free = (batch["attention_mask"] == 1) & ~np.isin(before, masking.special)
    assert not (chosen & ~free).any()
    np.testing.assert_array_equal(after["labels"][chosen], before[chosen])
    np.testing.assert_array_equal(after["input_ids"][~chosen], before[~chosen])
    count = chosen.sum()
    assert count / free.sum() == pytest.approx(0.15, abs=0.01)
    assert (after["input_ids"][chosen] == masking.mask).sum() / count == pytest.approx(
        0.8, abs=0.015
    )
    assert (after["input_ids"][chosen] == before[chosen]).sum() / count == pytest.approx(
        0.1, abs=0.015
    )
    drawn = after["input_ids"][
        chosen & (after["input_ids"] != before) & (after["input_ids"] != masking.mask)
    ]
    assert len(np.unique(drawn)) > 0.7 * len(masking.words)
    assert not np.isin(drawn, masking.special).any()


def test_a_row_always_has_something_to_guess(bert: Grown) -> None:
    objective = MaskedLanguageModeling(bert.brief(mask_share=0.01))
    row = bert.batch(["fox"] * 50)
    batch = objective.prepare(
        {name: tensor.numpy() for name, tensor in row.items()}, np.random.default_rng(0)
    )
    assert ((batch["labels"] != IGNORED).sum(1) >= 1).all()


@torch.no_grad()
def test_a_row_with_nothing_to_guess_weighs_nothing(bert: Grown) -> None:
    objective = MaskedLanguageModeling(bert.brief(**MASKED))
    batch = prepared(bert, objective, ["\u2603"])  # unknown to the tokenizer
    loss = objective.loss(Graft(bert.module, objective.head()).eval()(batch), batch)
    assert (loss.total.item(), loss.weight.item()) == (0, 0)
    assert loss.mean() == 0


def test_the_same_generator_hides_the_same(bert: Grown) -> None:
    objective = MaskedLanguageModeling(bert.brief(**MASKED))
    one, other = (prepared(bert, objective, DOCUMENTS)["input_ids"] for _ in range(2))
    assert torch.equal(one, other)


def test_tasks_name_the_backbones_that_fit(bert: Grown, gpt: Grown) -> None:
    with pytest.raises(MultigraftError, match=r"needs an encoder.*bert-"):
        MaskedLanguageModeling(gpt.brief(**MASKED))
    with pytest.raises(MultigraftError, match=r"needs an encoder.*bert-"):
        NextSentencePrediction(gpt.brief(**NEXT_SENTENCE))
    with pytest.raises(MultigraftError, match=r"needs a decoder.*gpt-"):
        CausalLanguageModeling(bert.brief())


@torch.no_grad()
def test_a_pretrained_head_is_taken_over(
    bert: Grown, tmp_path: Path, reopen: Callable[..., Grown]
) -> None:
    bert.module.save(tmp_path, head=None, labels=())
    stock = transformers.BertForPreTraining(bert.module.model.config).eval()
    learned_values(stock)
    stock.save_pretrained(tmp_path)
    opened = reopen(text.BERT, tmp_path)
    objective = MaskedLanguageModeling(opened.brief(**MASKED))
    batch = prepared(opened, objective, DOCUMENTS[:3])
    logits = Graft(opened.module, objective.head()).eval()(batch)["logits"]
    labels = batch.pop("labels")
    torch.testing.assert_close(
        logits, stock(**batch).prediction_logits[labels != IGNORED], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("kind", ["roberta", "distilbert", "electra", "modernbert"])
@torch.no_grad()
def test_relatives_bring_their_heads(
    kind: str, bert: Grown, tmp_path: Path, reopen: Callable[..., Grown]
) -> None:
    torch.manual_seed(4)
    config = transformers.AutoConfig.for_model(
        kind,
        vocab_size=400,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=96,
        **({"dim": 64, "n_heads": 2, "n_layers": 2} if kind == "distilbert" else {}),
        type_vocab_size=1,
        pad_token_id=bert.spec["pad_id"],
    )
    bert.module.save(tmp_path, head=None, labels=())
    stock = transformers.AutoModelForMaskedLM.from_config(config).eval()
    stock.save_pretrained(tmp_path)
    opened = reopen(text.BERT, tmp_path)
    objective = MaskedLanguageModeling(opened.brief(**MASKED))
    batch = prepared(opened, objective, DOCUMENTS[:3])
    logits = Graft(opened.module, objective.head()).eval()(batch)["logits"]
    labels = batch.pop("labels")
    torch.testing.assert_close(
        logits, stock(**batch).logits[labels != IGNORED], rtol=1e-4, atol=1e-4
    )


def test_documents_become_pairs() -> None:
    rows = [
        {"text": document, "source": index} for index, document in enumerate(DOCUMENTS[:4] * 100)
    ]
    made = pairs([*rows, {"text": "Alone.", "source": -1}], np.random.default_rng(0))
    assert len(made) == sum(len(split(row["text"])) - 1 for row in rows)
    assert np.mean([row["next"] for row in made]) == pytest.approx(0.5, abs=0.05)
    for row in made:
        own = split(rows[row["source"]]["text"])
        place = own.index(row["text"])
        assert (row["text_pair"] == own[place + 1]) or row["next"] == RANDOM
    lent = {row["text_pair"] for row in made if row["next"] == RANDOM}
    assert lent == {
        sentence for document in [*DOCUMENTS[:4], "Alone."] for sentence in split(document)
    }


def test_random_sentences_come_from_another_document() -> None:
    rows = [{"text": "A one. A two. A three."}, {"text": "B one. B two."}]
    for seed in range(20):
        for row in pairs(rows, np.random.default_rng(seed)):
            assert (row["text"][0] == row["text_pair"][0]) == (row["next"] == NEXT)


def test_what_is_no_text_is_left_to_the_reader() -> None:
    rows = [{"text": None}, {"text": DOCUMENTS[0]}, {"text": DOCUMENTS[1]}]
    made = pairs(rows, np.random.default_rng(0))
    assert [row for row in made if row["text"] is None] == [{"text": None}]


@pytest.mark.parametrize("documents", [["One. Two."], ["One.", "Two."], [""]])
def test_documents_that_cannot_be_paired_are_an_error(documents: list[str]) -> None:
    with pytest.raises(DataError, match="at least two documents"):
        pairs([{"text": document} for document in documents], np.random.default_rng(0))


@pytest.mark.parametrize(
    ("document", "sentences"),
    [
        ('He said "Go!" Then he left.', ['He said "Go!"', "Then he left."]),
        ("It costs 3.50 today. Cheap!", ["It costs 3.50 today.", "Cheap!"]),
        ("A title\n\nThe text goes on", ["A title", "The text goes on"]),
        ("雨が降る。風が吹く。", ["雨が降る。", "風が吹く。"]),
    ],
)
def test_sentences_end_where_a_person_would_say(document: str, sentences: list[str]) -> None:
    assert split(document) == sentences


def test_the_plugin_is_admitted_whole() -> None:
    catalog = Catalog([text], discover=False)
    assert set(catalog.plugins[-1].brings["tasks"]) == {
        "masked-language-modeling",
        "next-sentence-prediction",
        "causal-language-modeling",
        "span-corruption",
        "denoising",
        "text-classification",
        "text-multilabel",
        "text-regression",
        "token-classification",
        "sentence-similarity",
        "question-answering",
        "text-to-text",
        "summarization",
        "translation",
    }
    families = {"bert", "gpt", "t5", "bart", "marian", "transformers", "clip-text"}
    assert {family.name for family in catalog.backbones()} == families
    assert [each.name for each in catalog.formats()][-2:] == ["conll", "squad"]
    assert catalog.modality("text").columns == ("text", "text_pair")
