from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import multigraft as mg
from helpers import toy_plugin
from helpers.toy_runs import (
    WIDTH,
    PictureBackbone,
    WrongWhenExported,
    exported,
    numbers_run,
    picture_run,
    steady,
)
from multigraft.contracts.report import Report
from multigraft.errors import BundleError, ExportError, PredictError
from multigraft.export import export_bundle
from multigraft.export.acceptance.gate import measure_graphs, numbered_batches
from multigraft.models.modes import evaluating
from multigraft.runtime import load
from multigraft.runtime.bundle import open_bundle


@pytest.fixture(autouse=True)
def steady_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which precision is fastest must not depend on what else this machine does."""
    monkeypatch.setattr("multigraft.export.acceptance.latency.medians", steady)


@pytest.fixture(scope="module")
def numbers() -> tuple[Any, Report]:
    return exported("numbers")


@pytest.fixture(scope="module")
def pictures() -> tuple[Any, Report]:
    return exported("picture")


@pytest.mark.parametrize("which", ["numbers", "pictures"])
def test_both_precisions_are_measured_and_accepted(
    which: str, request: pytest.FixtureRequest
) -> None:
    run, report = request.getfixturevalue(which)
    bundle = open_bundle(run.folder / "bundle")
    fp32, int8 = bundle.precisions["fp32"], bundle.precisions["int8"]
    assert (fp32.accepted, int8.accepted, bundle.default) == (True, True, "int8")
    assert (fp32.metric, fp32.value, int8.value, int8.rows) == ("accuracy", 1.0, 1.0, 40)
    assert (int8.changed, fp32.changed) == (0, None)
    assert fp32.parity is not None and fp32.parity < 1e-5
    assert int8.parity is not None and int8.parity > 0
    assert report.metrics["int8 accuracy"].low == 1.0
    assert report.files == {"bundle": str(run.folder / "bundle")}


def test_the_manifest_names_axes_and_used_inputs_only(numbers: Any, pictures: Any) -> None:
    bundle = open_bundle(numbers[0].folder / "bundle")
    # token_type_ids is read, but the backbone does not use it
    assert [(port.name, port.dtype, port.shape) for port in bundle.inputs] == [
        ("input_ids", "int64", ("batch", "length")),
        ("attention_mask", "int64", ("batch", "length")),
    ]
    assert [port.name for port in bundle.outputs] == ["probabilities", "logits"]
    bundle = open_bundle(pictures[0].folder / "bundle")
    assert [port.shape for port in bundle.inputs] == [("batch", 3, 8, 8)]


def test_int8_holds_int8_weights(numbers: Any, pictures: Any) -> None:
    model = onnx.load(numbers[0].folder / "bundle" / "model.int8.onnx")
    kinds = {node.op_type for node in model.graph.node}
    assert "MatMulInteger" in kinds and "MatMul" not in kinds
    tables = [
        w for w in model.graph.initializer if w.name == "graft.backbone.embedding.weight.int8"
    ]
    assert [table.data_type for table in tables] == [onnx.TensorProto.INT8]
    model = onnx.load(pictures[0].folder / "bundle" / "model.int8.onnx")
    weights = {w.name: w for w in model.graph.initializer}
    made = {name: node for node in model.graph.node for name in node.output}
    for conv in [node for node in model.graph.node if node.op_type == "Conv"]:
        source = made[conv.input[1]]
        assert source.op_type == "DequantizeLinear"
        assert weights[source.input[0]].data_type == onnx.TensorProto.INT8
        assert list(weights[source.input[1]].dims) == [WIDTH]  # a scale for each channel


def test_the_graph_holds_no_path_of_this_machine(numbers: Any, pictures: Any) -> None:
    here = str(Path(__file__).parent.parent.parent).encode()
    for run, _ in (numbers, pictures):
        for path in (run.folder / "bundle").iterdir():
            assert here not in path.read_bytes(), path


def test_the_card_runs_with_onnxruntime_alone(
    numbers: Any, pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run, _ in (numbers, pictures):
        card = (run.folder / "bundle" / "README.md").read_text()
        blocks = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
        code = next(block for block in blocks if "import onnxruntime" in block)
        monkeypatch.chdir(run.folder)
        names: dict[str, Any] = {}
        exec(code, names)
        assert names["outputs"][0].shape == (1, 2)
        assert "accuracy 1.0000 [1.0000, 1.0000]" in card


def test_the_model_is_left_in_the_mode_it_was_in(numbers: Any) -> None:
    run, _ = numbers
    assert all(module.training for module in run.graft.modules())
    run.graft.backbone.eval()
    with evaluating(run.graft):
        assert not run.graft.training
    assert run.graft.training and not run.graft.backbone.training
    run.graft.train()


def test_int8_that_collapses_is_refused(tmp_path: Path) -> None:
    """One feature a thousand times larger than the one that decides takes the whole int8 range."""
    run = numbers_run(tmp_path, spike=3000.0)
    report = export_bundle(run)
    bundle = open_bundle(tmp_path / "bundle")
    refused = bundle.precisions["int8"]
    assert (refused.accepted, refused.file, bundle.default) == (False, None, "fp32")
    assert refused.value == 0.5 and refused.changed == 20
    assert report.notes == (f"int8 was refused: {refused.reason}",)
    low, high = refused.lost_low, refused.lost_high
    assert refused.lost == 50 and low is not None and high is not None and 25 < low < 50 < high < 75
    numbers = "(accuracy 0.5, fp32 1, 40 rows)"
    assert (
        refused.reason == f"dynamic: loses 50.00 [{low:.2f}, {high:.2f}] of 0.5 allowed {numbers}"
    )
    # what was measured is kept
    assert set(refused.latency) == {1, 4, 8, 16, 32} and refused.size > 0
    assert not (tmp_path / "bundle" / "model.int8.onnx").exists()
    assert load(tmp_path / "bundle", catalog=run.catalog).precision == "fp32"
    with pytest.raises(BundleError, match=r"'int8' was refused: dynamic: .*the bundle holds fp32"):
        load(tmp_path / "bundle", precision="int8", catalog=run.catalog)


def test_int8_that_collapses_keeps_layers_in_float(tmp_path: Path) -> None:
    """The head alone is spoilt by the spike; with it in float the rest of the graph is int8."""
    run = numbers_run(tmp_path, spike=3000.0, repair=120)
    export_bundle(run)
    bundle = open_bundle(tmp_path / "bundle")
    int8 = bundle.precisions["int8"]
    assert (int8.accepted, int8.value, int8.changed, bundle.default) == (True, 1.0, 0, "int8")
    assert int8.floats == ("head.linear",)
    assert "with 1 of 3 layers in float (head.linear) it loses 0.00" in int8.reason
    kinds = {node.op_type for node in onnx.load(tmp_path / "bundle" / "model.int8.onnx").graph.node}
    assert {"MatMulInteger", "MatMul"} <= kinds  # the head is a product and an addition now
    answers = load(tmp_path / "bundle", catalog=run.catalog).predict(run.rows["test"].raws)
    assert [answer["label"] for answer in answers] == run.rows["test"].labels


def test_a_static_graph_keeps_layers_in_float_too(tmp_path: Path) -> None:
    export_bundle(picture_run(tmp_path, PictureBackbone(spike=3000.0), repair=120))
    int8 = open_bundle(tmp_path / "bundle").precisions["int8"]
    assert int8.accepted and int8.value == 1.0
    assert int8.floats and len(int8.floats) < 3


def test_a_graph_with_float_layers_must_still_be_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multigraft.export.acceptance.latency.medians", slow_int8)
    export_bundle(numbers_run(tmp_path, spike=3000.0, repair=120))
    int8 = open_bundle(tmp_path / "bundle").precisions["int8"]
    assert not int8.accepted and int8.floats == ()
    assert int8.reason.endswith("(head.linear) it takes 3 ms a row, fp32 2 ms")


def slow_int8(contenders: Any, batches: Any) -> dict[str, dict[int, float]]:
    return {
        name: {batch.rows: {"int8": 3.0}.get(name, 2.0) * batch.rows for batch in batches}
        for name in contenders
    }


def test_the_fastest_accepted_precision_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multigraft.export.acceptance.latency.medians", slow_int8)
    report = export_bundle(numbers_run(tmp_path))
    bundle = open_bundle(tmp_path / "bundle")
    assert bundle.precisions["int8"].accepted and bundle.default == "fp32"
    assert report.notes[0].startswith(
        "int8 took 3 ms a row on this machine, fp32 2 ms: fp32 is the default"
    )


def test_few_held_out_rows_accept_nothing_but_fp32(tmp_path: Path) -> None:
    export_bundle(numbers_run(tmp_path, rows=None))
    int8 = open_bundle(tmp_path / "bundle").precisions["int8"]
    assert not int8.accepted
    assert int8.reason == (
        "40 held-out rows are too few to tell a loss of 0.5 points; 200 are needed (export.rows)"
    )


def test_fp16_is_kept_and_never_a_processors_default(tmp_path: Path) -> None:
    """Although the steady machine calls it the fastest."""
    run = numbers_run(tmp_path, precisions=["fp32", "fp16"])
    export_bundle(run)
    bundle = open_bundle(tmp_path / "bundle")
    fp32, fp16 = bundle.precisions["fp32"], bundle.precisions["fp16"]
    assert (fp16.accepted, fp16.changed, bundle.default) == (True, 0, "fp32")
    assert fp16.size < 0.7 * fp32.size
    answers = load(tmp_path / "bundle", precision="fp16", catalog=run.catalog).predict(
        run.rows["test"].raws
    )
    assert [answer["label"] for answer in answers] == run.rows["test"].labels


def test_fp32_is_kept_where_int8_alone_was_asked_for_and_refused(tmp_path: Path) -> None:
    report = export_bundle(
        picture_run(tmp_path, PictureBackbone(spike=3000.0), precisions=["int8"])
    )
    bundle = open_bundle(tmp_path / "bundle")
    assert bundle.precisions["int8"].reason.startswith("static: loses")
    assert (bundle.default, bundle.precisions["fp32"].value) == ("fp32", 1.0)
    assert any("next safer precision" in note for note in report.notes)


def test_a_refused_static_graph_is_followed_by_a_dynamic_one(tmp_path: Path) -> None:
    """One loud training row spoils the ranges of a static graph; a dynamic one never sees it."""
    export_bundle(numbers_run(tmp_path, quantization="static", loud=10_000.0))
    int8 = open_bundle(tmp_path / "bundle").precisions["int8"]
    assert (int8.accepted, int8.value, int8.changed) == (True, 1.0, 0)
    static, dynamic = int8.reason.split("; ")
    assert static.startswith("static: loses 50.00 [") and static.endswith(
        "(accuracy 0.5, fp32 1, 40 rows)"
    )
    assert (
        dynamic == "dynamic: loses 0.00 [0.00, 0.00] of 0.5 allowed (accuracy 1, fp32 1, 40 rows)"
    )


def test_a_pretrained_model_is_judged_by_its_embeddings(tmp_path: Path) -> None:
    """And a new bundle replaces the old one whole."""
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "model.old.onnx").write_text("old")
    run = numbers_run(tmp_path, stage="pretraining")
    export_bundle(run)
    bundle = open_bundle(tmp_path / "bundle")
    int8 = bundle.precisions["int8"]
    assert int8.metric == "embedding_similarity" and int8.accepted
    assert int8.value is not None and 0.99 < int8.value < 1.0
    raws = run.rows["test"].raws[:3]
    answers = load(tmp_path / "bundle", precision="fp32", catalog=run.catalog).predict(raws)
    run.graft.eval()
    for raw, answer in zip(raws, answers, strict=True):
        batch = {
            name: torch.from_numpy(array)[None] for name, array in run.reader.read(raw).items()
        }
        with torch.inference_mode():
            wanted = run.graft.backbone(batch).pooled[0].numpy()
        np.testing.assert_allclose(answer["embedding"], wanted, atol=1e-5)


def test_int8_alone_ships_int8_alone_with_large_weights_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multigraft.export.graph.storage.INLINE_LIMIT", 1000)
    run = numbers_run(tmp_path, precisions=["int8"])
    export_bundle(run)
    bundle = open_bundle(tmp_path / "bundle")
    assert (bundle.default, bundle.precisions["fp32"].accepted) == ("int8", False)
    graphs = sorted(name for name in bundle.files if name.startswith("model"))
    assert graphs == ["model.int8.onnx", "model.int8.onnx.data"]
    rows = run.rows["test"]
    answers = load(tmp_path / "bundle", catalog=run.catalog).predict(rows.raws)
    assert [answer["label"] for answer in answers] == rows.labels


def test_without_held_out_rows_int8_is_refused(tmp_path: Path) -> None:
    report = export_bundle(numbers_run(tmp_path, splits=("train",)))
    bundle = open_bundle(tmp_path / "bundle")
    assert bundle.precisions["fp32"].value is None
    assert report.notes == ("int8 was refused: no rows are held out to measure it on",)


def test_what_no_rows_could_accept_is_refused_before_rows_are_asked_for(tmp_path: Path) -> None:
    few = {"splits": ("train", "test"), "rows": None}
    fragile = export_bundle(picture_run(tmp_path, PictureBackbone(groups=WIDTH), **few))
    (note,) = fragile.notes
    assert note.startswith("int8 was refused: it has 1 depthwise convolution, whose few weights")
    float_alone = export_bundle(numbers_run(tmp_path, quantization="none", **few))
    assert float_alone.notes == ("int8 was refused: its backbone is not meant to be quantised",)


def test_a_graph_that_answers_otherwise_is_caught(tmp_path: Path) -> None:
    """And the bundle that stood there before is left as it was."""
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "bundle.json").write_text("older")
    run = picture_run(tmp_path, WrongWhenExported())
    with pytest.raises(
        ExportError, match=r"not answer as the model does: output 'probabilities'.*toy row"
    ):
        export_bundle(run)
    assert [path.name for path in tmp_path.rglob("*")] == ["bundle", "bundle.json"]


def test_a_task_must_serve_what_its_metrics_need(numbers: Any) -> None:
    run, _ = numbers

    class Forgetful:
        """A session of a graph whose objective served too little."""

        def run(self, arrays: Any) -> Any:
            return {"probabilities": np.ones((len(arrays["input_ids"]), 2), dtype=np.float32) / 2}

    with pytest.raises(
        ExportError, match=r"serves probabilities, but its loss or metrics need 'logits'"
    ):
        measure_graphs(run, "test", {"fp32": Forgetful()})  # type: ignore[dict-item]


def test_the_gate_reads_within_the_budget_of_a_batch(tmp_path: Path) -> None:
    run = numbers_run(tmp_path)
    assert max(len(batch["label"]) for _, batch in numbered_batches(run, "test")) > 3
    limited = run.recipe.training.model_copy(update={"batch_budget": 36})
    run.recipe = run.recipe.model_copy(update={"training": limited})
    sizes = [batch["input_ids"].shape for _, batch in numbered_batches(run, "test")]
    assert max(rows * length for rows, length in sizes) <= 36
    assert sum(rows for rows, _ in sizes) == 40


@pytest.mark.parametrize(
    ("served", "told"),
    [
        (
            lambda outputs: {**outputs, "input_ids": outputs["logits"]},
            "serve gives 'input_ids', which is",
        ),
        (
            lambda outputs: {"attention_mask": outputs["logits"]},
            "serve gives 'attention_mask', which is",
        ),
        (lambda outputs: {}, r"serve gives \[\]; named outputs are needed"),
        (lambda outputs: {"": outputs["logits"]}, r"serve gives \[''\]; named outputs are needed"),
    ],
)
def test_what_is_served_must_have_names_that_a_graph_can_have(
    tmp_path: Path, served: Any, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = numbers_run(tmp_path, precisions=("fp32",))
    monkeypatch.setattr(run.objective, "serve", lambda features, outputs: served(outputs))
    with pytest.raises(ExportError, match=told):
        export_bundle(run)
    assert not (tmp_path / "bundle").exists()


def test_a_task_without_answers_answers_with_what_it_serves(tmp_path: Path) -> None:
    """Not with an embedding that its graph never gives."""
    run = numbers_run(tmp_path, precisions=("fp32",))
    run.resolved.task = replace(run.resolved.task, answers=None)
    export_bundle(run)
    bundle = open_bundle(tmp_path / "bundle")
    assert bundle.decode == "outputs"
    for tasks in ((run.resolved.task,), ()):  # with the task's plugin, and without
        known = mg.Catalog([NumbersAlone(tasks)], discover=False)
        predictor = load(tmp_path / "bundle", catalog=known)
        answers = predictor.predict(["1 2 3", "900"])
        assert [sorted(answer) for answer in answers] == [["logits", "probabilities"]] * 2
        assert sum(answers[0]["probabilities"]) == pytest.approx(1)
        with pytest.raises(PredictError, match="take no 'threshold'"):
            predictor.predict("1 2 3", threshold=0.5)


@dataclass(frozen=True, eq=False)
class NumbersAlone:
    """The toy's modality, with other tasks."""

    tasks: tuple[mg.Task, ...]

    @mg.hookimpl
    def register_tasks(self) -> list[mg.Task]:
        return list(self.tasks)

    @mg.hookimpl
    def register_modalities(self) -> list[mg.Modality]:
        return list(toy_plugin.register_modalities())


