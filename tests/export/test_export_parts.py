"""The steps of an export by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

import multigraft as mg
from multigraft.contracts.types import Arrays
from multigraft.errors import ExportError
from multigraft.export.acceptance.latency import Timed, a_row, best_size, medians, trial
from multigraft.export.acceptance.parity import cases, check_parity
from multigraft.export.acceptance.verdict import points_lost
from multigraft.export.graph import trace as graphs
from multigraft.export.graph.surgery import (
    depthwise,
    float_nodes,
    fold_transposed,
    shrink_embeddings,
)
from multigraft.export.precision.quantize import (
    CannotQuantize,
    Way,
    impossible,
    prepare,
    quantize,
    ways,
    write,
)

ROWS = [{"x": np.arange(n, dtype=np.float32)} for n in (4, 1, 3)]
FILLS = {"x": 0.0}
TRIALS = cases(ROWS, [4, 1, 3], ["row 1", "row 2", "row 3"], FILLS)


def total(arrays: Arrays) -> Arrays:
    return {"total": arrays["x"].sum(1)}


def test_cases_are_real_rows_and_rows_of_other_lengths() -> None:
    assert [(case.places[0], len(case.rows)) for case in TRIALS[:4]] == [
        ("row 2", 1),
        ("row 1", 1),
        ("row 2", 3),
        ("row 2", 2),
    ]
    assert [[len(row["x"]) for row in case.rows] for case in TRIALS[4:]] == [[2], [2, 1], [4, 0]]
    # nothing is padded, so nothing can be cut
    assert len(cases(ROWS, [4, 1, 3], ["", "", ""], {})) == 4


def test_a_row_of_padding_alone_must_give_numbers_and_spoil_nothing() -> None:
    def mean(arrays: Arrays) -> Arrays:
        return {"mean": arrays["x"].mean(1)}

    def broken(arrays: Arrays) -> Arrays:
        real = arrays["x"].any(1)
        return {"mean": np.where(real, arrays["x"].mean(1), np.nan)}

    def otherwise(arrays: Arrays) -> Arrays:
        real = arrays["x"].any(1)
        return {"mean": np.where(real, arrays["x"].mean(1), 7.0)}

    empty = TRIALS[-1:]
    with pytest.raises(
        ExportError, match=r"gives NaN where the model does not.*nothing but padding"
    ):
        check_parity(mean, broken, empty, FILLS)
    assert check_parity(mean, otherwise, empty, FILLS) == 0.0
    # what the model cannot answer is not asked
    assert check_parity(broken, mean, empty, FILLS) == 0.0


def test_a_cut_row_that_the_model_cannot_take_is_passed_over() -> None:
    def picky(arrays: Arrays) -> Arrays:
        if arrays["x"].shape[1] == 2:
            raise RuntimeError("too short")
        return total(arrays)

    assert check_parity(picky, total, TRIALS, FILLS) == 0.0


def test_parity_gives_the_largest_difference() -> None:
    assert check_parity(
        total, lambda a: {"total": total(a)["total"] + np.float32(2e-4)}, TRIALS, FILLS
    ) == (
        pytest.approx(2e-4, rel=1e-2)  # of the shortest row, whose sum is 0; the longest sums to 6
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda y: y + 0.1, r"output 'total', the shortest row alone, at \(0,\), row 2"),
        (
            lambda y: y * np.where(y > 5, 2, 1),
            r"the longest row alone.*row 1: the model gives 6, the graph 12",
        ),
        (
            lambda y: y * np.array([1, 1, np.nan])[: len(y)],
            r"all rows in a batch.*\(2,\), row 1.*the graph nan",
        ),
        (lambda y: y[:, None], r"gives shape \(1,\), the graph \(1, 1\)"),
    ],
)
def test_parity_says_where_it_breaks(spoil: object, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        check_parity(total, lambda a: {"total": spoil(total(a)["total"])}, TRIALS, FILLS)  # type: ignore[operator]


def test_parity_refuses_a_model_that_gives_nan() -> None:
    def broken(arrays: Arrays) -> Arrays:
        return {"total": total(arrays)["total"] * np.nan}

    with pytest.raises(ExportError, match="the model itself gives NaN"):
        check_parity(broken, broken, TRIALS, FILLS)


def test_parity_takes_equal_infinities() -> None:
    def masked(arrays: Arrays) -> Arrays:
        return {"total": np.array([-np.inf] * len(arrays["x"]))}

    assert check_parity(masked, masked, TRIALS, FILLS) == 0.0


@pytest.mark.parametrize(
    ("metric", "fp32", "value", "greater", "lost"),
    [
        ("accuracy", 0.90, 0.89, True, 1.0),
        ("accuracy", 0.90, 0.91, True, -1.0),
        ("word_error_rate", 0.10, 0.12, False, 2.0),
        ("word_error_rate", 1.50, 1.51, False, 1.0),
        ("wer", 0.10, 0.12, False, 2.0),
        ("spoken_cer", 0.10, 0.12, False, 2.0),
        ("points_an_answer", 10.0, 10.1, False, 1.0),
        ("loss", 0.50, 0.51, False, 2.0),
        ("mean_absolute_error", 20.0, 21.0, False, 5.0),
        ("bleu", 40.0, 39.0, True, 2.5),
    ],
)
def test_points_lost(metric: str, fp32: float, value: float, greater: bool, lost: float) -> None:
    assert points_lost(metric, fp32=fp32, value=value, greater_is_better=greater) == pytest.approx(
        lost
    )


def _model(
    nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray], inputs: list, outputs: list
) -> onnx.ModelProto:
    initializers = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _answer(model: onnx.ModelProto, **arrays: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(model, full_check=True)
    answer: np.ndarray = onnxruntime.InferenceSession(model.SerializeToString()).run(None, arrays)[
        0
    ]
    return answer


def test_a_transposed_weight_becomes_a_constant() -> None:
    weight = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    model = _model(
        [
            helper.make_node("Transpose", ["w"], ["wt"], perm=[1, 0]),
            helper.make_node("MatMul", ["x", "wt"], ["y"]),
        ],
        {"w": weight},
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 5])],
    )
    x = np.ones((2, 3), dtype=np.float32)
    before = _answer(model, x=x)
    fold_transposed(model)
    assert [node.op_type for node in model.graph.node] == ["MatMul"]
    assert [weight.name for weight in model.graph.initializer] == ["wt"]
    np.testing.assert_array_equal(_answer(model, x=x), before)


def test_an_embedding_keeps_a_scale_for_each_row() -> None:
    rng = np.random.default_rng(0)
    table = (rng.normal(size=(600, 32)) * 10.0 ** rng.integers(-3, 3, (600, 1))).astype(np.float32)
    table[7] = 0
    model = _model(
        [helper.make_node("Gather", ["table", "ids"], ["y"], name="lookup")],
        {"table": table},
        [helper.make_tensor_value_info("ids", TensorProto.INT64, [2, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3, 32])],
    )
    ids = np.array([[0, 7, 599], [1, 2, 3]])
    shrink_embeddings(model)
    found, wanted = _answer(model, ids=ids), table[ids]
    assert model.ByteSize() < table.nbytes / 3
    worst = np.abs(wanted).max(-1, keepdims=True) / 254  # half a step of each row's own scale
    assert (np.abs(found - wanted) <= worst * 1.001).all()


def test_a_tied_table_stays_as_it_is() -> None:
    """A table that is also multiplied with cannot become int8 by rows."""
    table = np.ones((600, 32), dtype=np.float32)
    model = _model(
        [
            helper.make_node("Gather", ["table", "ids"], ["rows"]),
            helper.make_node("MatMul", ["table", "rows"], ["y"]),
        ],
        {"table": table},
        [helper.make_tensor_value_info("ids", TensorProto.INT64, [32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [600, 32])],
    )
    shrink_embeddings(model)
    assert [node.op_type for node in model.graph.node] == ["Gather", "MatMul"]


def _convolution(groups: int) -> onnx.ModelProto:
    weight = np.ones((8, 8 // groups, 1), dtype=np.float32)
    return _model(
        [helper.make_node("Conv", ["x", "w"], ["y"], name="conv", group=groups)],
        {"w": weight},
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 4])],
    )


def test_depthwise_convolutions_are_not_quantised(tmp_path: Path) -> None:
    source, target = tmp_path / "model.onnx", tmp_path / "model.int8.onnx"
    batches = [{"x": np.ones((1, 8, 4), dtype=np.float32)}]
    onnx.save(_convolution(groups=2), source)
    quantize(source, target, "static", iter(batches))
    assert target.exists()
    target.unlink()
    onnx.save(_convolution(groups=8), source)
    with pytest.raises(CannotQuantize, match="it has 1 depthwise convolution"):
        quantize(source, target, "static", iter(batches))
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_ways_to_int8(tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    onnx.save(_convolution(groups=1), source)
    assert ways("static", source) == ("static",)
    assert ways("dynamic", source) == ("dynamic",)
    assert ways("none", source) == ()
    onnx.save(_listening(), source)
    assert ways("dynamic", source) == ("hybrid", "dynamic")
    weights = {"w": np.ones((8, 9), dtype=np.float32)}
    product = helper.make_node("MatMul", ["x", "w"], ["y"], name="product")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 9])
    onnx.save(_model([product], weights, [x], [y]), source)
    assert ways("static", source) == ("static", "dynamic")


def test_graphs_that_no_way_takes_to_int8(tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    onnx.save(_convolution(groups=8), source)
    assert str(impossible("static", source)).startswith("it has 1 depthwise convolution, whose")
    assert impossible("none", source) == "its backbone is not meant to be quantised"
    assert impossible("dynamic", source) is None
    onnx.save(_convolution(groups=2), source)
    assert impossible("static", source) is None


def _listening() -> onnx.ModelProto:
    """Two convolutions over a sound, [B, 1, T] -> [B, 16, T], and a product."""
    rng = np.random.default_rng(0)
    weights = {
        "first": rng.normal(size=(16, 1, 1)).astype(np.float32),
        "inner": rng.normal(size=(16, 16, 1)).astype(np.float32),
        "matrix": rng.normal(size=(16, 4)).astype(np.float32),
    }
    return _model(
        [
            helper.make_node("Conv", ["x", "first"], ["a"], name="conv_first"),
            helper.make_node("Conv", ["a", "inner"], ["b"], name="conv_inner"),
            helper.make_node("Transpose", ["b"], ["c"], name="turned", perm=[0, 2, 1]),
            helper.make_node("MatMul", ["c", "matrix"], ["y"], name="product"),
        ],
        weights,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, "length"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "length", 4])],
    )


def _sounds() -> Iterator[Arrays]:
    rng = np.random.default_rng(1)
    yield from ({"x": rng.normal(size=(2, 1, 9)).astype(np.float32)} for _ in range(4))


def test_a_hybrid_has_ranges_for_convolutions_and_measures_those_of_products(
    tmp_path: Path,
) -> None:
    source, target = tmp_path / "model.onnx", tmp_path / "model.int8.onnx"
    onnx.save(_listening(), source)
    prepared = prepare(source, tmp_path, "hybrid")
    # a sound is one channel, and is left as it is
    assert prepared.layers == (
        "conv_inner",
        "product",
    )
    kinds = {}
    for floats in ((), ("conv_inner",), ("product",)):
        write(prepared, target, _sounds, floats=floats)
        kinds[floats] = {node.op_type for node in onnx.load(target).graph.node}
        found, wanted = (
            onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(
                None, next(_sounds())
            )
            for path in (target, source)
        )
        assert np.abs(found[0] - wanted[0]).max() < 0.1 * np.abs(wanted[0]).max()
    assert {"QuantizeLinear", "MatMulInteger"} <= kinds[()]
    assert "QuantizeLinear" not in kinds["conv_inner",]
    assert "MatMulInteger" not in kinds["product",]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("model.int8.onnx", "model.onnx", "prepared.onnx", "ranges.json")
    ]


@pytest.mark.parametrize("way", ["dynamic", "static", "hybrid"])
def test_int8_weights_keep_to_what_no_processor_saturates_on(way: Way, tmp_path: Path) -> None:
    source, target = tmp_path / "model.onnx", tmp_path / "model.int8.onnx"
    onnx.save(_listening(), source)
    quantize(source, target, way, _sounds())
    small = [
        numpy_helper.to_array(weight)
        for weight in onnx.load(target).graph.initializer
        if weight.data_type == TensorProto.INT8 and len(weight.dims) > 1
    ]
    assert small
    assert max(np.abs(array.astype(int)).max() for array in small) == 64


def test_the_largest_sums_of_int8_products_are_right_on_this_machine(tmp_path: Path) -> None:
    source, target = tmp_path / "model.onnx", tmp_path / "model.int8.onnx"
    weight, x = np.full((64, 32), 1.27, dtype=np.float32), np.full((8, 64), 255, dtype=np.float32)
    product = helper.make_node("MatMul", ["x", "w"], ["y"], name="product")
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [8, None]) for name in ("x", "y")
    ]
    onnx.save(_model([product], {"w": weight}, ports[:1], ports[1:]), source)
    quantize(source, target, "dynamic", iter(()))
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    # with weights of 8 bits a processor without VNNI gives about half of this
    np.testing.assert_allclose(session.run(None, {"x": x})[0], x @ weight, rtol=1e-5)


class Listener(nn.Module):
    """A front end with weights of its own, then normalisation, then what learns."""

    def __init__(self) -> None:
        super().__init__()
        self.frontend = nn.Sequential(nn.Conv1d(1, 8, 4, stride=2))
        self.body = nn.Conv1d(8, 8, 3, groups=8)

    def forward(self, sound: Tensor) -> Tensor:
        spectrum = self.frontend(sound.unsqueeze(1)).square().clamp(min=1e-6).log()
        summed: Tensor = self.body((spectrum - 1) / 2).mean((1, 2))
        return summed


def test_front_end_and_normalisation_stay_float(tmp_path: Path) -> None:
    program = torch.onnx.export(
        Listener().eval(), (torch.randn(2, 32),), dynamo=True, opset_version=20, verbose=False
    )
    graphs._tidy(program.model)
    program.save(tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx").graph
    convs = [node.name for node in graph.node if node.op_type == "Conv"]
    kept = float_nodes(graph)
    assert convs[0] in kept and convs[1] not in kept
    assert graph.node[0].name in kept  # the unsqueeze in front of the first weights
    assert depthwise(graph) == [convs[1]]  # the front end's one-channel filters do not count


class Refiner(nn.Module):
    """An encoder, and a decoder that answers in two steps."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(8, 8)
        self.decoder = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
        self.last = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.last(self.decoder(self.encoder(x).relu()))
        return found


