from __future__ import annotations

import copy
import json
import multiprocessing
import pickle
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from helpers import toy_plugin
from helpers.read_html import read_html
from helpers.toy_bundles import LABELS, shipped
from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.numbers import figure
from multigraft.contracts.report import Measure
from multigraft.contracts.types import Answer
from multigraft.errors import BundleError, PredictError, RowError
from multigraft.runtime import Predictor, load
from multigraft.runtime.answers import ANSWERS
from multigraft.runtime.asking import check_asked
from multigraft.runtime.bundle import manifest_hash, read_manifest, seal
from multigraft.runtime.providers import prefers_half, provider_names
from multigraft.runtime.read_value import ReadValue


@pytest.fixture(scope="module")
def run() -> Any:
    """A run of variable length with its bundle."""
    return shipped("numbers")


@pytest.fixture(scope="module")
def predictor(run: Any) -> Predictor:
    return load(run.folder / "bundle", precision="fp32", catalog=run.catalog)


def scores(answers: list[dict[str, Any]]) -> np.ndarray:
    return np.array([[answer["scores"][label] for label in LABELS] for answer in answers])


def test_answers_are_right_and_in_order(predictor: Predictor, run: Any) -> None:
    rows = run.rows["test"]
    assert [answer["label"] for answer in predictor.predict(rows.raws)] == rows.labels
    assert predictor.labels == tuple(LABELS)
    assert predictor.precision == "fp32"


def test_a_notebook_shows_what_it_answers_and_how_well(predictor: Predictor, run: Any) -> None:
    folder = run.folder / "bundle"
    assert repr(predictor).startswith(f"<Predictor {folder}: ")
    assert repr(predictor).endswith(", fp32>")
    _, said = read_html(predictor._repr_html_())
    chosen = predictor.bundle.precisions["fp32"]
    assert chosen.metric is not None and chosen.value is not None
    assert {str(folder), ", ".join(LABELS), chosen.metric, "predictor, fp32"} <= set(said)
    assert figure(Measure(chosen.value, chosen.low, chosen.high)) in said
    other = predictor.with_reader(predictor.reader)
    assert other.folder is None and str(folder) not in other._repr_html_()


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_answers_do_not_depend_on_the_batch(
    predictor: Predictor, run: Any, batch_size: int
) -> None:
    raws = run.rows["test"].raws
    alone = scores([predictor.predict(raw) for raw in raws])
    together = scores(predictor.predict(raws, batch_size=batch_size))
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_an_iterator_longer_than_the_window_gives_a_list(predictor: Predictor, run: Any) -> None:
    raws = run.rows["test"].raws
    assert len(raws) > 2 * 16  # more than one window of 16 batches of 2
    streamed = predictor.predict((raw for raw in raws), batch_size=2)
    assert [answer["label"] for answer in streamed] == run.rows["test"].labels


def test_a_tuple_is_one_value_where_rows_had_several_columns(predictor: Predictor) -> None:
    of_pairs = copy.copy(predictor)
    of_pairs.bundle = predictor.bundle.model_copy(update={"columns": ("text", "text_pair")})
    pair = of_pairs.predict(("1 2", "3"))
    assert pair["scores"] == pytest.approx(predictor.predict("1 2 3")["scores"])


def test_a_tuple_of_texts_is_no_pair_where_rows_had_one_column(predictor: Predictor) -> None:
    assert predictor.bundle.columns == ("text",)
    for raw in (("1 2", "3"), [("1 2", "3")], iter([("1 2", "3")])):
        with pytest.raises(RowError, match=r"holds 2 texts.*'text' alone; ask for each"):
            predictor.predict(raw)
    answers = predictor.predict(["1 2", ("3", "4"), ("3",)], on_error="return")
    assert ["error" in answer for answer in answers] == [False, True, False]


def test_nothing_gives_nothing(predictor: Predictor) -> None:
    assert predictor.predict([]) == []


def test_top_k_keeps_the_best(predictor: Predictor) -> None:
    answer = predictor.predict("1 2 3", top_k=1)
    assert list(answer["scores"]) == [answer["label"]]


def test_a_threshold_keeps_what_is_sure_enough(predictor: Predictor) -> None:
    sure = predictor.predict("1 2 3")
    assert predictor.predict("1 2 3", threshold=sure["score"]) == {
        **sure,
        "scores": {"low": sure["score"]},
    }
    unsure = predictor.predict(["1 2 3"], threshold=1.0)
    assert unsure == [{"label": None, "score": None, "scores": {}}]


