"""Speech recognition the whole way: evaluation, gate and bundle say the same of what is heard."""

from __future__ import annotations

import io
import json
from pathlib import Path

import jiwer
import numpy as np
import pytest
import soundfile

import multigraft as mg
import multigraft_speech as speech
from helpers.bundle_figures import figures_agree
from helpers.spelled_sounds import RATE, SILENCE, TONE, spelled, texts, write_spelled
from helpers.toy_server import serving
from multigraft.errors import DataError
from multigraft.runtime.bundle import read_manifest
from multigraft.runtime.predictor import Predictor
from multigraft.runtime.serving.model import Model


def recipe(folder: Path, train: Path, test: Path) -> dict[str, object]:
    return {
        "task": "automatic-speech-recognition",
        "backbone": {"name": "logmel-tiny", "weights": "scratch"},
        "reader": {"max_seconds": 3.5},
        "data": {"train": str(train), "test": str(test), "leakage": {"near": False}},
        "training": {"epochs": 9, "batch_size": 8, "learning_rate": 0.005, "precision": "fp32"},
        "evaluation": {"bootstrap": 30, "batch_size": 7},
        "export": {"precisions": ["fp32", "int8"], "rows": 60, "budget": 50},
        "output": str(folder / "run"),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spelled")
    rng = np.random.default_rng(0)
    write_spelled(folder, "train", [text.upper() + "." for text in texts(rng, 240)])
    write_spelled(folder, "test", texts(rng, 60), seed=5)
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> mg.Run:
    given = recipe(folder, folder / "train.jsonl", folder / "test.jsonl")
    return mg.Engine([speech], discover=False).start(given, "finetune")


@pytest.fixture(scope="module")
def bundle(run: mg.Run) -> Path:
    return Path(run.export().files["bundle"])


class Reads:
    """The modality alone: neither the task nor a backbone."""

    @mg.hookimpl
    def register_modalities(self) -> list[mg.Modality]:
        return [speech.AUDIO]


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    return mg.load(bundle, precision="fp32", catalog=mg.Catalog([Reads()], discover=False))


def test_evaluation_gate_and_bundle_say_what_jiwer_says(
    folder: Path, run: mg.Run, bundle: Path, predictor: Predictor, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in (folder / "test.jsonl").read_text().splitlines()]
    told = [each["text"] for each in predictor.predict([str(folder / r["audio"]) for r in rows])]
    wanted = jiwer.wer([row["text"] for row in rows], told)
    assert wanted < 0.5, "it has learned to hear"
    metrics = run.evaluate(rows=tmp_path / "rows.jsonl").metrics
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [line["expected"] for line in lines] == [row["text"] for row in rows]
    assert metrics["wer"].value == pytest.approx(wanted, abs=1e-9)
    assert metrics["cer"].value == pytest.approx(
        jiwer.cer([row["text"] for row in rows], told), abs=1e-9
    )
    assert metrics["wer"].low is not None and metrics["wer"].low <= wanted
    fp32 = read_manifest(bundle).precisions["fp32"]
    assert (fp32.metric, fp32.value) == ("wer", pytest.approx(wanted, abs=1e-9))
    assert run.targets["vocabulary"] == ["", " ", "a", "b", "c", "d"], "normalised"


def test_words_lie_where_they_were_said(predictor: Predictor) -> None:
    """Half of the words within 40 ms of where they begin and end, every one within the tone's
    own length."""
    rng, away = np.random.default_rng(3), []
    for text in texts(rng, 40):
        sound, said = spelled(text, rng)
        found = predictor.predict(sound)
        if found["text"] == text:
            away += [
                (abs(word["start"] - start), abs(word["end"] - end))
                for (_, start, end), word in zip(said, found["words"], strict=True)
            ]
    assert len(away) > 40, "most are heard"
    assert (np.median(away, 0) <= 0.04).all()
    assert np.max(away) < TONE + SILENCE


def test_a_long_sound_is_heard_as_its_pieces_are(predictor: Predictor) -> None:
    text = " ".join(texts(np.random.default_rng(8), 12))
    sound, said = spelled(text, np.random.default_rng(9))
    assert len(sound) > 2 * 3.5 * RATE
    found = predictor.predict(sound)
    assert predictor.predict(sound, long="window") == found
    cut = predictor.predict(sound, long="truncate")
    assert len(cut["text"]) < len(text) / 3
    assert cut == predictor.predict(sound[: round(3.5 * RATE)])
    with pytest.raises(mg.RowError, match=r"longer than the model takes: .* and 3.5 are read"):
        predictor.predict(sound, long="refuse")
    assert jiwer.cer(text, found["text"]) < 0.1
    assert found["words"][-1]["end"] == pytest.approx(said[-1][2], abs=0.2)
    beams = predictor.predict(sound, beams=4)
    assert jiwer.cer(text, beams["text"]) < 0.1


def test_a_server_hears_all_of_a_long_sound_and_refuses_more_than_an_hour(
    predictor: Predictor,
) -> None:
    rng = np.random.default_rng(9)
    sound, _ = spelled(" ".join(texts(rng, 12)), rng)
    hours = np.zeros(3601 * RATE, np.float32)
    named = Model("heard", predictor, speech.AUDIO)
    with serving(named) as served:
        files = [flac(each) for each in (sound, sound[: 2 * RATE], hours)]
        said = [served.client.post("/predict", files={"file": ("x", each)}) for each in files]
    assert [each.status_code for each in said] == [200, 200, 422]
    texts_said = [each.json()["answers"][0]["text"] for each in said[:2]]
    wanted = predictor.predict(files[:2])
    assert texts_said == [each["text"] for each in wanted]
    assert "has 3,601 seconds, and 3,600 are read" in said[2].text
    counted = named.memory(files[0])
    assert counted > predictor.reader.memory(files[0])  # type: ignore[attr-defined]
    rows = predictor.reader.windows(files[0])  # type: ignore[attr-defined]
    assert counted > sum(array.nbytes for row in rows for array in row.values())


def flac(sound: np.ndarray) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, sound, RATE, format="FLAC")
    return out.getvalue()