def test_what_is_refined_step_by_step_stays_float(tmp_path: Path) -> None:
    program = torch.onnx.export(
        Refiner().eval(), (torch.randn(2, 8),), dynamo=True, opset_version=20, verbose=False
    )
    graphs._tidy(program.model)
    program.save(tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx").graph
    kept = float_nodes(graph)
    products = [node.name for node in graph.node if node.op_type in ("Gemm", "MatMul")]
    assert [name in kept for name in products] == [False, True, True, False]


def test_the_last_convolution_of_a_map_and_what_follows_stay_float() -> None:
    weight = np.ones((4, 4, 1, 1), np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"], name="between"),
        helper.make_node("Conv", ["b", "w"], ["c"], name="last"),
        helper.make_node("Reshape", ["c", "shape"], ["d"], name="listed"),
        helper.make_node("Add", ["d", "d"], ["y"], name="box"),
    ]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4, None, None]) for name in "xy"
    ]
    shape = np.array([1, 4, -1])
    graph = _model(nodes, {"w": weight, "shape": shape}, ports[:1], ports[1:]).graph
    assert float_nodes(graph) == ["last", "listed", "box"]


def test_arrays_of_one_length_share_its_name() -> None:
    rows = [
        {"ids": np.zeros(n), "mask": np.zeros(n), "sound": np.zeros(m), "size": np.zeros(2)}
        for n, m in ((5, 9), (3, 8))
    ]
    assert graphs._axes(rows, {"ids": 0, "mask": 0, "sound": 0}) == {
        "ids": {0: "batch", 1: "length"},
        "mask": {0: "batch", 1: "length"},
        "sound": {0: "batch", 1: "length_2"},
        "size": {0: "batch"},
    }


