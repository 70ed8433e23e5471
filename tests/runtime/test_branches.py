"""A bundle of several branches: what a row lacks is not computed, and whoever asks gets the same
answers."""

from __future__ import annotations

import base64
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import multigraft as mg
from helpers import captioned
from helpers.samples import write_both
from helpers.toy_server import serving
from multigraft.cli.inputs import gather
from multigraft.engine import Engine
from multigraft.errors import BundleError, PredictError, RowError
from multigraft.plugins.catalog import Catalog
from multigraft.runtime import load, timing
from multigraft.runtime.bundle import MANIFEST, manifest_hash, open_bundle
from multigraft.runtime.predictor import Predictor
from multigraft.runtime.serving.model import Model

CATALOG = Catalog([captioned], discover=False)
VALUES = [
    {"words": "Ada met May", "grey": "009/090"},
    {"words": "rain"},
    {"grey": "99/99/99"},
    {"words": "Grace Hopper left Rome in the rain", "grey": "0"},
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("branches")
    rows = [
        {
            "words": row["words"],
            "grey": row["grey"] if index % 3 else None,
            "label": "ab"[index % 2],
        }
        for index, row in enumerate(captioned.rows(40))
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = {
        "task": "classification",
        "backbone": {"words": "wordnet-tiny", "grey": "lattice-tiny"},
        "data": {
            "train": str(folder / "rows.jsonl"),
            "missing": "allow",
            "split": {"validation": 0.0, "test": 0.25},
        },
        "training": {"steps": 3, "batch_size": 8, "compile": "off", "workers": 0},
        "evaluation": {"bootstrap": 0},
        "export": {"precisions": ["fp32"]},
        "output": str(folder / "run"),
    }
    run = Engine([captioned], discover=False, strict=True).start(recipe, "finetune")
    return Path(run.export().files["bundle"])


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    return load(bundle, catalog=CATALOG)


def scores(answer: Any) -> Any:
    return pytest.approx(answer["scores"], abs=1e-6)


def test_values_of_any_branches_are_answered_together_as_alone(predictor: Predictor) -> None:
    together = predictor.predict(VALUES)
    assert all(
        answer["scores"] == scores(predictor.predict(value))
        for answer, value in zip(together, VALUES, strict=True)
    )
    assert len({round(answer["score"], 6) for answer in together}) == len(VALUES)


def test_what_a_row_lacks_is_not_computed(predictor: Predictor) -> None:
    session: Any = predictor._session
    grey = session._branches["grey"]
    seen: list[int] = []

    class Watched:
        outputs, ports = grey.outputs, grey.ports

        def run(self, arrays: Any) -> Any:
            seen.append(len(next(iter(arrays.values()))))
            return grey.run(arrays)

    session._branches["grey"] = Watched()
    try:
        predictor.predict([{"words": "Ada"}, {"words": "May"}])
        assert seen == []
        predictor.predict([{"words": "Ada"}, {"words": "May", "grey": "12"}], batch_size=2)
        assert seen == [1]
    finally:
        session._branches["grey"] = grey


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("Ada", "found str; a mapping with 'words', 'grey' is needed"),
        ({}, "has no value of any branch"),
        ({"word": "Ada"}, "found 'word' in it"),
        ({"words": "Ada", "grey": "1x"}, "grey: holds what is no digit"),
        ({"words": None, "grey": None}, "has no value of any branch"),
    ],
)
def test_a_wrong_value_is_told(predictor: Predictor, value: Any, said: str) -> None:
    with pytest.raises(RowError) as caught:
        predictor.predict(value)
    assert said in str(caught.value)
    found = predictor.predict([VALUES[0], value], on_error="return")
    assert said in found[1]["error"] and "label" in found[0]


def test_no_windows_are_made(predictor: Predictor) -> None:
    with pytest.raises(PredictError, match="needs a reader that cuts"):
        predictor.predict(VALUES[0], long="window")


def test_it_warms_up_is_pickled_and_timed(predictor: Predictor, bundle: Path) -> None:
    predictor.warmup()
    assert pickle.loads(pickle.dumps(predictor)).predict(VALUES) == predictor.predict(VALUES)
    opened = open_bundle(bundle)
    dtypes = {port.name: port.dtype for port in opened.inputs}
    feeds = {
        shape: timing.feed(timing.sizes_of(opened.inputs), dtypes, shape)
        for shape in timing.shapes(opened, [1, 4], None)
    }
    openers = {"fp32": timing.opener(opened, bundle, "fp32", threads=1)}
    found = timing.time_all(openers, feeds, rounds=1, calls=1)
    assert {each.batch for each in found} == {1, 4} and all(each.p50 > 0 for each in found)


