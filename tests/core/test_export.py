from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from multigraft.bundle import open_bundle
from multigraft.errors import ExportError
from multigraft.export import export_bundle
from multigraft.export.graph import evaluating
from multigraft.report import Report
from multigraft.runtime import load
from toy_runs import WIDTH, PictureBackbone, WrongWhenExported, centre, numbers_run, picture_run


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Report]:
    run = numbers_run(tmp_path_factory.mktemp("numbers"))
    return run, export_bundle(run)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Report]:
    run = centre(picture_run(tmp_path_factory.mktemp("pictures")))
    return run, export_bundle(run)


@pytest.mark.parametrize("which", ["numbers", "pictures"])
def test_both_precisions_are_measured_and_accepted(which: str, request: pytest.FixtureRequest) -> None:
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
    assert [(port.name, port.dtype, port.shape) for port in bundle.inputs] == [
        ("input_ids", "int64", ("batch", "length")),
        ("attention_mask", "int64", ("batch", "length")),
    ]  # token_type_ids is read, but the backbone does not use it
    assert [port.name for port in bundle.outputs] == ["probabilities", "logits"]
    bundle = open_bundle(pictures[0].folder / "bundle")
    assert [port.shape for port in bundle.inputs] == [("batch", 3, 8, 8)]


def test_int8_holds_int8_weights(numbers: Any, pictures: Any) -> None:
    model = onnx.load(numbers[0].folder / "bundle" / "model.int8.onnx")
    kinds = {node.op_type for node in model.graph.node}
    assert "MatMulInteger" in kinds and "MatMul" not in kinds
    tables = [w for w in model.graph.initializer if w.name == "graft.backbone.embedding.weight.int8"]
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
    assert "loses 50.00 of 0.5 allowed (accuracy 0.5, fp32 1, 40 rows)" in report.notes[0]
    assert not (tmp_path / "bundle" / "model.int8.onnx").exists()
    assert load(tmp_path / "bundle", catalog=run.catalog).precision == "fp32"
    with pytest.raises(Exception, match=r"'int8' was refused: loses 50\.00.*the bundle holds fp32"):
        load(tmp_path / "bundle", precision="int8", catalog=run.catalog)


def test_static_int8_that_collapses_is_refused(tmp_path: Path) -> None:
    run = centre(picture_run(tmp_path, PictureBackbone(spike=3000.0)))
    export_bundle(run)
    bundle = open_bundle(tmp_path / "bundle")
    assert not bundle.precisions["int8"].accepted
    assert bundle.precisions["fp32"].value == 1.0


def test_a_larger_budget_accepts_more(tmp_path: Path) -> None:
    export_bundle(numbers_run(tmp_path, spike=3000.0, budget=60.0))
    assert open_bundle(tmp_path / "bundle").default == "int8"


def test_depthwise_convolutions_are_not_quantised(tmp_path: Path) -> None:
    report = export_bundle(centre(picture_run(tmp_path, PictureBackbone(groups=WIDTH))))
    assert "int8 was refused: it has 1 depthwise convolutions" in report.notes[0]
    assert open_bundle(tmp_path / "bundle").default == "fp32"


def test_a_pretrained_model_is_judged_by_its_embeddings(tmp_path: Path) -> None:
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
        batch = {name: torch.from_numpy(array)[None] for name, array in run.reader.read(raw).items()}
        with torch.inference_mode():
            wanted = run.graft.backbone(batch).pooled[0].numpy()
        np.testing.assert_allclose(answer["embedding"], wanted, atol=1e-5)


def test_int8_alone_ships_int8_alone(tmp_path: Path) -> None:
    export_bundle(numbers_run(tmp_path, precisions=["int8"]))
    bundle = open_bundle(tmp_path / "bundle")
    assert (bundle.default, bundle.precisions["fp32"].accepted) == ("int8", False)
    assert not (tmp_path / "bundle" / "model.onnx").exists()


def test_fp32_is_kept_where_int8_alone_was_asked_for_and_refused(tmp_path: Path) -> None:
    report = export_bundle(numbers_run(tmp_path, precisions=["int8"], spike=3000.0))
    assert open_bundle(tmp_path / "bundle").default == "fp32"
    assert any("next safer precision" in note for note in report.notes)


def test_without_held_out_rows_int8_is_refused(tmp_path: Path) -> None:
    report = export_bundle(numbers_run(tmp_path, splits=("train",)))
    bundle = open_bundle(tmp_path / "bundle")
    assert bundle.precisions["fp32"].value is None
    assert "int8 was refused: no rows are held out" in report.notes[0]


def test_a_graph_that_answers_otherwise_is_caught(tmp_path: Path) -> None:
    """And the bundle that stood there before is left as it was."""
    export_bundle(centre(picture_run(tmp_path)))
    before = (tmp_path / "bundle" / "bundle.json").read_bytes()
    run = centre(picture_run(tmp_path, WrongWhenExported()))
    with pytest.raises(
        ExportError, match=r"does not answer as the model does: output 'probabilities'.*toy row"
    ):
        export_bundle(run)
    assert (tmp_path / "bundle" / "bundle.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_new_bundle_replaces_the_old_one_whole(tmp_path: Path) -> None:
    export_bundle(centre(picture_run(tmp_path)))
    export_bundle(numbers_run(tmp_path, precisions=["fp32"]))
    names = sorted(path.name for path in (tmp_path / "bundle").iterdir())
    assert names == ["README.md", "bundle.json", "model.onnx", "words.json"]
    assert open_bundle(tmp_path / "bundle").modality == "numbers"


def test_a_task_must_serve_what_its_metrics_need(tmp_path: Path) -> None:
    run = numbers_run(tmp_path)
    serve = run.objective.serve
    run.objective.serve = lambda *args: {"probabilities": serve(*args)["probabilities"]}
    with pytest.raises(ExportError, match=r"serves probabilities, but its loss or metrics need 'logits'"):
        export_bundle(run)


def test_a_model_that_cannot_be_traced_is_said(tmp_path: Path) -> None:
    run = centre(picture_run(tmp_path))

    class Curious(PictureBackbone):
        def forward(self, batch: Any) -> Any:
            if batch["pixel_values"].sum() > 0:  # a branch on data
                return super().forward(batch)
            return super().forward({"pixel_values": batch["pixel_values"] * 2})

    run.graft.backbone = Curious()
    with pytest.raises(ExportError, match=r"cannot make a graph of this model: \w+"):
        export_bundle(run)
