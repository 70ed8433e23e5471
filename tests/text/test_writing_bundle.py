"""A real run, small, from its first step to text from its bundle on a machine without torch."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import transformers
from onnxruntime import OrtValue
from typer.main import get_command

import multigraft as mg
from helpers.text_toys import DOCUMENTS
from helpers.toy_server import Served, serving
from multigraft.cli import main
from multigraft.cli.app import build
from multigraft.errors import (
    BundleError,
    ExportError,
    GenerationError,
    PredictError,
    RowError,
)
from multigraft.export.acceptance.gate import judge_of
from multigraft.export.acceptance.parity import cases
from multigraft.export.generation.decoder_gate import check_decoder, measure_decoders
from multigraft.export.generation.decoder_graph import open_writer
from multigraft.models.modes import evaluating
from multigraft.runtime.bundle import open_bundle
from multigraft.runtime.generation.options import Asked, Settings
from multigraft.runtime.serving.server import open_models
from multigraft.runtime.session import Session
from multigraft.runtime.web.site import write_site
from multigraft_text.reader import TextReader
from multigraft_text.specs import decoder_spec

PROMPTS = ["The fox", "Rain falls on the hill. The river", "A", "it is quick"]
ALONE = """
import json, sys
for name in ("torch", "transformers", "onnx"):
    sys.modules[name] = None
import multigraft as mg
prompts, asked = json.loads(sys.argv[2])
predictor = mg.load(sys.argv[1], precision="fp32")
print(json.dumps(predictor.generate(prompts, **asked)))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    folder = tmp_path_factory.mktemp("writing")
    rows = folder / "rows.jsonl"
    rows.write_text("\n".join(json.dumps({"text": text}) for text in DOCUMENTS * 3))
    trained = mg.pretrain(
        task="causal-language-modeling",
        backbone={"name": "gpt-tiny", "dropout": 0.0},
        data={"train": str(rows), "leakage": {"allowed": 1}},  # each text stands in it three times
        reader={"vocabulary": 320, "max_length": 64},
        training={"epochs": 4, "batch_size": 8, "learning_rate": 3e-3},
        export={"rows": 5},
        output=str(folder / "run"),
    )
    trained.export()
    return trained


@pytest.fixture(scope="module")
def bundle(run: mg.Run) -> Path:
    return run.folder / "bundle"


@pytest.fixture(scope="module")
def theirs(run: mg.Run) -> Any:
    """What transformers opens of the run, with its own tied head."""
    return transformers.GPT2LMHeadModel.from_pretrained(run.folder / "model").eval()


def written(model: Any, prompts: Sequence[np.ndarray], **options: Any) -> list[list[int]]:
    """Tokens that transformers writes behind each prompt alone, up to the end token."""
    end, found = model.config.eos_token_id, []
    for prompt in prompts:
        with torch.inference_mode():
            whole = model.generate(
                torch.from_numpy(prompt)[None], **{"do_sample": False, **options}
            )
        tokens = whole[0, len(prompt) :].tolist()
        found.append(tokens[: tokens.index(end) + 1] if end in tokens else tokens)
    return found


@pytest.mark.parametrize(
    ("asked", "options"),
    [
        ({"max_new_tokens": 24}, {"max_new_tokens": 24}),
        (
            {"max_new_tokens": 12, "method": "beam", "beams": 3},
            {"max_new_tokens": 12, "num_beams": 3},
        ),
    ],
)
def test_a_process_without_torch_writes_what_transformers_writes(
    run: mg.Run, bundle: Path, theirs: Any, asked: dict[str, Any], options: dict[str, Any]
) -> None:
    said = subprocess.run(
        [sys.executable, "-c", ALONE, str(bundle), json.dumps([PROMPTS, asked])],
        check=True,
        capture_output=True,
        text=True,
    )
    answers = json.loads(said.stdout)
    reader: Any = run.reader
    wanted = written(theirs, [reader.prompt(prompt) for prompt in PROMPTS], **options)
    assert [answer["tokens"] for answer in answers] == wanted
    assert [answer["text"] for answer in answers] == [reader.text(tokens) for tokens in wanted]
    assert len({tuple(tokens) for tokens in wanted}) > 1


