from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers.speech_toys import Grown, sounds, tensors
from multigraft import MultigraftError
from multigraft.models.graft import Graft
from multigraft_speech.spectrogram import MaskedSpectrogram


def prepared(
    grown: Grown,
    objective: MaskedSpectrogram,
    *,
    rows: list[np.ndarray] | None = None,
    seed: int = 0,
) -> dict[str, Tensor]:
    arrays = {name: value.numpy() for name, value in grown.batch(rows or sounds()).items()}
    return tensors(objective.prepare(arrays, np.random.default_rng(seed)))


def bound(grown: Grown, **options: Any) -> tuple[MaskedSpectrogram, Graft]:
    objective = MaskedSpectrogram(grown.brief("masked-spectrogram", **options))
    torch.manual_seed(0)
    return objective, Graft(grown.module, objective.head()).eval()


def test_hides_real_frames_by_its_generator_alone(logmel: Grown) -> None:
    objective, _ = bound(logmel)
    one, same, other = (prepared(logmel, objective, seed=seed)["mask_frames"] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    batch = logmel.batch(sounds())
    _, real = logmel.module.frontend(batch["input_values"], batch["attention_mask"].sum(1))
    assert one.shape == real.shape
    assert not (one & ~real).any()
    assert one.any(1).all()


def test_the_loss_is_the_mean_square_at_hidden_frames(logmel: Grown) -> None:
    objective, graft = bound(logmel)
    batch = prepared(logmel, objective)
    outputs = graft(batch)
    assert outputs["prediction"].shape == outputs["spectrogram"].shape
    loss = objective.loss(outputs, batch)
    error = (outputs["prediction"] - outputs["spectrogram"]).square()
    hidden = batch["mask_frames"].unsqueeze(1).expand_as(error)
    torch.testing.assert_close(loss.mean(), error[hidden].mean())
    torch.testing.assert_close(loss.weight, batch["mask_frames"].sum(1).float())


def test_rows_add_up_as_if_they_were_batches_of_their_own(logmel: Grown) -> None:
    objective, graft = bound(logmel)
    batch = prepared(logmel, objective)
    together = objective.loss(graft(batch), batch)
    frontend = logmel.module.frontend
    for row, sound in enumerate(sounds()):
        one = {name: value[row : row + 1, : len(sound)] for name, value in batch.items()}
        one["mask_frames"] = batch["mask_frames"][row : row + 1, : frontend.frame_count(len(sound))]
        torch.testing.assert_close(objective.loss(graft(one), one).total[0], together.total[row])


def test_hidden_frames_do_not_leak(logmel: Grown) -> None:
    objective, graft = bound(logmel)
    batch = prepared(logmel, objective, rows=[sounds()[0]])
    frames = batch["mask_frames"].shape[1]
    batch["mask_frames"] = torch.ones(1, frames, dtype=torch.bool)
    other = {**batch, "input_values": batch["input_values"].flip(1)}
    torch.testing.assert_close(graft(batch)["prediction"], graft(other)["prediction"])


def test_learns_to_fill_in_a_tone(logmel: Grown) -> None:
    objective, graft = bound(logmel)
    optimizer = torch.optim.AdamW(graft.parameters(), 3e-3)
    losses = []
    for seed in range(25):
        batch = prepared(logmel, objective, seed=seed)
        loss = objective.loss(graft.train()(batch), batch).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert all(weight.grad is not None for weight in graft.parameters())


def test_summary_holds_the_monitor(logmel: Grown) -> None:
    objective, graft = bound(logmel)
    batch = prepared(logmel, objective)
    loss = objective.loss(graft(batch), batch)
    kept = {
        name: value.detach().numpy() for name, value in objective.measure({}, batch, loss).items()
    }
    assert objective.summarise(kept)[objective.monitor] == pytest.approx(
        loss.mean().item(), rel=1e-5
    )


def test_fits_logmel_alone(wav2vec2: Grown) -> None:
    with pytest.raises(MultigraftError, match="fits the logmel backbones; for wav2vec2 use"):
        bound(wav2vec2)