def test_axes_keep_the_names_that_their_fills_give() -> None:
    plane = {0: "height", 1: "width"}
    fills = {"pixels": mg.Fill(0, {1: "height", 2: "width"}), "mask": mg.Fill(0, plane), "ids": 0}
    rows = [
        {"pixels": np.zeros((3, 8, 8)), "mask": np.zeros((8, 8)), "ids": np.zeros(8)}
        for _ in range(2)
    ]
    first, second = graphs.uneven(rows, fills)
    assert (second["pixels"].shape, second["mask"].shape, len(second["ids"])) == (
        (3, 6, 6),
        (6, 6),
        6,
    )
    assert graphs._axes([first, second], fills) == {
        "pixels": {0: "batch", 2: "height", 3: "width"},
        "mask": {0: "batch", 1: "height", 2: "width"},
        "ids": {0: "batch", 1: "length"},
    }


def test_parity_asks_for_planes_that_are_no_square() -> None:
    fills = {"mask": mg.Fill(0, {0: "height", 1: "width"})}
    rows = [{"mask": np.zeros((20, 20))}]
    shapes = {row["mask"].shape for case in cases(rows, [400], ["a"], fills) for row in case.rows}
    assert shapes == {(20, 20), (12, 9), (7, 5), (0, 0)}


