"""Encoder-decoders from the engine to a process without torch: a T5 and a BART through one
adapter."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import multigraft as mg
from helpers.text_toys import DOCUMENTS
from helpers.translating_toys import LAYERS, ROOM, Plugin
from multigraft.contracts.readers import collate
from multigraft.errors import ExportError
from multigraft.export.generation.decoder_gate import measure_decoders
from multigraft.export.generation.decoder_graph import open_writer
from multigraft.export.generation.encoder_graph import Encoder, export_encoder
from multigraft.runtime.bundle import open_bundle
from multigraft.testing import check_plugin

TEXTS = ["the fox runs", "rain falls on the hill. the river is high", "a", "a cook tastes the soup"]
ASKED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"max_new_tokens": 16}, {"max_new_tokens": 16}),
    (
        {"max_new_tokens": 10, "method": "beam", "beams": 3},
        {"max_new_tokens": 10, "num_beams": 3, "early_stopping": False},
    ),
]
ALONE = """
import json, sys
for name in ("torch", "transformers", "onnx"):
    sys.modules[name] = None
import multigraft as mg
texts, asked = json.loads(sys.argv[2])
predictor = mg.load(sys.argv[1], precision="fp32")
print(json.dumps([predictor.generate(texts, **each) for each in asked]))
"""


def trained(family: str, folder: Path, *, strategy: Any = "full", **training: Any) -> mg.Run:
    sentences = [text for document in DOCUMENTS for text in document.split(". ")] * 3
    table = folder / "rows.jsonl"
    rows = [{"text": text, "target": text.split()[-1]} for text in sentences]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return mg.finetune(
        task="text-to-text",
        backbone={"name": f"{family}-tiny", "weights": "scratch"},
        strategy=strategy,
        data={"train": str(table), "leakage": {"allowed": 1}},
        reader={"vocabulary": 320, "max_length": 64},
        training={"epochs": 1, "batch_size": 8, "learning_rate": 1e-2, **training},
        export={"rows": 5, "budget": 10, "repair": 0},
        output=str(folder / "run"),
        plugins=[Plugin()],
    )


@pytest.fixture(scope="module", params=["toy-t5", "toy-bart"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    found = trained(request.param, tmp_path_factory.mktemp(request.param))
    torch.manual_seed(5)
    with torch.no_grad():  # choices far apart, in texts of different length
        for parameter in found.graft.parameters():
            noise = torch.randn_like(parameter)
            parameter.copy_(0.3 * noise if parameter.dim() > 1 else parameter + 0.1 * noise)
    found.export()
    return found


@pytest.fixture(scope="module")
def bundle(run: mg.Run) -> Path:
    return run.folder / "bundle"


@pytest.fixture(scope="module")
def theirs(run: mg.Run) -> list[list[list[int]]]:
    """What transformers writes, for each of `ASKED`."""
    model: Any = run.graft.backbone.model
    model.eval()
    rows = collate([run.reader.read(text) for text in TEXTS], run.reader.fills)
    batch = {name: torch.from_numpy(array) for name, array in rows.items()}
    found = []
    for _, options in ASKED:
        with torch.inference_mode():
            whole = model.generate(**batch, do_sample=False, **options)[:, 1:].tolist()
        end = model.config.eos_token_id
        found.append([row[: row.index(end) + 1] if end in row else row for row in whole])
    return found


def test_a_process_without_torch_writes_what_transformers_writes(
    bundle: Path, theirs: list[list[list[int]]]
) -> None:
    asked = [each for each, _ in ASKED]
    said = subprocess.run(
        [sys.executable, "-c", ALONE, str(bundle), json.dumps([TEXTS, asked])],
        check=True,
        capture_output=True,
        text=True,
    )
    found = [[answer["tokens"] for answer in answers] for answers in json.loads(said.stdout)]
    assert found == theirs
    assert all(len({tuple(row) for row in rows}) == len(TEXTS) for rows in theirs)


def test_the_gate_judges_the_texts_that_the_predictor_writes(
    run: mg.Run, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums = mg.WrittenMetric(
        metric="sum",
        greater_is_better=True,
        measure=lambda texts, batch: {"sum": torch.tensor([float(sum(t)) for t in texts])},
        limit=12,
    )
    made = run.objective.generating(run.graft.head)
    assert made is not None
    generating = replace(made, judged=sums)
    monkeypatch.setattr(run.objective, "generating", lambda head: generating)
    monkeypatch.setattr(
        run.objective, "summarise", lambda kept: {"loss": 0.0, "sum": kept["sum"].mean()}
    )
    files = {"decoder": bundle / "model.onnx", "encoder": bundle / "encoder.onnx"}
    writers = {"fp32": open_writer(generating, files, run.reader)}
    evidence = measure_decoders(run, generating, "test", writers)["fp32"]
    rows = run.rows["test"]
    raws = [rows.raw(index) for index in range(len(rows))]
    answers = mg.load(bundle, precision="fp32").generate(raws, max_new_tokens=12)
    wanted = [sum(answer["tokens"]) for answer in answers]
    assert sorted(evidence.kept["sum"].tolist()) == sorted(wanted)
    assert len(set(wanted)) > 1
    assert (evidence.metric, evidence.changed) == ("sum", 0)
    assert evidence.measure.value == pytest.approx(sum(wanted) / len(wanted))


def test_a_memory_that_is_not_what_was_said_is_refused(run: mg.Run, tmp_path: Path) -> None:
    made = run.objective.generating(run.graft.head)
    assert made is not None
    memory = {**made.writing.memory, "mask": ("target", 1)}
    generating = replace(made, writing=replace(made.writing, memory=memory))
    arrays = [run.reader.read(text) for text in TEXTS[:2]]
    encoder = Encoder(run.graft, generating, tuple(arrays[0])).eval()
    path, fills = tmp_path / "encoder.onnx", run.reader.fills
    with pytest.raises(ExportError, match=r"gives 'mask' of the shape \[\d+\] a row; writing"):
        export_encoder(encoder, arrays, fills, path, opset=20)


def test_the_conformance_kit_takes_the_plugin() -> None:
    checks = ["writes", "blocks", "gradients", "losses", "padding", "strategies"]
    assert check_plugin(Plugin(), checks=checks).count("passed") == 1 + 2 * 4 + 2


def test_what_the_encoder_gives_is_replayed_while_the_decoder_learns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a BART: what a layer of a T5 gives holds a table of distances, which is no row's."""
    runs = {}
    for replay in ("on", "off"):
        (tmp_path / replay).mkdir()
        with caplog.at_level("INFO", logger="multigraft"):
            runs[replay] = trained(
                "toy-bart",
                tmp_path / replay,
                strategy={"name": "partial", "blocks": LAYERS},
                replay=replay,
            )
    assert "replaying blocks:2 of" in caplog.text
    found, wanted = (runs[name].graft.state_dict() for name in ("on", "off"))
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-4, rtol=1e-3)
    assert runs["on"].plan.frozen(1.0) == LAYERS