def test_a_sound_that_fits_is_decoded_once_where_it_is_measured(
    run: mg.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(run.reader), "windows", None)  # asked for by nobody
    assert run.evaluate().metrics["wer"].value >= 0


def test_a_long_sound_is_transcribed_in_segments_as_it_comes(
    predictor: Predictor, tmp_path: Path
) -> None:
    rng = np.random.default_rng(6)
    said = texts(rng, 12)
    sound = np.concatenate([spelled(text, rng)[0] for text in said])
    found = predictor.transcribe(sound)
    assert jiwer.cer("".join(said), found["text"]) < 0.2  # no space is said between them
    assert len(found["segments"]) > 1
    soundfile.write(tmp_path / "long.wav", sound, RATE, "FLOAT")
    stream = predictor.transcribe(str(tmp_path / "long.wav"), stream=True)
    assert next(stream) == found["segments"][0]
    assert [*stream] == found["segments"][1:]
    assert predictor.transcribe(np.zeros(20 * RATE, np.float32))["segments"] == []


def test_bad_rows_are_named_with_their_place(tmp_path: Path) -> None:
    good = write_spelled(tmp_path, "train", ["ab", "ba"] * 10)
    bad = write_spelled(tmp_path, "test", ["ab", "cd", "a" * 3, "ba", "ab" * 15, "ba"])
    lines = [json.loads(line) for line in bad.read_text(encoding="utf-8").splitlines()]
    lines[2]["text"], lines[3]["text"], lines[5]["text"] = "ab" * 60, "...", ""
    bad.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        mg.Engine([speech], discover=False).start(recipe(tmp_path, good, bad), "finetune")
    said = str(caught.value)
    reasons = (
        "lacks: 'c', 'd'",
        "has room for",
        "keeps nothing",
        "longer than one row",
        "is empty",
    )
    for line, why in enumerate(reasons, start=2):
        (told,) = (each for each in said.splitlines() if f"row {line}" in each)
        assert why in told, said


def test_the_bundle_has_the_figures_of_its_run(run: mg.Run, bundle: Path) -> None:
    assert bundle == run.folder / "bundle"
    figures_agree(run)