def test_errors_may_be_answers(predictor: Predictor, run: Any) -> None:
    raws = [*run.rows["test"].raws[:3], "x", 7, *run.rows["test"].raws[3:6]]
    answers = predictor.predict(raws, on_error="return", top_k=1)
    assert answers[3] == {"error": "item 3: 'x' holds no known numbers"}
    assert answers[4] == {"error": "item 4: 7 holds no known numbers"}
    labels = [answer["label"] for answer in answers if "error" not in answer]
    assert labels == run.rows["test"].labels[:6]
    assert predictor.predict("x", on_error="return") == {"error": "'x' holds no known numbers"}


def test_windows_are_joined_by_their_lengths(predictor: Predictor) -> None:
    """Six numbers are windows of four and three, of which each answers for itself."""
    text = "1 2 3 4 1096 1097"
    merged = predictor.predict(["5", text, "6"], long="window")
    parts = predictor.predict(["1 2 3 4", "4 1096 1097"])
    expected = {
        name: (4 * parts[0]["scores"][name] + 3 * parts[1]["scores"][name]) / 7 for name in LABELS
    }
    assert merged[1]["scores"] == pytest.approx(expected, abs=1e-6)
    assert merged[1]["scores"] != pytest.approx(predictor.predict(text)["scores"], abs=1e-3)
    for found, wanted in zip([merged[0], merged[2]], predictor.predict(["5", "6"]), strict=True):
        assert found["scores"] == pytest.approx(wanted["scores"], abs=1e-6)


def test_windows_need_a_reader_that_cuts() -> None:
    run = shipped("picture")
    pictures = load(run.folder / "bundle", catalog=run.catalog)
    with pytest.raises(ValueError, match="the reader of 'picture' does not"):
        pictures.predict(run.rows["test"].raws[0], long="window")


def test_a_warm_up_computes_once(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    inner = predictor._session.run

    def watched(feed: dict[str, Any]) -> Any:
        seen.append(feed)
        return inner(feed)

    monkeypatch.setattr(predictor._session, "run", watched)
    predictor.warmup()
    (feed,) = seen
    assert {name: (array.shape[0], array.dtype.name) for name, array in feed.items()} == {
        "input_ids": (1, "int64"),
        "attention_mask": (1, "int64"),
    }


def test_on_a_graphics_processor_int8_is_not_chosen(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multigraft.runtime.loading.prefers_half", lambda providers: True)
    assert load(run.folder / "bundle", catalog=run.catalog).precision == "fp32"
    assert load(run.folder / "bundle", precision="int8", catalog=run.catalog).precision == "int8"


def test_a_bad_item_is_named(predictor: Predictor) -> None:
    with pytest.raises(RowError, match=r"^item 2: 'x' holds no known numbers"):
        predictor.predict(["1", "2", "x"])
    with pytest.raises(RowError, match=r"^'x' holds"):
        predictor.predict("x")


@pytest.mark.parametrize("many", [False, True])
def test_whatever_a_reader_raises_is_that_items_error(predictor: Predictor, many: bool) -> None:
    class Odd:
        """The bundle's reader, which a plugin wrote without care."""

        def __getattr__(self, name: str) -> Any:
            return getattr(predictor.reader, name)

        def read(self, raw: Any) -> Any:
            return predictor.reader.read(raw) if raw != "9" else raw.width

        def windows(self, raw: Any) -> Any:
            return [self.read(raw)]

    careless = predictor.with_reader(Odd())  # type: ignore[arg-type]
    asked = ["1", "9", "2"] if many else "9"
    said = "the reader failed (AttributeError: 'str' object has no attribute 'width')"
    for long in ("truncate", "window"):
        with pytest.raises(RowError, match=r"^(item 1: )?the reader failed \(AttributeError"):
            careless.predict(asked, long=long)
        answers = careless.predict(asked, long=long, on_error="return")
        answer = answers[1] if many else answers
        assert answer == {"error": f"item 1: {said}" if many else said}


def test_a_batch_size_below_one_is_refused(predictor: Predictor) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        predictor.predict(["1"], batch_size=0)


def test_outputs_are_those_of_the_graph(predictor: Predictor, run: Any) -> None:
    raws = run.rows["test"].raws[:5]
    outputs = predictor.outputs(raws, batch_size=2)
    assert [set(row) for row in outputs] == [{"probabilities", "logits"}] * 5
    answers = scores(predictor.predict(raws))
    np.testing.assert_allclose([row["probabilities"] for row in outputs], answers, atol=1e-6)


def test_threads_may_share_a_predictor(predictor: Predictor, run: Any) -> None:
    raws = run.rows["test"].raws
    wanted = scores(predictor.predict(raws))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: scores(predictor.predict(raws, batch_size=4)), range(32)))
    for answers in found:
        np.testing.assert_allclose(answers, wanted, atol=1e-6)


