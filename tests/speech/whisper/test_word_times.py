"""Times of words, against the attention and the time warping of transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import WhisperForConditionalGeneration
from transformers.models.whisper.generation_whisper import _dynamic_time_warping, _median_filter

import multigraft as mg
from helpers.whisper_toys import HOLDS, Grown, grow, origin, sounds
from multigraft.contracts.generation import ALIGNMENT, NewTokens, empty_state
from multigraft.contracts.readers import collate
from multigraft.errors import BundleError, WeightsError
from multigraft.evaluation.generation.torch_writer import torch_writer
from multigraft.models.graft import Graft
from multigraft.runtime.asking import check_asked
from multigraft.runtime.bundle import open_bundle
from multigraft.runtime.generation.generator import Generator
from multigraft.runtime.transcribing.asks import ASKS
from multigraft.runtime.transcribing.sequential import Spoken, transcribe
from multigraft.runtime.transcribing.time_warping import first_columns
from multigraft.runtime.transcribing.word_times import check_alignment, listen
from multigraft_speech.recognition.dictation import Dictation

TEXT = [72, 105, 32, 121, 111, 117, 46]
UNGUARDED = {"fallbacks": 0, "quiet": -1000.0, "no_speech": 1.0, "logprob": -1000.0}


def writer_of(grown: Grown) -> Generator:
    made = Dictation(grown.brief())
    return torch_writer(
        Graft(grown.module, made.head()), made.generating(made.head()), grown.reader
    )


@pytest.fixture(scope="module")
def grown() -> Grown:
    return grow(origin(max_target_positions=HOLDS))


def attention(grown: Grown, sound: np.ndarray, tokens: list[int], folder: Path) -> torch.Tensor:
    """transformers' cross-attention of the last layer, [heads, T, source]."""
    grown.module.save(folder, head=None, labels=())
    model = WhisperForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    with torch.no_grad():
        hidden = grown.module(grown.batch([sound])).sequence
        decoder = model.get_decoder()
        found = decoder(
            input_ids=torch.tensor([tokens]), encoder_hidden_states=hidden, output_attentions=True
        )
    weights: torch.Tensor = found.cross_attentions[-1][0]
    return weights


def test_a_step_tells_where_it_listens(grown: Grown, tmp_path: Path) -> None:
    batch, tokens = grown.batch(sounds()[:1]), [257, 260, *TEXT]
    wanted = attention(grown, sounds()[0], tokens, tmp_path)
    ids, writing = torch.tensor([tokens]), grown.module.writing
    with torch.no_grad():
        memory = grown.module.remember(grown.module(batch), batch)
        kept = torch.arange(len(tokens))
        new = NewTokens(ids, torch.ones_like(ids), kept[None], kept, aligned=True)
        _, told = grown.module.step(new, empty_state(writing, 1), memory)
        silent = NewTokens(ids, torch.ones_like(ids), kept[None], kept)
        _, untold = grown.module.step(silent, empty_state(writing, 1), memory)
    assert writing.alignment == 2 and ALIGNMENT not in untold
    torch.testing.assert_close(told[ALIGNMENT][0], wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("seconds", [2.0, 0.7])
def test_tokens_are_timed_as_transformers_times_them(
    grown: Grown, tmp_path: Path, seconds: float
) -> None:
    writer, sound = writer_of(grown), sounds()[0]
    end, begin = writer.ports.stop[0], writer.ports.start[:1]
    tokens = [*writer.ports.start, *TEXT, end]
    frames = round(seconds / 0.02)
    looked = attention(grown, sound, tokens, tmp_path)[:, :, :frames]
    looked = looked / looked.sum(-1, keepdim=True)
    spread, usual = torch.std_mean(looked, dim=-2, keepdim=True, unbiased=False)
    smooth = _median_filter(((looked - usual) / spread)[None], 7)[0].mean(0)[1:-1]
    rows, columns = _dynamic_time_warping(-smooth.double().numpy())
    wanted = [int(columns[rows == row].min()) for row in range(len(TEXT) + 1)]
    about = writer.begin(collate([grown.reader.read(sound)], grown.reader.fills), 1)
    found = listen(about, begin, TEXT, seconds)
    np.testing.assert_allclose(found.looked, smooth.numpy(), atol=1e-3)
    assert first_columns(-found.looked).tolist() == wanted
    logits = about.again().advance(np.array([tokens]), every=True)[0]
    chances = np.exp(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))
    np.testing.assert_allclose(found.chances, chances[1 + np.arange(len(TEXT)), TEXT], rtol=1e-4)


