"""The pages on tasks: what they show runs on rows as they describe them."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from docs.test_docs import ROOT, example
from helpers import captions
from helpers.painted_objects import coco_folder
from helpers.painted_scenes import table
from multigraft.plugins.catalog import Catalog
from multigraft.recipe.resolve import read_recipe

WORDS = ("a", "warm", "coat", "of", "wool", "rain", "hat", "that", "comes", "through", "red", "old")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the tables of the pages."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, heads: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([heads, *rows])


def texts() -> list[str]:
    rng = random.Random(0)
    return [" ".join(rng.choices(WORDS, k=8)) for _ in range(80)]


def run(page: str, name: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    text = (ROOT / "docs" / "tasks" / page).read_text(encoding="utf-8")
    exec(example(text, name), names)
    return names


def test_mixing_is_a_setting_of_pictures() -> None:
    page = (ROOT / "docs" / "tasks" / "classification.md").read_text(encoding="utf-8")
    asked = {"task": "image-classification", "backbone": "resnet-18", "data": "pictures"}
    resolved = read_recipe({**asked, **yaml.safe_load(example(page, "mixed"))}, Catalog())
    assert resolved.augment_options["mixup"] == 0.8
    assert resolved.augment_options["cutmix"] == 1.0


def test_pairs_of_texts(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        (f"a man is {did} number {number}", f"somebody {other} {number}", label)
        for number in range(20)
        for did, other, label in (
            ("asleep", "sleeps", "entailment"),
            ("asleep", "runs", "contradiction"),
            ("here", "eats", "neutral"),
        )
    ]
    write(desk / "nli.csv", ("premise", "hypothesis", "label"), rows)
    names = run("classification.md", "pairs")
    assert set(names["run"].targets["labels"]) == {"entailment", "contradiction", "neutral"}
    predictor = names["predictor"]
    pair = ("a man is asleep", "nobody is awake")
    one, other = predictor.predict([pair, (pair[1], pair[0])])
    assert one["scores"] != other["scores"], "the order of a pair counts"
    assert "label" in capsys.readouterr().out


def test_several_labels(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(text, "|".join(word for word in ("warm", "wool") if word in text)) for text in texts()]
    write(desk / "tags.csv", ("text", "labels"), rows)
    names = run("classification.md", "several")
    assert names["run"].targets["labels"] == ["warm", "wool"]
    assert "'labels':" in capsys.readouterr().out


def test_numbers_with_quantiles(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(text, 3 + text.count("warm") - text.count("rain")) for text in texts()]
    write(desk / "ratings.csv", ("text", "target"), rows)
    names = run("regression.md", "regression")
    assert names["run"].objective.monitor == "d2_pinball"
    assert "'quantiles': {'0.1':" in capsys.readouterr().out


def test_a_table(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(0)
    rows = []
    for number in range(80):
        age, city = rng.randint(1, 90), rng.choice(("Lima", "Lagos"))
        day = f"2024-{1 + number % 12:02d}-01"
        rows.append((age, city, day, f"{rng.randint(1, 3)}7", "old" if age > 50 else "young"))
    write(desk / "people.csv", ("age", "city", "joined", "zip", "label"), rows)
    names = run("tables.md", "table")
    assert "categories: city, zip" in " ".join(names["run"].facts["notes"])
    assert set(names["predictor"].predict({"age": 88})["scores"]) == {"old", "young"}
    assert "'label':" in capsys.readouterr().out


def test_texts_that_belong_together(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(f"what of {text}", f"that {text} is fine") for text in texts()]
    write(desk / "questions.csv", ("question", "answer"), rows)
    names = run("sentence-similarity.md", "similarity")
    assert names["run"].targets == {"form": "pairs"}
    ranked = names["predictor"].rank("wool", names["answers"])
    assert sorted(each["index"] for each in ranked) == [0, 1]
    assert "'score':" in capsys.readouterr().out


def test_letters_become_phonemes(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(" ".join(word), " ".join(word.upper())) for word in made_words()]
    write(desk / "phonemes.csv", ("text", "target"), rows)
    names = run("text-to-text.md", "letters")
    assert set(names["predictor"].predict("c o a t")) == {"text", "tokens", "ended"}
    both = names["predictor"].generate(["c o a t", "h a t"], method="beam", beams=2)
    assert all("score" in answer for answer in both)
    assert "'ended':" in capsys.readouterr().out


def test_summaries(desk: Path) -> None:
    rows = [(text, " ".join(text.split()[:2])) for text in texts()]
    write(desk / "reports.csv", ("text", "summary"), rows)
    names = run("summarization.md", "summaries")
    predictor = names["predictor"]
    assert predictor.bundle.precisions["fp32"].metric == "rougeL"
    assert dict(predictor.bundle.generation.defaults) == {
        "max_new_tokens": 32,
        "no_repeat_ngram": 3,
        "method": "beam",
        "beams": 4,
        "length_penalty": 1.0,
    }


def test_translations(desk: Path) -> None:
    rows = [(text, " ".join(reversed(text.split()))) for text in texts()]
    write(desk / "sentences.csv", ("en", "pt"), rows)
    names = run("translation.md", "translations")
    metrics = names["run"].evaluate().metrics
    assert {"bleu", "chrf"} <= metrics.keys()
    assert names["predictor"].bundle.precisions["fp32"].metric == "chrf"


def test_the_class_of_every_pixel(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table(desk, 60).rename(desk / "scenes.jsonl")
    (desk / "0-001.png").rename(desk / "scene.png")
    lines = (desk / "scenes.jsonl").read_text().splitlines()
    (desk / "scenes.jsonl").write_text("\n".join([lines[0], *lines[2:]]))
    names = run("semantic-segmentation.md", "segmentation")
    answer = names["predictor"].predict("scene.png")
    assert answer["size"] == [40, 56]
    assert sum(segment["share"] for segment in answer["segments"]) == pytest.approx(1)
    assert "'segments':" in capsys.readouterr().out


def test_objects(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco_folder(desk / "bricks" / "train", 48)
    coco_folder(desk / "bricks" / "held", 24, seed=1)
    names = run("object-detection.md", "detect")
    assert names["predictor"].bundle.precisions["fp32"].metric == "ap"
    assert "{'objects': [{'label': '" in capsys.readouterr().out


def made_words() -> list[str]:
    rng = random.Random(0)
    return ["".join(rng.choices("aehtocw", k=rng.randint(2, 6))) for _ in range(80)]


def test_captions(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = captions.rows(desk / "pictures", 60, 0)
    for number, row in enumerate(made):
        Path(row["image"]).rename(desk / "pictures" / f"{number}.png")
        row["image"] = f"pictures/{number}.png"
    captions.write(desk / "captions.jsonl", made)
    names = run("captioning.md", "captions")
    assert {"bleu", "chrf", "rougeL"} <= names["run"].evaluate().metrics.keys()
    assert set(names["predictor"].predict("pictures/1.png")) == {"text", "tokens", "ended"}
    assert "'ended':" in capsys.readouterr().out


def test_contrastive(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    lines = []
    for number in range(40):
        picture, colour = np.zeros((32, 32, 3), np.uint8), int(rng.integers(3))
        picture[..., colour] = rng.integers(100, 255)
        Image.fromarray(picture).save(desk / f"{number}.png")
        named = ("red", "green", "blue")[colour]
        lines.append({"text": f"a {named} square", "image": f"pictures/{number}.png"})
    (desk / "pictures").mkdir()
    for path in desk.glob("*.png"):
        path.rename(desk / "pictures" / path.name)
    (desk / "captions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    names = run("contrastive.md", "contrastive")
    assert {
        each["index"]
        for each in names["predictor"].rank({"text": "a red square"}, names["gallery"])
    } == {0, 1}
    assert "score" in capsys.readouterr().out
    answer = names["predictor"].classify(names["gallery"][0], ["red", "blue"])
    assert answer["label"] in ("red", "blue")
    for folder, library in (("text", "config.json"), ("image", "model.safetensors")):
        assert (names["run"].folder / "model" / folder / library).exists()