def test_the_preferred_precision_is_used(run: Any) -> None:
    predictor = load(run.folder / "bundle", precision="auto", catalog=run.catalog, threads=1)
    assert predictor.precision == "int8"
    rows = run.rows["test"]
    assert [answer["label"] for answer in predictor.predict(rows.raws)] == rows.labels


def test_a_precision_that_is_not_there_is_said(run: Any, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"'bf16' was not exported; the bundle holds fp32, int8"):
        load(run.folder / "bundle", precision="bf16", catalog=run.catalog)


def test_an_unknown_provider_is_said(run: Any) -> None:
    with pytest.raises(
        BundleError, match=r"'moon' is not in this onnxruntime; allowed: .*cpu"
    ) as caught:
        load(run.folder / "bundle", providers="moon", catalog=run.catalog)
    assert "onnxruntime-openvino" in str(caught.value)


def test_short_names_of_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    known = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: known)
    assert provider_names("cuda") == provider_names(["CUDAExecutionProvider", "cpu"]) == known
    assert provider_names(None) == provider_names("CPU") == ["CPUExecutionProvider"]
    assert (prefers_half("cuda"), prefers_half(None)) == (True, False)
    with pytest.raises(
        BundleError, match=r"'coreml' is not in this onnxruntime; allowed: cpu, cuda"
    ):
        provider_names("coreml")


def test_a_missing_plugin_is_named(run: Any) -> None:
    with pytest.raises(
        BundleError,
        match=r"unknown modality 'numbers'[\s\S]*the modality came from plugin "
        r"'helpers.toy_plugin'",
    ):
        load(run.folder / "bundle", catalog=mg.Catalog(discover=False))


def test_a_missing_plugin_is_named_with_its_package(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    for path in (run.folder / "bundle").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    raw = json.loads((folder / "bundle.json").read_text())
    raw["owners"]["modality"] = {"plugin": "toys", "version": "1.2", "distribution": "toy-box"}
    raw["sha256"] = manifest_hash(raw)
    (folder / "bundle.json").write_text(json.dumps(raw))
    with pytest.raises(BundleError, match=r"plugin 'toys' 1\.2  ->  pip install \"toy-box==1\.2\""):
        load(folder, catalog=mg.Catalog(discover=False))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_pictures_of_any_batch(precision: str) -> None:
    """A static int8 graph answers a row as it does alone, whatever stands beside it."""
    run = shipped("picture")
    rows = run.rows["test"]
    predictor = load(run.folder / "bundle", precision=precision, catalog=run.catalog)
    answers = predictor.predict(rows.raws, batch_size=7)
    assert [answer["label"] for answer in answers] == rows.labels
    alone = [predictor.predict(raw) for raw in rows.raws[:5]]
    np.testing.assert_allclose(scores(alone), scores(answers[:5]), atol=1e-6)


WITHOUT_TORCH = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        absent = {"torch", "transformers", "timm", "datasets", "accelerate", "onnx"}
        if name.partition(".")[0] in absent:
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Absent())
import json
import multigraft as mg
from helpers import toy_plugin