class Lengthy:
    """As much of a reader as timing needs."""

    fills = FILLS

    def length(self, row: Arrays) -> int:
        return len(row["x"])


def test_batches_for_timing_hold_rows_of_middling_length() -> None:
    rows = [{"x": np.zeros(n, dtype=np.float32)} for n in range(1, 65)]
    found = trial(rows, Lengthy())  # type: ignore[arg-type]
    assert [(batch.rows, batch.length) for batch in found] == [
        *((1, 1), (1, 22), (1, 43), (1, 64)),
        *((4, 34), (8, 36), (16, 40), (32, 48)),
    ]
    few = trial(rows[:3], Lengthy())  # type: ignore[arg-type]
    assert [batch.arrays["x"].shape for batch in few][-1] == (32, 3)


def test_latency_takes_the_median_over_rounds() -> None:
    opened: list[str] = []

    def opener() -> object:
        opened.append("x")
        return lambda arrays: None

    batches = [Timed(1, 1, {}), Timed(1, 1, {}), Timed(8, 8, {})]
    found = medians({"a": opener, "b": opener}, batches)  # type: ignore[dict-item]
    assert len(opened) == 6 and {name: set(times) for name, times in found.items()} == {
        "a": {1, 8},
        "b": {1, 8},
    }


def test_a_batch_that_takes_long_is_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(
        "multigraft.export.acceptance.latency._seconds",
        lambda answer, rows: answer(rows) or rows["x"],
    )
    seconds = {1: 0.1, 8: 0.4, 32: 2.0}
    batches = [Timed(rows, 1, {"x": each}) for rows, each in seconds.items()]  # type: ignore[dict-item]
    found = medians({"a": lambda: lambda rows: asked.append(rows["x"])}, batches)  # type: ignore[arg-type]
    assert found == {"a": {1: 100.0, 8: 400.0, 32: 2000.0}}
    # the first call of a round, which allocates, is not timed
    assert [asked.count(each) for each in seconds.values()] == [3 + 3, 3, 1]