def heard(grown: Grown, sound: Any, **asked: Any) -> list[Spoken]:
    checked = check_asked(ASKS, {**UNGUARDED, **asked}, task="a task")
    return list(transcribe(writer_of(grown), grown.reader, sound, checked))


def test_words_change_no_segment_and_stand_in_order(grown: Grown) -> None:
    (sound,) = sounds([70_000])
    plain, timed = heard(grown, sound), heard(grown, sound, words=True)
    assert [each.answer() for each in plain] == [
        {name: value for name, value in each.answer().items() if name != "words"} for each in timed
    ]
    assert len(timed) > 2
    for each in timed:
        assert each.words
        assert " ".join(word["text"] for word in each.words) == " ".join(each.text.split())
        starts = [word["start"] for word in each.words]
        assert starts == sorted(starts)
        for word in each.words:
            assert 0 <= word["start"] <= word["end"] <= 6.4 and 0 <= word["score"] <= 1


def test_a_bundle_tells_the_same_words(run: mg.Run, bundle: Path) -> None:
    generation = open_bundle(bundle).generation
    assert generation is not None and generation.alignment == "alignment"
    assert generation.format == 2
    predictor = mg.load(bundle, precision="fp32")
    writer = predictor.writer
    assert writer is not None
    batch = collate([writer.reader.read(sounds()[0])], writer.reader.fills)
    theirs = torch_writer(run.graft, run.objective.generating(run.graft.head), run.reader)
    told = [each.begin(batch, 1) for each in (writer, theirs)]
    one, other = (listen(each, [257], TEXT, 2.0) for each in told)
    np.testing.assert_allclose(one.looked, other.looked, atol=1e-2)
    np.testing.assert_allclose(one.chances, other.chances, rtol=1e-3, atol=1e-5)


def test_graphs_that_do_not_tell_are_exported_again(bundle: Path) -> None:
    generation = open_bundle(bundle).generation
    assert generation is not None
    check_alignment(generation)
    with pytest.raises(BundleError, match="export the run again"):
        check_alignment(generation.model_copy(update={"alignment": None}))


@pytest.mark.parametrize(
    ("heads", "says"), [([[2, 0]], "2 layers of 2 heads"), ("all", "cannot be read")]
)
def test_heads_that_there_are_not(grown: Grown, tmp_path: Path, heads: Any, says: str) -> None:
    grown.module.save(tmp_path, head=None, labels=())
    file = tmp_path / "generation_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "alignment_heads": heads}))
    with pytest.raises(WeightsError, match=says):
        grow(origin(path=tmp_path))


def test_published_heads_are_taken(grown: Grown, tmp_path: Path) -> None:
    grown.module.save(tmp_path, head=None, labels=())
    file = tmp_path / "generation_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "alignment_heads": [[0, 1]]}))
    assert grow(origin(path=tmp_path)).module.writing.alignment == 1


@pytest.mark.parametrize("samples", [20_000, 70_000])
def test_loudness_is_that_of_the_sound_alone(grown: Grown, samples: int) -> None:
    """20 dB more in the second half of a second, in a short sound and in a long one."""
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.01, samples).astype(np.float32)
    sound[8_000:16_000] *= 10
    with grown.reader.stretches(sound) as opened:
        first, second = opened.at(0.0), opened.at(0.5)
    assert first is not None and second is not None
    assert len(first.loudness) == min(samples, 32_000) // 160
    louder = first.loudness[55:95].mean() - first.loudness[5:45].mean()
    assert louder == pytest.approx(20, abs=1)
    np.testing.assert_allclose(second.loudness[:70], first.loudness[50:120])