def test_each_text_alone_is_written_as_beside_others(
    bundle: Path, theirs: list[list[list[int]]]
) -> None:
    predictor = mg.load(bundle, precision="fp32")
    for (asked, _), wanted in zip(ASKED, theirs, strict=True):
        assert [predictor.generate(text, **asked)["tokens"] for text in TEXTS] == wanted


def test_the_manifest_names_both_graphs_and_the_gate_judged_texts(bundle: Path) -> None:
    found = open_bundle(bundle)
    fp32, int8 = found.precisions["fp32"], found.precisions["int8"]
    assert found.format == 1
    assert fp32.graphs == {"encoder": "encoder.onnx"} and fp32.file == "model.onnx"
    assert fp32.parity is not None and fp32.parity < 1e-4
    assert fp32.metric == int8.metric == "exact"
    assert int8.same_tokens is not None
    if int8.accepted:
        assert int8.graphs == {"encoder": "encoder.int8.onnx"}
        assert int8.size < fp32.size
    shapes = {port.name: port.shape for port in found.inputs}
    assert shapes["memory.0.key"] == ("batch", 2, "source", 16)
    assert shapes["past.0.key"] == ("batch", 2, "past", 16)
    generation = found.generation
    assert generation is not None
    card = (bundle / "README.md").read_text()
    assert "It writes a text about a value" in card and "the encoder's graph gives" in card
    layers = {"toy-t5": 1, "toy-bart": LAYERS}[found.backbone.removesuffix("-tiny")]
    assert "memory.mask" in generation.memory and len(generation.memory) == 1 + 2 * layers
    assert generation.max_length == ROOM