@pytest.mark.parametrize("together", [1, 4])
def test_a_stock_pipeline_writes_what_the_bundle_writes(
    run: mg.Run, bundle: Path, together: int
) -> None:
    """The saved tokenizer leaves a prompt open: behind an end token the model would begin another
    text."""
    stock = transformers.pipeline("text-generation", str(run.folder / "model"), batch_size=together)
    stock.tokenizer.pad_token_id = stock.tokenizer.pad_token_id or 0
    prompts = [*PROMPTS, *(" ".join(text.split()[:4]) for text in DOCUMENTS)][:30]
    wanted = mg.load(bundle, precision="fp32").generate(prompts, max_new_tokens=12)
    found = stock(prompts, max_new_tokens=12, do_sample=False, return_full_text=False)
    told = [each[0]["generated_text"].strip() for each in found]
    assert told == [answer["text"].strip() for answer in wanted]
    assert len(set(told)) > 4


def test_a_run_that_grows_from_a_writing_one_closes_its_rows_as_that_did(run: mg.Run) -> None:
    origin = mg.Origin(backbone="gpt-tiny", size="tiny", path=run.folder / "model")
    again = TextReader(decoder_spec(origin, {"max_length": 64}))
    for text in DOCUMENTS[:3]:
        assert again.read(text)["input_ids"].tolist() == run.reader.read(text)["input_ids"].tolist()


def test_one_prompt_or_many_in_one_batch_or_several(bundle: Path) -> None:
    predictor = mg.load(bundle, precision="fp32")
    many = predictor.generate(PROMPTS, max_new_tokens=10)
    assert predictor.generate(PROMPTS, max_new_tokens=10, batch_size=2) == many
    assert [predictor.generate(prompt, max_new_tokens=10) for prompt in PROMPTS] == many
    assert "".join(predictor.stream(PROMPTS[0], max_new_tokens=10)) == many[0]["text"]
    assert predictor.predict(PROMPTS) == predictor.generate(PROMPTS)


def test_the_manifest_says_how_to_write(run: mg.Run, bundle: Path) -> None:
    generation = open_bundle(bundle).generation
    assert generation is not None
    end = run.reader.spec()["tokenizer.json"]["model"]["vocab"]["<|endoftext|>"]
    assert (generation.start, generation.stop, generation.pad) == ((end,), (end,), 0)
    assert (generation.vocabulary, generation.max_length) == (320, 128)
    assert [port.past for port in generation.cache] == [
        "past.0.key",
        "past.0.value",
        "past.1.key",
        "past.1.value",
    ]
    assert generation.cache[0].shape == ("batch", 2, "past", 32)
    graph = onnx.load(bundle / "model.onnx").graph
    shapes = {
        port.name: [dim.dim_param or dim.dim_value for dim in port.type.tensor_type.shape.dim]
        for port in (*graph.input, *graph.output)
    }
    assert shapes["logits"] == ["batch", "kept", 320]
    assert shapes["past.0.key"] == ["batch", 2, "past", 32]


def test_the_gate_measures_the_loss_of_the_run(run: mg.Run, bundle: Path) -> None:
    precisions = open_bundle(bundle).precisions
    evaluated = run.evaluate().metrics["loss"].value
    fp32, int8 = precisions["fp32"], precisions["int8"]
    assert fp32.metric == int8.metric == "loss"
    assert fp32.value == pytest.approx(evaluated, rel=1e-4)
    assert fp32.parity is not None and fp32.parity < 1e-5
    assert int8.accepted and int8.value == pytest.approx(evaluated, rel=0.005)
    assert fp32.same_tokens is None
    assert int8.same_tokens is not None and 0.9 < int8.same_tokens <= 1
    assert fp32.milliseconds is not None and int8.milliseconds is not None


