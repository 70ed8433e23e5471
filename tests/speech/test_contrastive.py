from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import Wav2Vec2ForPreTraining

from helpers.speech_toys import Grown, sounds, stir, tensors
from multigraft import MultigraftError
from multigraft.models.graft import Graft
from multigraft_speech.contrastive import Contrastive


def prepared(grown: Grown, objective: Contrastive, *, seed: int = 0) -> dict[str, Tensor]:
    arrays = {name: value.numpy() for name, value in grown.batch(sounds()).items()}
    return tensors(objective.prepare(arrays, np.random.default_rng(seed)))


def bound(grown: Grown, **options: Any) -> tuple[Contrastive, Graft]:
    objective = Contrastive(grown.brief("wav2vec2-contrastive", **options))
    torch.manual_seed(0)
    head = objective.head()
    stir(head)
    return objective, Graft(grown.module, head).eval()


def test_its_loss_is_transformers_own(wav2vec2: Grown) -> None:
    objective, graft = bound(wav2vec2)
    batch = prepared(wav2vec2, objective)
    outputs = graft(batch)
    loss = objective.loss(outputs, batch)

    stock = Wav2Vec2ForPreTraining(wav2vec2.module.config).eval()
    stock.wav2vec2.load_state_dict(wav2vec2.module.model.state_dict())
    rest = stock.load_state_dict(graft.head.state_dict(), strict=False)
    assert rest.unexpected_keys == ["quantizer.batches"]
    assert all(name.startswith("wav2vec2.") for name in rest.missing_keys)
    width = batch["mask_time_indices"].shape[1]
    want = stock(
        wav2vec2.module._normalised(batch),
        attention_mask=batch["attention_mask"],
        mask_time_indices=batch["mask_time_indices"],
        sampled_negative_indices=batch["negatives"] + width * torch.arange(3)[:, None, None],
    )
    torch.testing.assert_close(loss.total.sum(), want.loss, atol=1e-3, rtol=1e-5)
    torch.testing.assert_close(outputs["perplexity"], want.codevector_perplexity)
    assert loss.weight.tolist() == batch["mask_time_indices"].sum(1).tolist()
    loss.mean().backward()
    want.loss.backward()
    torch.testing.assert_close(
        graft.head.project_hid.weight.grad * loss.weight.sum(),
        stock.project_hid.weight.grad,
        atol=1e-3,
        rtol=1e-3,
    )


def test_rows_add_up_as_if_they_were_batches_of_their_own(wav2vec2: Grown) -> None:
    objective, graft = bound(wav2vec2, diversity=0.0)
    batch = prepared(wav2vec2, objective)
    together = objective.loss(graft(batch), batch)
    for row in range(3):
        one = {name: value[row : row + 1] for name, value in batch.items()}
        alone = objective.loss(graft(one), one)
        torch.testing.assert_close(alone.total[0], together.total[row], atol=1e-3, rtol=1e-4)
        assert alone.weight[0] == together.weight[row]


def test_hides_and_draws_by_its_generator_alone(wav2vec2: Grown) -> None:
    objective, _ = bound(wav2vec2)
    one, same, other = (prepared(wav2vec2, objective, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one["negatives"], same["negatives"])
    assert not torch.equal(one["mask_time_indices"], other["mask_time_indices"])
    frames = wav2vec2.module(wav2vec2.batch(sounds())).mask
    assert one["mask_time_indices"].shape == frames.shape
    assert not (one["mask_time_indices"] & ~frames).any()


def test_every_parameter_learns(wav2vec2: Grown) -> None:
    objective, graft = bound(wav2vec2)
    graft.train()
    batch = prepared(wav2vec2, objective)
    objective.loss(graft(batch), batch).mean().backward()
    assert [name for name, weight in graft.named_parameters() if weight.grad is None] == []


def test_the_loss_falls(wav2vec2: Grown) -> None:
    objective, graft = bound(wav2vec2)
    optimizer = torch.optim.AdamW(graft.parameters(), 1e-3)
    batch = prepared(wav2vec2, objective)
    losses = []
    torch.manual_seed(0)
    for _ in range(12):
        graft.train()
        loss = objective.loss(graft(batch), batch).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.2


def test_the_temperature_falls_with_each_training_batch(wav2vec2: Grown) -> None:
    _, graft = bound(wav2vec2, gumbel_start=2.0, gumbel_decay=0.5, gumbel_floor=0.6)
    quantizer = graft.head.quantizer
    quantizer(torch.randn(4, 32))
    assert quantizer.batches == 0  # evaluation does not count
    quantizer.train()
    found = [quantizer._temperature().item() for _ in range(4)]
    assert found == pytest.approx([2.0, 1.0, 0.6, 0.6])
    again = bound(wav2vec2)[1].head
    again.load_state_dict(graft.head.state_dict())
    assert again.quantizer.batches == 4


def test_measures_what_it_says(wav2vec2: Grown) -> None:
    objective, _ = bound(wav2vec2)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    logits = torch.tensor([[3.0, 1.0, 2.0], [1.0, 3.0, 2.0], [1.0, -math.inf, -math.inf]])
    outputs = {"logits": logits, "perplexity": torch.tensor(7.0)}
    batch = {"mask_time_indices": mask}
    kept = objective.measure(outputs, batch, objective.loss(outputs, batch))
    assert kept["right"].tolist() == [1.0, 0.0]  # nothing to be told from counts as wrong
    summary = objective.summarise({name: value.numpy() for name, value in kept.items()})
    assert summary["contrastive_accuracy"] == pytest.approx(1 / 3)
    assert summary["code_perplexity"] == 7.0
    frames = [-math.log(math.exp(3) / (math.exp(3) + math.e + math.exp(2)))]
    frames += [-math.log(math.e / (math.exp(3) + math.e + math.exp(2))), 0.0]
    diversity = 0.1 * (objective.codes - 7) / objective.codes
    assert summary["loss"] == pytest.approx(sum(frames) / 3 + diversity, rel=1e-5)
    assert objective.monitor in summary


def test_rows_too_short_to_hide_anything_cost_nothing(wav2vec2: Grown) -> None:
    objective, graft = bound(wav2vec2)
    arrays = {name: value.numpy() for name, value in wav2vec2.batch(sounds([900, 1000])).items()}
    batch = tensors(objective.prepare(arrays, np.random.default_rng(0)))
    assert not batch["mask_time_indices"].any()
    loss = objective.loss(graft.train()(batch), batch)
    assert loss.mean().item() == 0
    loss.mean().backward()


def test_serves_the_embedding(wav2vec2: Grown) -> None:
    objective, _ = bound(wav2vec2)
    features = wav2vec2.module(wav2vec2.batch(sounds()))
    assert torch.equal(objective.serve(features, None)["embedding"], features.pooled)


def test_fits_wav2vec2_alone(hubert: Grown, logmel: Grown) -> None:
    for grown in (hubert, logmel):
        with pytest.raises(MultigraftError, match="fits the wav2vec2 backbones; for logmel use"):
            bound(grown)


def test_threads_add_up_to_the_same_bits(wav2vec2: Grown) -> None:
    """A distractor is drawn many times: its gradient must not hang on which thread comes first."""
    objective, graft = bound(wav2vec2, negatives=100)
    batch = prepared(wav2vec2, objective)
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        found = []
        for _ in range(20):
            graft.zero_grad()
            objective.loss(graft(batch), batch).mean().backward()
            found.append(graft.head.project_q.weight.grad.clone())
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(each, found[0]) for each in found)