def test_rows_alone_count_equally_however_often_each_was_timed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "multigraft.export.acceptance.latency._seconds", lambda answer, rows: rows["x"]
    )
    batches = [Timed(1, 1, {"x": each}) for each in (0.1, 1.0, 3.0)]  # type: ignore[dict-item]
    assert medians({"a": lambda: lambda rows: None}, batches) == {"a": {1: 1000.0}}


def test_the_best_batch_takes_the_least_time_a_row() -> None:
    times = {1: 4.0, 8: 8.0, 32: 64.0}
    assert best_size(times) == 8
    assert a_row(times) == 2.0  # between 4 alone and 1 in the best batch


def test_whole_numbers_are_judged_by_the_share_that_differs() -> None:
    """Of the classes of 4,000 pixels two may fall the other way, and not five."""
    trial = cases([{"x": np.zeros(1, np.float32)}] * 2, [1, 1], ["a", "b"], {})

    def classes(wrong: int) -> Callable[[Mapping[str, np.ndarray]], Arrays]:
        pixels = np.zeros((2, 40, 100), np.uint8)
        pixels[0].flat[:wrong] = 9
        return lambda batch: {"classes": pixels[: len(batch["x"])]}

    assert check_parity(classes(0), classes(2), trial, {}) == pytest.approx(2 / 4000)
    with pytest.raises(ExportError, match=r"output 'classes'.* 0.12% of a row's numbers differ"):
        check_parity(classes(0), classes(5), trial, {})