def test_every_product_with_weights_is_int8(bundle: Path) -> None:
    """The tied head too, which would else be turned back into floats at every step."""
    graph = onnx.load(bundle / "model.int8.onnx").graph
    weights = {weight.name: weight for weight in graph.initializer}
    kinds = [node.op_type for node in graph.node]
    assert "Gemm" not in kinds and "DequantizeLinear" not in kinds
    assert not [n for n in graph.node if n.op_type == "MatMul" and weights.keys() & set(n.input)]
    products = [node for node in graph.node if node.op_type == "MatMulInteger"]
    assert len(products) == 2 * 4 + 1
    for node in products:
        assert weights[node.input[1]].data_type == onnx.TensorProto.INT8
        # a zero point for each channel
        assert list(weights[node.input[1]].dims)[1] == len(
            onnx.numpy_helper.to_array(weights[node.input[3]])
        )


def test_an_int8_decoder_that_lost_its_mind_is_refused(
    run: mg.Run, bundle: Path, tmp_path: Path
) -> None:
    model = onnx.load(bundle / "model.int8.onnx")
    scale = next(weight for weight in model.graph.initializer if weight.name.endswith("_scale"))
    scale.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(scale) * 20, scale.name))
    onnx.save(model, tmp_path / "spoiled.onnx")
    generating = run.objective.generating(run.graft.head)
    assert generating is not None
    paths = {"fp32": bundle / "model.onnx", "int8": tmp_path / "spoiled.onnx"}
    writers = {
        name: open_writer(generating, {"decoder": path}, run.reader) for name, path in paths.items()
    }
    found = measure_decoders(run, generating, "test", writers)
    verdict = judge_of(run).verdict(found["int8"], found["fp32"])
    assert not verdict.accepted and "(loss " in verdict.reason
    assert found["fp32"].same_tokens == 1 and found["fp32"].changed == 0
    assert found["int8"].same_tokens is not None and found["int8"].same_tokens < 0.9
    assert found["int8"].changed == len(run.rows["test"])


def test_a_decoder_that_forgets_its_past_is_caught(run: mg.Run, bundle: Path) -> None:
    """Its logits are right for a whole text; only reading in steps shows that it is wrong."""

    class Forgetful(Session):
        def chain(self, values: Mapping[str, Any]) -> dict[str, Any]:
            halved = {
                name: OrtValue.ortvalue_from_numpy(value.numpy() / 2)
                if name.startswith("past")
                else value
                for name, value in values.items()
            }
            return super().chain(halved)

    generating = run.objective.generating(run.graft.head)
    assert generating is not None
    rows = [run.reader.read(prompt) for prompt in PROMPTS]
    trials = cases(rows, [len(row["input_ids"]) for row in rows], PROMPTS, run.reader.fills)
    with evaluating(run.graft):
        writer = open_writer(generating, {"decoder": bundle / "model.onnx"}, run.reader)
        assert check_decoder(run, generating, writer, trials) < 1e-5
        forgetful = replace(writer, graphs={"decoder": Forgetful(bundle / "model.onnx")})
        with pytest.raises(
            ExportError, match="not answer as the model does: read in steps, the shortest row alone"
        ):
            check_decoder(run, generating, forgetful, trials)


def test_what_is_no_prompt_is_said(run: mg.Run, bundle: Path) -> None:
    predictor = mg.load(bundle)
    with pytest.raises(
        GenerationError, match=r"item 1: the prompt has \d+ tokens, and the model holds 128"
    ):
        predictor.generate(["The fox", "word " * 200])
    with pytest.raises(RowError, match=r"item 1: the text is missing"):
        predictor.generate(["The fox", None])
    with pytest.raises(GenerationError, match="no such setting"):
        predictor.generate("The fox", tokens=3)  # type: ignore[call-arg]
    with pytest.raises(GenerationError, match="top_k: belongs to method='sample'"):
        predictor.predict("The fox", top_k=1)
    with pytest.raises(PredictError, match="long='window' needs"):
        predictor.predict("The fox", long="window")
    with pytest.raises(BundleError, match="writes texts and nothing else"):
        predictor.outputs(["The fox"])


