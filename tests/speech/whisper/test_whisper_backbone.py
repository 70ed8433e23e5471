"""Whisper as a backbone and as a decoder, held to transformers' own class."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from helpers.whisper_toys import Grown, grow, origin, several_languages, sounds, without_times
from multigraft import BackboneModule
from multigraft.errors import MultigraftError, WeightsError
from multigraft.evaluation.generation.torch_writer import torch_writer
from multigraft.models.graft import Graft
from multigraft_speech.recognition.dictation import Dictation


@pytest.fixture(scope="module")
def grown() -> Grown:
    return grow(origin())


@pytest.fixture(scope="module")
def saved(grown: Grown, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return without_times(grown, tmp_path_factory.mktemp("saved"))


def heard(folder: Path, given: list[np.ndarray]) -> torch.Tensor:
    processor = WhisperProcessor.from_pretrained(folder)
    found: torch.Tensor = processor(given, sampling_rate=16_000, return_tensors="pt").input_features
    return found


def test_its_frames_are_those_of_transformers_encoder(grown: Grown, saved: Path) -> None:
    theirs = WhisperForConditionalGeneration.from_pretrained(saved, dtype=torch.float32).eval()
    with torch.no_grad():
        features = grown.module(grown.batch(sounds()))
        wanted = theirs.get_encoder()(heard(saved, sounds())).last_hidden_state
    assert isinstance(grown.module, BackboneModule)
    torch.testing.assert_close(features.sequence, wanted, atol=2e-3, rtol=1e-3)
    assert features.mask.sum(1).tolist() == [100, 29, 11]


def test_a_padded_row_gives_what_it_gives_alone(grown: Grown) -> None:
    with torch.no_grad():
        together = grown.module(grown.batch(sounds()))
        for index, sound in enumerate(sounds()):
            alone = grown.module(grown.batch([sound]))
            torch.testing.assert_close(together.sequence[index], alone.sequence[0])
            torch.testing.assert_close(together.pooled[index], alone.pooled[0])


@pytest.mark.parametrize("languages", [False, True])
def test_what_it_writes_greedily_is_what_transformers_writes(
    languages: bool, saved: Path, tmp_path: Path
) -> None:
    folder = several_languages(tmp_path) if languages else saved
    ours = grow(origin(path=folder, **({"language": "pt"} if languages else {})))
    objective = Dictation(ours.brief(max_target_length=40))
    generating = objective.generating(objective.head())
    writer = torch_writer(Graft(ours.module, objective.head()), generating, ours.reader)
    written = writer.generate(sounds())
    theirs = WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    asked = {"language": "pt", "task": "transcribe"} if languages else {}
    wanted = theirs.generate(heard(folder, sounds()), max_new_tokens=40, **asked)
    end = ours.reader.tokens.end
    for one, other in zip(written, wanted.tolist(), strict=True):
        said = one["tokens"]
        assert said[: said.index(end) if end in said else None] == [
            token for token in other if token != end
        ]
    assert len({tuple(one["tokens"]) for one in written}) > 1


def test_a_saved_folder_comes_back_bit_for_bit(grown: Grown, saved: Path) -> None:
    again = grow(origin(path=saved))
    assert again.spec == grown.spec and again.module.writing.speech == grown.module.writing.speech
    batch = grown.batch(sounds())
    assert torch.equal(again.module(batch).sequence, grown.module(batch).sequence)


def test_language_and_task_stand_behind_the_start(tmp_path: Path) -> None:
    folder = several_languages(tmp_path)
    module = grow(origin(path=folder, language="de", task="translate")).module
    tokens = module.writing.speech
    assert module.writing.start[1:3] == (tokens.languages["de"], tokens.tasks["translate"])
    module.save(tmp_path / "again", head=None, labels=())
    assert grow(origin(path=tmp_path / "again")).module.writing.start == module.writing.start
    with pytest.raises(MultigraftError, match=r"no language .dee.; did you mean .de."):
        grow(origin(path=folder, language="dee"))
    with pytest.raises(MultigraftError, match=r"backbone\.task: found 'sing'"):
        grow(origin(path=folder, language="de", task="sing"))


def test_one_language_has_no_name(grown: Grown) -> None:
    with pytest.raises(MultigraftError, match=r"backbone\.language: whisper-micro knows one"):
        grow(origin(language="en"))


def test_weights_without_a_tokenizer_are_refused(saved: Path, tmp_path: Path) -> None:
    for file in saved.iterdir():
        if file.name != "tokenizer.json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(WeightsError, match=r"tokenizer\.json: cannot be read"):
        grow(origin(path=tmp_path))


def test_another_tokenizer_is_refused(saved: Path, tmp_path: Path) -> None:
    for file in saved.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    settings = json.loads((tmp_path / "generation_config.json").read_text())
    settings["eos_token_id"] += 1
    (tmp_path / "generation_config.json").write_text(json.dumps(settings))
    with pytest.raises(WeightsError, match="tokenizer and weights do not belong together"):
        grow(origin(path=tmp_path))