class WholeNumbers(mg.Answers):
    def __init__(self, targets: Any) -> None:
        del targets

    def answer(self, raw: Any, windows: Any, asked: Any) -> dict[str, Any]:
        (window,) = windows
        assert (raw.split(), window.length) == (raw.split(), len(window.row["input_ids"]))
        return {"low": round(1000 * float(window.outputs["probabilities"][1]))}


def test_answers_that_are_whole_numbers_are_only_numbers(tmp_path: Path) -> None:
    """They differ by rounding in another precision, and are no other answer for that."""
    run = numbers_run(tmp_path)
    run.resolved.task = replace(run.resolved.task, answers=WholeNumbers)
    export_bundle(run)
    int8 = open_bundle(tmp_path / "bundle").precisions["int8"]
    assert (int8.accepted, int8.changed) == (True, None)


def test_a_model_that_cannot_be_traced_is_said(tmp_path: Path) -> None:
    run = picture_run(tmp_path)
    run.graft.backbone = Curious()
    with pytest.raises(ExportError, match=r"cannot make a graph of this model: \w+"):
        export_bundle(run)


class Curious(PictureBackbone):
    """It branches on data."""

    def forward(self, batch: Any) -> Any:
        if batch["pixel_values"].sum() > 0:
            return super().forward(batch)
        return super().forward({"pixel_values": batch["pixel_values"] * 2})