def test_a_prompt_is_neither_closed_nor_cut(run: mg.Run) -> None:
    reader: Any = run.reader
    end = reader.read("The fox")["input_ids"][-1]
    assert reader.prompt("The fox").tolist() == reader.read("The fox")["input_ids"][:-1].tolist()
    assert (
        len(reader.prompt("the fox " * 40)) > 64 == len(reader.read("the fox " * 40)["input_ids"])
    )
    assert reader.prompt("The fox<|endoftext|>").tolist()[-1] == end
    assert reader.prompt("").tolist() == []
    assert reader.text(reader.prompt("the fox is é")) == "the fox is é"


def test_the_card_shows_how_to_write_and_runs_with_onnxruntime_alone(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = (bundle / "README.md").read_text()
    assert "continues a text" in card and "predictor.generate(" in card and "| one token |" in card
    blocks = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    code = next(block for block in blocks if "import onnxruntime" in block)
    monkeypatch.chdir(bundle.parent)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["outputs"][0].shape == (1, 1, 320)
    assert names["outputs"][1].shape == (1, 2, 2, 32)


def test_the_command_line_writes(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predictor = mg.load(bundle, precision="fp32")

    def said(*arguments: str) -> str:
        capsys.readouterr()
        assert main(["generate", str(bundle), "--precision", "fp32", *arguments]) == 0
        return capsys.readouterr().out

    one = predictor.generate("The fox", max_new_tokens=10)
    assert said("The fox", "--max-new-tokens", "10") == one["text"] + "\n"
    assert said("The fox", "A", "--max-new-tokens", "10").startswith(one["text"] + "\n\n")
    drawn = predictor.generate("The fox", max_new_tokens=10, method="sample", top_p=0.9, seed=3)
    options = ("--method", "sample", "--top-p", "0.9", "--seed", "3", "--max-new-tokens", "10")
    assert said("The fox", *options) == drawn["text"] + "\n"
    beams = predictor.generate(["The fox"], max_new_tokens=5, method="beam", beams=2)
    found = json.loads(
        said("The fox", "--method", "beam", "--beams", "2", "--max-new-tokens", "5", "--json")
    )
    assert found == [{"input": "The fox", "answer": beams[0]}]
    kept = predictor.generate("The fox", method="beam", length_penalty=3.0, no_repeat_ngram=2)
    options = ("--method", "beam", "--length-penalty", "3", "--no-repeat-ngram", "2")
    assert said("The fox", *options, "--batch-size", "1") == kept["text"] + "\n"
    assert main(["generate", str(bundle), "The fox", "--beams", "2"]) == 1
    assert "beams: belongs to method='beam'" in capsys.readouterr().err
    assert main(["bench", str(bundle)]) == 1
    assert "writes token by token" in capsys.readouterr().err


@pytest.fixture(scope="module")
def writer(run: mg.Run) -> Iterator[Served]:
    """The bundle behind a server."""
    (model,) = open_models({"writer": run.folder / "bundle"}, precision="fp32", threads=1)
    with serving(model, wait_ms=50) as served:
        yield served


def test_a_server_writes_what_the_predictor_writes(run: mg.Run, writer: Served) -> None:
    wanted = mg.load(run.folder / "bundle", precision="fp32").generate(PROMPTS)
    assert writer.predict(PROMPTS).json()["answers"] == wanted
    assert writer.predict(PROMPTS[0]).json()["answers"] == wanted[:1]


def test_every_setting_of_a_text_can_be_asked_for_in_each_way(writer: Served) -> None:
    flags = {
        parameter.name
        for parameter in get_command(build()).commands["generate"].params  # type: ignore[attr-defined]
    }
    names = {field.name for field in fields(Settings)}
    assert names <= flags | {"batch_size"}
    assert names - {"batch_size"} == writer.client.get("/models/writer").json()["asks"].keys()
    assert names == Asked.__annotations__.keys()


def test_a_server_writes_as_it_is_asked_to(run: mg.Run, writer: Served) -> None:
    predictor = mg.load(run.folder / "bundle", precision="fp32")
    for asked in (
        {"method": "beam", "beams": 3, "max_new_tokens": 6},
        {"method": "sample", "seed": 5, "top_k": 9, "stop": ["e"]},
        {"no_repeat_ngram": 1, "repetition_penalty": 2, "max_new_tokens": 9},
    ):
        answers = writer.predict(PROMPTS, **asked).json()["answers"]
        for answer, wanted in zip(answers, predictor.generate(PROMPTS, **asked), strict=True):
            # a processor may add in another order where more prompts are computed at once
            assert answer.pop("score", 0) == pytest.approx(wanted.pop("score", 0), rel=1e-5)
            assert answer == wanted
    for asked, says in [
        ({"beams": 100_000, "method": "beam"}, "it should be at most 64"),
        ({"max_new_tokens": 2000}, "this server writes 1024 at most"),
        ({"beams": 2}, "belongs to method='beam'"),
        ({"stop": {"a": 1}}, "a text or a token's id"),
        ({"batch_size": 2}, "unknown key 'batch_size'"),
    ]:
        refused = writer.predict(PROMPTS, **asked)
        assert refused.status_code == 422 and says in refused.json()["error"]


def test_a_bad_prompt_is_an_answer_where_a_caller_wants_the_others(
    run: mg.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = run.folder / "bundle"
    predictor = mg.load(bundle, precision="fp32")
    bad = "word " * 200
    with pytest.raises(GenerationError, match="item 1: the prompt has"):
        predictor.predict(["The fox", bad])
    found = predictor.predict(["The fox", bad, "A"], on_error="return", max_new_tokens=4)
    assert "item 1: the prompt has" in found[1]["error"]
    (alone,), told = (predictor.predict(raw, on_error="return") for raw in ([bad], bad))
    assert alone["error"] == f"item 0: {told['error']}", "as of every bundle"
    assert found[0::2] == predictor.generate(["The fox", "A"], max_new_tokens=4)
    table = tmp_path / "prompts.jsonl"
    table.write_text("".join(json.dumps({"text": text}) + "\n" for text in ("The fox", bad, None)))
    asked = ["--precision", "fp32", "--ask", "max_new_tokens=4", "--json"]
    assert main(["predict", str(bundle), str(table), *asked]) == 1
    said = [each["answer"] for each in json.loads(capsys.readouterr().out)]
    assert said[0] == found[0]
    assert said[1]["error"].startswith("the prompt has") and "empty" in said[2]["error"]


def test_a_page_without_a_server_says_why_it_cannot(run: mg.Run, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"writes texts token by token.*multigraft serve"):
        write_site(run.folder / "bundle", tmp_path / "site")


def test_a_server_continues_the_others_beside_a_bad_prompt(writer: Served) -> None:
    said = writer.predict(["The fox", "word " * 200, "bad \0", ["list"]])
    first, long, broken, listed = said.json()["answers"]
    assert said.status_code == 200
    assert first["text"]
    assert "shorten the prompt" in long["error"]
    assert "NUL" in broken["error"]
    assert "a text is needed" in listed["error"]
    assert writer.predict("word " * 200).status_code == 422
    (pair,) = writer.predict({"text": "The fox", "text_pair": "runs"}).json()["answers"]
    assert "unknown column 'text_pair'" in pair["error"]
