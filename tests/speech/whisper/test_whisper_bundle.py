"""A bundle of Whisper: an encoder that hears once, and a decoder that writes what transformers
writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import torch
from pydantic import ValidationError
from transformers import WhisperForConditionalGeneration, WhisperProcessor

import multigraft as mg
from helpers.bundle_figures import figures_agree
from helpers.whisper_toys import sounds
from multigraft.errors import PredictError
from multigraft.runtime.bundle import Generation, open_bundle


def test_both_graphs_were_compared_and_judged_by_words(bundle: Path) -> None:
    found = open_bundle(bundle)
    fp32, int8 = found.precisions["fp32"], found.precisions["int8"]
    assert fp32.graphs == {"encoder": "encoder.onnx"} and fp32.parity < 1e-4
    assert fp32.metric == int8.metric == "wer"
    assert found.named == "transcription" and found.generation is not None
    tokens = found.generation.speech
    assert tokens is not None and tokens.first_timestamp == tokens.no_timestamps + 1
    assert found.generation.suppress_first == found.generation.stop


def test_it_writes_what_transformers_writes(run: mg.Run, bundle: Path) -> None:
    given = sounds([30_000, 16_000, 9_000, 8_000, 4_000])
    answers = mg.load(bundle, precision="fp32").predict(given)
    folder = run.folder / "model"
    theirs = WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    processor = WhisperProcessor.from_pretrained(folder)
    features = processor(given, sampling_rate=16_000, return_tensors="pt").input_features
    wanted = theirs.generate(features, max_new_tokens=12).tolist()
    texts = processor.batch_decode(wanted, skip_special_tokens=True)
    assert [answer["text"] for answer in answers] == [text.lstrip() for text in texts]
    end = theirs.generation_config.eos_token_id
    for answer, tokens in zip(answers, wanted, strict=True):
        assert [t for t in answer["tokens"] if t != end] == [t for t in tokens if t != end]


def test_convolutions_stay_in_float(bundle: Path) -> None:
    graph = onnx.load(bundle / "encoder.int8.onnx").graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("Conv") == 2 and "MatMulInteger" in kinds
    assert kinds.count("MultiHeadAttention") == 2  # one a layer
    assert not {"ConvInteger", "QLinearConv", "QuantizeLinear"} & set(kinds)


def test_evaluation_and_bundle_say_the_same(run: mg.Run, bundle: Path) -> None:
    measured = run.evaluate().metrics["wer"].value
    assert open_bundle(bundle).precisions["fp32"].value == measured


def test_a_sound_longer_than_its_row_is_refused_or_said_to_be_cut(
    bundle: Path, tmp_path: Path
) -> None:
    predictor = mg.load(bundle, precision="fp32")
    long = np.concatenate(sounds([30_000, 10_000]))
    soundfile.write(tmp_path / "long.wav", long, 16_000)
    for raw in (long, (long, 16_000), tmp_path / "long.wav", (tmp_path / "long.wav").read_bytes()):
        with pytest.raises(mg.RowError, match=r"has 2.5 seconds, and 2 are read.*transcribe"):
            predictor.predict(raw)
    answer = predictor.predict(long, long="truncate")
    assert answer.pop("cut") == {"has": 2.5, "takes": 2.0}
    assert answer == predictor.predict(long[:32_000])
    with pytest.raises(PredictError, match="long='window' needs"):
        predictor.predict(long, long="window")


def test_tokens_beyond_the_vocabulary_are_refused(bundle: Path) -> None:
    generation = open_bundle(bundle).generation
    assert generation is not None
    said = generation.model_dump()
    for changed in (
        {"speech": {**said["speech"], "languages": {"en": generation.vocabulary}}},
        {"suppress_first": [generation.vocabulary]},
    ):
        with pytest.raises(ValidationError, match="found token"):
            Generation.model_validate({**said, **changed})


def test_the_bundle_has_the_figures_of_its_run(run: mg.Run) -> None:
    figures_agree(run, without=("loss", "perplexity", "token_accuracy"))
