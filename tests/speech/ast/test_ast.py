"""AST: spectrogram, positions and classifier as in transformers, which opens what is saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import ASTFeatureExtractor, ASTForAudioClassification, ASTModel

from multigraft import MultigraftError, Origin
from multigraft.contracts.readers import collate
from multigraft.errors import WeightsError
from multigraft_speech import AST
from multigraft_speech.ast.filter_bank import FilterBank
from multigraft_speech.reader import AudioReader, audio_reader

LENGTHS = (20_000, 2_800, 9_000)


def origin(**more: Any) -> Origin:
    config = AST.sizes["tiny"].config
    return Origin(backbone="ast-tiny", size="tiny", **{"config": config, **more})


@pytest.fixture(scope="module")
def grown() -> Any:
    torch.manual_seed(0)
    module: Any = AST.build(origin(), AST.reader(origin(), {})).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module


@pytest.fixture(scope="module")
def sounds() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(0, 0.1, length).astype(np.float32) for length in LENGTHS]


def batch_of(sounds: list[np.ndarray]) -> dict[str, torch.Tensor]:
    reader = audio_reader(AST.reader(origin(), {}))
    rows = collate([reader.read(sound) for sound in sounds], reader.fills)
    return {name: torch.from_numpy(array) for name, array in rows.items()}


@pytest.fixture(scope="module")
def theirs(sounds: list[np.ndarray]) -> torch.Tensor:
    """The spectrograms of transformers, [B, max_length, mels]."""
    extractor = ASTFeatureExtractor(num_mel_bins=32, max_length=256)
    features: torch.Tensor = extractor(
        sounds, sampling_rate=16_000, return_tensors="pt"
    ).input_values
    return features


@pytest.mark.parametrize("mels", [32, 128])
def test_the_filter_bank_is_kaldis(mels: int) -> None:
    from torchaudio.compliance.kaldi import fbank

    rng = np.random.default_rng(1)
    tone = np.sin(np.arange(5_000) * 0.3) + rng.normal(0.5, 1e-3, 5_000)  # not around zero
    samples = torch.from_numpy(tone.astype(np.float32))[None]
    wanted = fbank(samples, window_type="hanning", num_mel_bins=mels)
    torch.testing.assert_close(FilterBank(mels)(samples)[0], wanted, atol=2e-3, rtol=0)


def test_it_reads_the_spectrogram_of_transformers(
    grown: Any, sounds: list[np.ndarray], theirs: torch.Tensor
) -> None:
    batch = batch_of(sounds)
    found = grown._spectrogram(batch["input_values"], batch["attention_mask"].sum(1))
    torch.testing.assert_close(found, theirs, atol=1e-4, rtol=0)


def test_positions_are_patches_averaged_over_frequency(
    grown: Any, sounds: list[np.ndarray], theirs: torch.Tensor
) -> None:
    with torch.no_grad():
        found = grown(batch_of(sounds))
        hidden = grown.model(input_values=theirs).last_hidden_state
    wanted = hidden[:, 2:].reshape(3, 3, 61, 32).mean(1)  # three high, 61 wide
    torch.testing.assert_close(found.sequence, wanted, atol=1e-4, rtol=0)
    assert found.mask.sum(1).tolist() == [27, 1, 10]
    for length, real in zip(LENGTHS, found.mask.sum(1).tolist(), strict=True):
        assert real == (length - grown.field) // grown.hop + 1


def test_the_folder_opens_as_transformers_classifier_and_here(
    grown: Any, sounds: list[np.ndarray], theirs: torch.Tensor, tmp_path: Path
) -> None:
    head = torch.nn.Linear(32, 3)
    grown.save(tmp_path, head=head, labels=["a", "b", "c"])
    model = ASTForAudioClassification.from_pretrained(tmp_path).eval()
    batch = batch_of(sounds)
    extractor = ASTFeatureExtractor.from_pretrained(tmp_path)
    assert (extractor.num_mel_bins, extractor.max_length) == (32, 256)
    again: Any = AST.build(origin(path=tmp_path), AST.reader(origin(path=tmp_path), {})).eval()
    with torch.no_grad():
        pooled = grown(batch).pooled
        torch.testing.assert_close(
            model(input_values=theirs).logits, head(pooled), atol=1e-4, rtol=0
        )
        torch.testing.assert_close(again(batch).pooled, pooled)
    assert model.config.id2label == {0: "a", 1: "b", 2: "c"}


def test_without_a_head_it_is_the_base_model(grown: Any, tmp_path: Path) -> None:
    grown.save(tmp_path, head=None, labels=())
    _, info = ASTModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]


def test_sounds_are_as_long_as_it_reads() -> None:
    spec = AST.reader(origin(), {"max_seconds": 30.0})
    assert spec["max_seconds"] == (400 + 255 * 160) / 16_000
    assert spec["min_seconds"] == 2_800 / 16_000  # one patch
    assert AST.reader(origin(), {"max_seconds": 0.5})["max_seconds"] == 0.5
    with pytest.raises(MultigraftError, match="expect 16000: leave it unset"):
        AST.reader(origin(), {"sample_rate": 8000})
    assert isinstance(audio_reader(spec), AudioReader)


def test_frames_and_bands_are_hidden_while_it_learns(sounds: list[np.ndarray]) -> None:
    where = origin(config={**AST.sizes["tiny"].config, "spec_augment": 0.5})
    module: Any = AST.build(where, AST.reader(where, {}))
    batch, seen = batch_of(sounds), []
    hook = module.model.embeddings.register_forward_pre_hook(
        lambda _, given, named: seen.append(given[0] if given else named["input_values"]),
        with_kwargs=True,
    )
    torch.manual_seed(0)
    module.train()(batch)
    module.eval()(batch)
    hook.remove()
    hidden = [float((each == 0).float().mean()) for each in seen]
    assert hidden[0] > 0.4 and hidden[1] == 0


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("preprocessor_config.json", {"std": 0}, "see std"),
        ("preprocessor_config.json", {"mean": "-4"}, "see mean"),
        ("preprocessor_config.json", {"max_length": 64}, "see max_length"),
        ("config.json", {"num_hidden_layers": 3}, "lacks"),
        ("config.json", {"num_hidden_layers": 1}, "no place for"),
        ("config.json", {"model_type": "wav2vec2"}, "takes audio-spectrogram-transformer"),
    ],
)
def test_folders_that_do_not_fit_are_refused(
    grown: Any, tmp_path: Path, file: str, change: dict[str, Any], says: str
) -> None:
    grown.save(tmp_path, head=None, labels=())
    said = json.loads((tmp_path / file).read_text())
    (tmp_path / file).write_text(json.dumps({**said, **change}))
    with pytest.raises(WeightsError, match=says):
        AST.build(origin(path=tmp_path), AST.reader(origin(path=tmp_path), {}))
