from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForAudioClassification,
    BertConfig,
    BertModel,
    Wav2Vec2Config,
    Wav2Vec2ForCTC,
    pipeline,
)

import multigraft_speech as speech
from helpers.speech_toys import Grown, grow, origin, sounds
from multigraft.errors import WeightsError

LABELS = ("no", "yes", "perhaps")


def test_features_are_transformers_own(transformer: Grown, tmp_path: Path) -> None:
    transformer.module.save(tmp_path, head=None, labels=())
    stock = AutoModel.from_pretrained(tmp_path).eval()
    extractor = AutoFeatureExtractor.from_pretrained(tmp_path)
    for sound in sounds():
        inputs = extractor(sound, sampling_rate=16_000, return_tensors="pt")
        with torch.no_grad():
            want = stock(**inputs)
            found = transformer.module(transformer.batch([sound]))
        torch.testing.assert_close(found.sequence, want.last_hidden_state, atol=1e-5, rtol=1e-5)
        if "extract_features" in want:
            torch.testing.assert_close(found.maps[0].transpose(1, 2), want.extract_features)


def test_a_padded_batch_of_layer_normed_weights_is_transformers_own(
    wav2vec2: Grown, tmp_path: Path
) -> None:
    wav2vec2.module.save(tmp_path, head=None, labels=())
    stock = AutoModel.from_pretrained(tmp_path).eval()
    extractor = AutoFeatureExtractor.from_pretrained(tmp_path)
    inputs = extractor(sounds(), sampling_rate=16_000, return_tensors="pt", padding=True)
    with torch.no_grad():
        found, want = wav2vec2.module(wav2vec2.batch(sounds())), stock(**inputs)
    real = found.mask
    torch.testing.assert_close(
        found.sequence[real], want.last_hidden_state[real], atol=1e-5, rtol=1e-5
    )


def test_stock_transformers_answers_the_same(transformer: Grown, tmp_path: Path) -> None:
    head = nn.Linear(transformer.module.width, len(LABELS))
    transformer.module.save(tmp_path, head=head, labels=LABELS)
    stock = AutoModelForAudioClassification.from_pretrained(tmp_path).eval()
    extractor = AutoFeatureExtractor.from_pretrained(tmp_path)
    assert [stock.config.id2label[index] for index in range(3)] == list(LABELS)
    classify = pipeline("audio-classification", model=stock, feature_extractor=extractor, top_k=3)
    for sound in sounds():
        with torch.no_grad():
            want = head(transformer.module(transformer.batch([sound])).pooled)[0]
            found = stock(**extractor(sound, sampling_rate=16_000, return_tensors="pt")).logits[0]
        torch.testing.assert_close(found, want, atol=1e-5, rtol=1e-5)
        answer = {entry["label"]: entry["score"] for entry in classify(sound)}
        np.testing.assert_allclose([answer[label] for label in LABELS], want.softmax(0), atol=1e-5)


@pytest.mark.parametrize("normalize", [True, False])
def test_normalises_as_the_preprocessor_says(
    wav2vec2: Grown, tmp_path: Path, normalize: bool
) -> None:
    wav2vec2.module.save(tmp_path, head=None, labels=())
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "do_normalize": normalize}))
    module = grow(origin(speech.WAV2VEC2, path=tmp_path)).module
    batch = wav2vec2.batch(sounds())
    quiet = {**batch, "input_values": batch["input_values"] / 4}
    same = torch.allclose(module(batch).pooled, module(quiet).pooled, atol=1e-4)
    assert same is normalize


def test_takes_weights_with_another_head(tmp_path: Path) -> None:
    config = Wav2Vec2Config(
        **{
            key: value
            for key, value in origin(speech.WAV2VEC2).config.items()
            if key != "model_type"
        }
    )
    stock = Wav2Vec2ForCTC(config).eval()
    stock.save_pretrained(tmp_path)
    grown = grow(origin(speech.WAV2VEC2, path=tmp_path))
    with torch.no_grad():
        found = grown.module(grown.batch([sounds()[0]])).sequence
        values = grown.module._normalised(grown.batch([sounds()[0]]))
        want = stock.wav2vec2(values).last_hidden_state
    torch.testing.assert_close(found, want, atol=1e-5, rtol=1e-5)


def test_refuses_another_architecture(tmp_path: Path) -> None:
    tiny = BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    BertModel(tiny).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="'bert'"):
        grow(origin(speech.WAV2VEC2, path=tmp_path))


def test_refuses_weights_that_are_incomplete(wav2vec2: Grown, tmp_path: Path) -> None:
    wav2vec2.module.save(tmp_path, head=None, labels=())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(WeightsError, match="lacks"):
        grow(origin(speech.WAV2VEC2, path=tmp_path))


def test_hides_the_frames_it_is_told_to(wav2vec2: Grown) -> None:
    batch = wav2vec2.batch(sounds())
    mask = torch.zeros_like(wav2vec2.module(batch).mask)
    none = wav2vec2.module({**batch, "mask_time_indices": mask})
    assert torch.equal(none.sequence, wav2vec2.module(batch).sequence)
    mask[:, 1:4] = True
    some = wav2vec2.module({**batch, "mask_time_indices": mask})
    assert not torch.allclose(some.sequence, none.sequence)
    assert torch.equal(some.maps[0], none.maps[0])


def test_spec_augment_hides_in_training_alone() -> None:
    plain, hiding = (
        grow(origin(speech.WAV2VEC2, **options)) for options in ({}, {"spec_augment": 0.4})
    )
    for grown in (plain, hiding):
        for part in grown.module.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0
            if hasattr(part, "dropout") and isinstance(part.dropout, float):
                part.dropout = 0.0
    batch = plain.batch(sounds())
    assert torch.equal(plain.module(batch).pooled, hiding.module(batch).pooled)
    trained = plain.module.train()(batch).pooled
    torch.testing.assert_close(trained, plain.module.eval()(batch).pooled)
    torch.manual_seed(0)
    assert not torch.allclose(hiding.module.train()(batch).pooled, trained)