predictor = mg.load(sys.argv[1], catalog=mg.Catalog([toy_plugin], discover=False))
print(json.dumps(predictor.predict(json.loads(sys.argv[2]))))
"""


@pytest.mark.parametrize("threshold", [None, 0.5])
def test_a_pickled_predictor_opens_its_folder_again(
    run: Any,
    predictor: Predictor,
    threshold: float | None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    raws = run.rows["test"].raws[:5]
    kept = pickle.dumps(predictor)
    assert len(kept) < 2000, "its weights are not in it"
    monkeypatch.chdir(tmp_path)  # where it lies is known whole
    for other in (
        pickle.loads(kept),
        copy.copy(predictor),
        copy.deepcopy({"held": predictor})["held"],
    ):
        assert other.precision == predictor.precision
        assert other.predict(raws, threshold=threshold) == predictor.predict(
            raws, threshold=threshold
        )


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_a_predictor_answers_in_other_processes(run: Any, predictor: Predictor, way: str) -> None:
    raws = run.rows["test"].raws[:4]
    with multiprocessing.get_context(way).Pool(1) as pool:
        found = pool.apply_async(predictor.predict, (raws,)).get(60)
    np.testing.assert_allclose(scores(found), scores(predictor.predict(raws)), atol=1e-6)


def test_a_pickled_predictor_does_not_answer_from_another_bundle(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(run.folder / "bundle", folder)
    kept = pickle.dumps(load(folder, catalog=run.catalog))
    seal(read_manifest(folder).model_copy(update={"notes": ("exported again",)}), folder)
    with pytest.raises(
        BundleError, match="holds another bundle than when the predictor was opened"
    ):
        pickle.loads(kept)


def test_a_pickled_predictor_whose_bundle_changed_is_refused(run: Any, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run.folder / "bundle", tmp_path / "bundle"))
    kept = pickle.dumps(load(folder, catalog=run.catalog))
    (folder / "words.json").write_text("{}")
    with pytest.raises(BundleError, match=r"words.json"):
        pickle.loads(kept)


def test_a_wrong_question_is_one_of_our_errors(predictor: Predictor) -> None:
    for asked in ({"top_k": 0}, {"batch_size": 0}):
        with pytest.raises(PredictError, match="at least 1"):
            predictor.predict("1 2", **asked)


@pytest.mark.parametrize(
    "count", [1.5, 2.0, True, False, "3", float("nan"), -1, np.float32(2), np.bool_(True)]
)
def test_a_count_that_is_no_whole_number_is_refused(
    predictor: Predictor, run: Any, count: Any
) -> None:
    told = "it must be a whole number of at least 1"
    for raw in ("1 2", ["1 2"], []):
        with pytest.raises(PredictError, match=r"top_k is .*; it should be (a whole|at least 1)"):
            predictor.predict(raw, top_k=count)
        with pytest.raises(PredictError, match=f"batch_size is .*; {told}"):
            predictor.predict(raw, batch_size=count)
    with pytest.raises(PredictError, match=f"batch_size is .*; {told}"):
        predictor.outputs(["1 2"], batch_size=count)
    with pytest.raises(PredictError, match=f"threads is .*; {told}"):
        load(run.folder / "bundle", threads=count, catalog=run.catalog)


def test_a_count_may_be_numpy_s(predictor: Predictor, run: Any) -> None:
    (answer,) = predictor.predict(["1 2"], top_k=np.int64(1), batch_size=np.int32(1))
    assert len(answer["scores"]) == 1
    assert load(run.folder / "bundle", threads=np.int64(1), catalog=run.catalog).predict("1 2")


@pytest.mark.parametrize("threshold", [float("nan"), 2, 1.1, -1, float("inf"), "0.5"])
@pytest.mark.parametrize("raw", ["1 2", ["1 2"], [], ["x"]])
def test_a_threshold_no_score_can_be_held_to_is_refused(
    predictor: Predictor, threshold: Any, raw: Any
) -> None:
    with pytest.raises(PredictError, match=r"threshold is .*; it should be (a num|finite|at )"):
        predictor.predict(raw, threshold=threshold, on_error="return")


@pytest.mark.parametrize("threshold", [0, 1, np.float32(0.5)])
def test_a_threshold_may_be_any_kind_of_number(predictor: Predictor, threshold: Any) -> None:
    assert all(
        score >= threshold
        for score in predictor.predict("1 2", threshold=threshold)["scores"].values()
    )


def test_what_a_task_does_not_take_is_refused(predictor: Predictor) -> None:
    with pytest.raises(PredictError, match=r"take no 'topk'; did you mean 'top_k'"):
        predictor.predict("1 2", topk=1)
    assert check_asked({}, {"top_k": None}, task="bare") == {}
    for asked in ({"top_k": 1}, {"threshold": 0.5}):
        with pytest.raises(PredictError, match=r"of task 'bare' take no .*nothing may be asked"):
            check_asked(ANSWERS["embedding"]({}).asks, asked, task="bare")


class Positions(Answers):
    """An answer that has something for each position, of several windows one after another."""

    joins = True

    def answer(self, raw: Any, windows: Sequence[Window], asked: Mapping[str, Any]) -> Answer:
        assert [window.row["input_ids"].shape for window in windows] == [
            (window.length,) for window in windows
        ]
        sizes = [window.outputs["probabilities"][: window.length] for window in windows]
        return {"raw": raw, "sizes": np.concatenate(sizes).tolist()}


def test_windows_of_unequal_padding_are_joined(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that answers each position: windows that stood in different batches are of different
    length, and their rows are unpadded."""
    own = load(run.folder / "bundle", precision="fp32", catalog=run.catalog)

    class Graph:
        outputs = ("probabilities",)

        def run(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {"probabilities": arrays["input_ids"].astype(np.float32)}

    monkeypatch.setattr(own, "_session", Graph())
    monkeypatch.setattr(own, "_maker", Positions())
    texts = ["1 2 3 4 5 6", "7 8", "9 10 11 12 13 14 15 16", "17"]
    windows = [["1 2 3 4", "4 5 6"], ["7 8"], ["9 10 11 12", "12 13 14 15", "15 16"], ["17"]]
    for batch_size in (1, 2, 3, None):
        found = own.predict(texts, long="window", batch_size=batch_size)
        for text, answer, parts in zip(texts, found, windows, strict=True):
            real = [float(word) for part in parts for word in part.split()]
            assert answer == {"raw": text, "sizes": real}


def test_windows_need_answers_that_join(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    own = load(run.folder / "bundle", catalog=run.catalog)
    monkeypatch.setattr(own, "_maker", ANSWERS["embedding"]({}))
    with pytest.raises(PredictError, match="the task of 'numbers-classification' does not"):
        own.predict("1 2 3 4 5 6", long="window")


@pytest.mark.parametrize(
    ("side", "told"), [("output", "lists the output"), ("input", "does not list the input 'more'")]
)
def test_a_graph_that_is_not_the_manifests_is_refused(
    run: Any, tmp_path: Path, side: str, told: str
) -> None:
    import onnx

    folder = Path(shutil.copytree(run.folder / "bundle", tmp_path / "bundle"))
    bundle = read_manifest(folder)
    for name in ("model.onnx", "model.int8.onnx"):
        model = onnx.load(folder / name)
        if side == "output":
            del model.graph.output[0]
        else:
            model.graph.input.append(onnx.helper.make_tensor_value_info("more", 1, ["batch"]))
        onnx.save(model, folder / name)
    (folder / "bundle.json").unlink()
    seal(bundle, folder)
    with pytest.raises(BundleError, match=f"do not belong together: it {told}"):
        load(folder, catalog=run.catalog)


def test_outputs_that_make_no_answer_are_said(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    own = load(run.folder / "bundle", catalog=run.catalog)
    monkeypatch.setattr(own, "_maker", ANSWERS["embedding"]({}))
    with pytest.raises(
        BundleError, match="no answer can be made of outputs logits, probabilities of task"
    ):
        own.predict(["1", "2"])


def test_values_of_an_iterator_count_with_what_they_hold(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers see the raw value, so it waits for its batch; a list holds its values itself."""
    seen: list[int] = []
    inner = predictor.answers

    def watched(values: Sequence[ReadValue], *, batch_size: int | None = None) -> Any:
        seen.append(len(values))
        return inner(values, batch_size=batch_size)

    monkeypatch.setattr(predictor, "answers", watched)
    monkeypatch.setattr("multigraft.runtime.length_batches.READ_BYTES", 2000)
    texts = ["1 2" + " " * 5000] * 3
    assert predictor.predict(iter(texts)) == predictor.predict(texts)
    assert seen == [1, 1, 1, 3]


def test_a_bundle_answers_without_torch(run: Any) -> None:
    raws = run.rows["test"].raws[:6]
    finished = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(run.folder / "bundle"), json.dumps(raws)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(toy_plugin.__file__).parents[1],
    )
    assert finished.returncode == 0, finished.stderr
    here = load(run.folder / "bundle", catalog=run.catalog).predict(raws)
    np.testing.assert_allclose(scores(json.loads(finished.stdout)), scores(here), atol=1e-6)