def tampered(bundle: Path, folder: Path, change: Any) -> Path:
    copied = shutil.copytree(bundle, folder / "bundle")
    raw = json.loads((copied / MANIFEST).read_text())
    change(raw)
    raw["sha256"] = manifest_hash(raw)
    (copied / MANIFEST).write_text(json.dumps(raw))
    return copied


def test_branches_and_graphs_must_be_each_others(bundle: Path, tmp_path: Path) -> None:
    def rename(raw: Any) -> None:
        raw["branches"]["sound"] = raw["branches"].pop("grey")

    with pytest.raises(BundleError, match="branch 'grey' has no graph, or a graph no branch"):
        load(tampered(bundle, tmp_path, rename), catalog=CATALOG)


def test_a_modality_that_is_not_here_is_named(bundle: Path) -> None:
    with pytest.raises(BundleError, match="unknown modality 'words'"):
        load(bundle, catalog=Catalog(discover=False))


def test_a_server_takes_an_object_with_each_branch(predictor: Predictor) -> None:
    with serving(Model("both", predictor, predictor.modality)) as served:
        asked = [*VALUES, {"words": "Ada", "grey": None}, "Ada", {"word": "Ada"}, {"words": 3}]
        answers = served.predict(asked).json()["answers"]
        for answer, value in zip(answers, [*VALUES, {"words": "Ada"}], strict=False):
            assert answer["scores"] == scores(predictor.predict(value))
        assert [answer["error"] for answer in answers[5:]] == [
            "found str; an object with 'words', 'grey' is needed",
            "unknown branch 'word'; did you mean 'words'?",
            "words: found a number; a text is needed",
        ]
        alone = served.client.post("/predict", files={"file": ("a.txt", b"Ada")})
        assert alone.status_code == 422 and "send JSON" in alone.json()["error"]
        form = served.client.post("/predict", files={"words": (None, "Ada")})
        assert "asked in JSON, files in base64: an object with 'words'" in form.json()["error"]
        told = served.client.get("/models/both").json()["branches"]
        assert [each["name"] for each in told] == ["words", "grey"]


def test_a_file_of_a_branch_is_base64_and_never_a_path(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "a.png")
    branches = dict(predictor.modality.branches)
    branches["grey"] = replace(branches["grey"], suffixes=(".png",))
    modality = replace(predictor.modality, branches=branches, suffixes=(".png",))
    seen: list[Any] = []
    model = Model("both", predictor, modality)
    monkeypatch.setattr(model, "read", lambda value: seen.append(value) or {})
    content = (tmp_path / "a.png").read_bytes()
    with serving(model) as served:
        written = base64.b64encode(content).decode()
        served.predict([{"words": "Ada", "grey": written}])
        refused = served.predict([{"words": "Ada", "grey": str(tmp_path / "a.png")}])
    assert seen == [{"words": "Ada", "grey": content}]
    assert "grey: is not base64" in refused.json()["error"]


def test_the_command_line_takes_json_and_tables(predictor: Predictor, tmp_path: Path) -> None:
    modality = mg.Catalog().modality("text")
    both = replace(modality, branches={"text": modality, "image": mg.Catalog().modality("image")})
    written = json.dumps({"text": "a", "image": None})
    found = gather([written, "Ada", "[1]"], both, stdin=False)
    assert [each.value for each in found] == [{"text": "a", "image": None}, None, None]
    assert [bool(each.error) for each in found] == [False, True, True]
    table = write_both(tmp_path, 6)
    both = replace(both, columns=("text", "image"), suffixes=(".png",))
    rows = gather([str(table)], both, stdin=False)
    assert [set(each.value) for each in rows[:3]] == [{"text", "image"}] * 2 + [{"text"}]


@pytest.mark.parametrize("setting", [{"on_error": "skip"}, {"long": "cut"}, {"on_error": None}])
def test_a_setting_of_another_word_is_refused(
    predictor: Predictor, setting: dict[str, Any]
) -> None:
    with pytest.raises(PredictError, match=f"{next(iter(setting))} is .*; allowed: '"):
        predictor.predict(VALUES, **setting)
