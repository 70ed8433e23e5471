"""Hidden units: cepstra and middle layers as other libraries give them, clusters that stay the
same, and two rounds of pretraining."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from transformers import HubertModel

import multigraft as mg
import multigraft_speech as speech
from helpers.speech_toys import Grown, grow, origin, sounds, tensors
from multigraft.contracts.readers import collate
from multigraft.errors import DataError, MultigraftError, WeightsError
from multigraft_speech.units.cepstra import Cepstra
from multigraft_speech.units.clusters import centroids_of, unit_spec
from multigraft_speech.units.middle_layer import middle_layer
from multigraft_speech.units.objective import MaskedUnits

FEW = {"clusters": 12}


def brief(grown: Grown, **options: Any) -> mg.Brief:
    made = grown.brief("masked-units", **{**FEW, **options})
    targets = unit_spec({}, made.options, grown.reader, sounds())
    return mg.Brief(
        backbone=made.backbone,
        reader=made.reader,
        targets=targets,
        options=made.options,
        modality="audio",
    )


def test_cepstra_are_those_of_torchaudio() -> None:
    from torchaudio.functional import compute_deltas
    from torchaudio.transforms import MFCC

    samples = torch.from_numpy(sounds()[0])[None]
    found = Cepstra(16_000, hop=320, field=400)(
        {"input_values": samples, "attention_mask": torch.ones_like(samples, dtype=torch.int64)}
    )
    settings = {"n_fft": 400, "hop_length": 320, "n_mels": 40, "center": False, "power": 2.0}
    theirs = MFCC(16_000, n_mfcc=13, log_mels=True, melkwargs=settings)
    wanted = theirs(samples) / 40**0.5
    whole = torch.cat([wanted, compute_deltas(wanted), compute_deltas(compute_deltas(wanted))], 1)
    # theirs keeps silence above 1e-6
    torch.testing.assert_close(found[0], whole[0].T, atol=2e-2, rtol=1e-3)


def test_padding_changes_no_frame(hubert: Grown) -> None:
    features = Cepstra(16_000, hop=hubert.module.hop, field=hubert.module.field)
    together = features(hubert.batch(sounds()))
    for index, sound in enumerate(sounds()):
        alone = features(hubert.batch([sound]))[0]
        torch.testing.assert_close(together[index, : len(alone)], alone)


def test_a_middle_layer_is_transformers_hidden_state(hubert: Grown, tmp_path: Path) -> None:
    hubert.module.save(tmp_path, head=None, labels=())
    model = HubertModel.from_pretrained(tmp_path, dtype=torch.float32).eval()
    batch = hubert.batch(sounds()[:1])
    with torch.no_grad():
        values = hubert.module._normalised(batch)
        wanted = model(values, output_hidden_states=True).hidden_states[1]
    found = middle_layer(tmp_path, 1)(batch)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    assert not any(each.requires_grad for each in middle_layer(tmp_path, 1).parameters())


def test_units_are_the_nearest_centroids_and_the_same_every_time(hubert: Grown) -> None:
    made = brief(hubert)
    assert made.targets == brief(hubert).targets
    json.dumps(made.targets, allow_nan=False)
    centroids = centroids_of(made.targets, 12)
    head = MaskedUnits(made).head()
    batch = hubert.batch(sounds())
    outputs = head(hubert.module(batch), batch)
    features = Cepstra(16_000, hop=hubert.module.hop, field=hubert.module.field)(batch).numpy()
    away = np.square(features[:, :, None] - centroids).sum(-1)
    np.testing.assert_array_equal(outputs["units"].numpy(), away.argmin(-1))


def test_only_hidden_frames_count(hubert: Grown) -> None:
    objective = MaskedUnits(brief(hubert))
    arrays = collate([hubert.reader.read(sound) for sound in sounds()], hubert.reader.fills)
    batch = tensors(objective.prepare(arrays, np.random.default_rng(0)))
    head = objective.head()
    outputs = head(hubert.module(batch), batch)
    loss = objective.loss(outputs, batch)
    hidden = batch["mask_time_indices"]
    assert loss.weight.tolist() == hidden.sum(1).tolist()
    wanted = torch.nn.functional.cross_entropy(outputs["logits"][hidden], outputs["units"][hidden])
    torch.testing.assert_close(loss.mean(), wanted)
    kept = objective.measure(outputs, batch, loss)
    metrics = objective.summarise({name: each.detach().numpy() for name, each in kept.items()})
    right = (outputs["logits"].argmax(-1) == outputs["units"])[hidden]
    assert metrics["unit_accuracy"] == pytest.approx(float(right.float().mean()))
    baseline = objective.baseline({"counts": kept["counts"].numpy()})
    commonest = torch.bincount(outputs["units"][hidden]).max() / hidden.sum()
    assert baseline.value == pytest.approx(float(commonest))


def test_the_teacher_learns_nothing_and_is_saved_nowhere(hubert: Grown, tmp_path: Path) -> None:
    hubert.module.save(tmp_path, head=None, labels=())
    made = brief(hubert, teacher=str(tmp_path))
    assert made.targets["layer"] == 1
    head = MaskedUnits(made).head()
    assert {name for name, _ in head.named_parameters()} == {
        "embeddings",
        "project.weight",
        "project.bias",
    }
    assert head.state_dict().keys() == dict(head.named_parameters()).keys()
    batch = hubert.batch(sounds())
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    gone = MaskedUnits(made).head()
    with pytest.raises(WeightsError, match="the teacher whose layer was clustered is gone"):
        gone(hubert.module(batch), batch)
    moved.rename(tmp_path)


def test_what_does_not_fit_is_refused(hubert: Grown, logmel: Grown, tmp_path: Path) -> None:
    with pytest.raises(MultigraftError, match="for logmel use masked-spectrogram"):
        MaskedUnits(logmel.brief("masked-units"))
    with pytest.raises(DataError, match="5000 clusters need as many frames"):
        brief(hubert, clusters=5000)
    with pytest.raises(WeightsError, match="is no folder"):
        brief(hubert, teacher=str(tmp_path / "missing"))
    hubert.module.save(tmp_path, head=None, labels=())
    with pytest.raises(MultigraftError, match="has layers 1 to 2"):
        brief(hubert, teacher=str(tmp_path), layer=3)
    other = grow(origin(speech.HUBERT, conv_stride=(5, 4, 4, 2)))
    made = brief(other, teacher=str(tmp_path))
    with pytest.raises(MultigraftError, match="frames see 345 samples each 320, those of"):
        MaskedUnits(made).head()


def written(folder: Path) -> Path:
    """Sounds of two tones that take turns, and a table of them."""
    rng, lines = np.random.default_rng(0), []
    folder.mkdir()
    for number in range(16):
        time = np.arange(8_000) / 16_000
        pitch = np.repeat(rng.choice([300.0, 1500.0], 4), 2_000)
        sound = 0.3 * np.sin(2 * np.pi * pitch * time) + rng.normal(0, 0.01, 8_000)
        soundfile.write(folder / f"{number}.wav", sound, 16_000)
        lines.append(json.dumps({"audio": f"{number}.wav"}))
    (folder / "rows.jsonl").write_text("\n".join(lines))
    return folder / "rows.jsonl"


def test_two_rounds_learn_and_the_second_takes_the_first_as_teacher(tmp_path: Path) -> None:
    data, engine = str(written(tmp_path / "sounds")), mg.Engine([speech], discover=False)
    recipe: dict[str, Any] = {
        "backbone": "hubert-tiny",
        "data": {"train": data, "leakage": {"near": False}},
        "training": {"steps": 30, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32"},
        "evaluation": {"bootstrap": 10},
    }
    first = {"name": "masked-units", "clusters": 4, "mask_length": 4}
    one = engine.start({**recipe, "task": first, "output": str(tmp_path / "one")}, "pretrain")
    second = {**first, "teacher": str(tmp_path / "one")}
    two = engine.start({**recipe, "task": second, "output": str(tmp_path / "two")}, "pretrain")
    measured = [run.evaluate().metrics for run in (one, two)]
    assert measured[0]["unit_accuracy"].value > 1.5 / 4
    assert all(each["loss"].value < np.log(4) for each in measured)  # that of a guess
    assert two.targets["layer"] == 1 and two.targets != one.targets
    opened = engine.open(tmp_path / "two")
    assert opened.evaluate().metrics["loss"].value == pytest.approx(
        measured[1]["loss"].value, rel=1e-6
    )
