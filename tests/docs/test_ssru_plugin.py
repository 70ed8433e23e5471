"""The example of a plugin: trained, exported and asked as it stands in `examples`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import multigraft as mg
import multigraft_ssru as ssru
import multigraft_text as text
from helpers.asked_passages import write_lines
from helpers.packages import ROOT, install
from helpers.packages import run as python
from helpers.seq2seq_runs import made_texts, rows_of
from multigraft.contracts.generation import read_through
from multigraft.plugins.catalog import Catalog
from multigraft.testing import check_plugin
from multigraft_ssru import network
from multigraft_text.reader import TextReader

PROJECT = ROOT / "examples" / "ssru_plugin"
CHECKS = "builds padding blocks save-load saved-reader decoder".split()
TEXTS = made_texts(8, seed=3)
PIECES = "</s> <unk> ▁fox ▁river ▁hill e x".split()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    """So many steps that it knows how long a text is."""
    folder = tmp_path_factory.mktemp("ssru")
    trained = mg.Engine([text, ssru], discover=False, strict=True).start(
        {
            "task": {"name": "translation", "max_target_length": 12},
            "backbone": "ssru-tiny",
            "data": {
                "train": str(write_lines(folder / "rows.jsonl", rows_of(made_texts(40, seed=0)))),
                "leakage": {"near": False, "allowed": 1},
            },
            "reader": {"tokenizer": "character", "vocabulary": 60},
            "training": {"epochs": 8, "batch_size": 16, "learning_rate": 0.01},
            "export": {"precisions": ["fp32"]},
            "output": str(folder / "run"),
        },
        "finetune",
    )
    trained.export()
    return trained


def test_the_bundle_writes_what_the_network_would(run: mg.Run) -> None:
    predictor = mg.load(run.folder / "bundle", catalog=Catalog([text], discover=False))
    found = [answer["tokens"] for answer in predictor.generate(TEXTS)]
    assert found == [greedy(run, each) for each in TEXTS]
    assert len({tuple(tokens) for tokens in found}) > 3
    assert len({len(tokens) for tokens in found}) > 1


def greedy(run: mg.Run, raw: str) -> list[int]:
    """The most likely token behind all before it, read anew for each."""
    student: Any = run.graft.backbone.eval()
    end, unknown = student.config["eos"], student.config["unk"]
    batch = {name: torch.from_numpy(each)[None] for name, each in run.reader.read(raw).items()}
    written = [end]
    with torch.inference_mode():
        memory = student.remember(student(batch), batch)
        while len(written) < 13 and written[1:][-1:] != [end]:
            tokens = torch.tensor([written])
            scores = read_through(
                student, student.writing, tokens, torch.ones_like(tokens), memory
            )[0, -1]
            scores[unknown] = -torch.inf
            written.append(int(scores.argmax()))
    return written[1:]


def test_the_graphs_recurrence_is_the_formula_and_passes_over_padding() -> None:
    torch.manual_seed(0)
    gate, value = 4 * torch.randn(2, 2, 9, 5).double()
    real = torch.tensor([[1] * 9, [0, 1, 0, 0, 1, 1, 1, 0, 0]]).bool()[..., None]
    state = torch.randn(2, 5).double()
    found = network.at_once(gate, value, real, state)
    torch.testing.assert_close(found, network.one_by_one(gate, value, real, state))
    assert torch.equal(found[1, 0], state[1])
    assert torch.equal(found[1, -1], found[1, -3])


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A folder as it is published: its tokenizer marks no token, and closes no text."""
    vocabulary = [[piece, -float(number)] for number, piece in enumerate(PIECES)]
    tokenizer = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
        "post_processor": None,
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
        "model": {"type": "Unigram", "unk_id": 1, "vocab": vocabulary},
    }
    shape = {"d": 8, "heads": 2, "ffn": 16, "enc": 2, "dec": 2, "vocab": len(PIECES)}
    student = network.Student(
        {**shape, "eos": 0, "unk": 1}, {"tokenizer.json": tokenizer, "pad_id": 0}
    )
    student.save(tmp_path, head=None, labels=())
    return tmp_path


def origin(path: Path) -> mg.Origin:
    return mg.Origin(backbone="ssru-student", size="student", path=path)


def test_a_published_folder_is_completed_and_opened(published: Path) -> None:
    spec = ssru.reader_spec(origin(published), {"max_length": 4})
    reader = TextReader(spec)
    assert reader.read("fox river").keys() == {"input_ids", "attention_mask"}
    assert reader.read("fox river")["input_ids"].tolist() == [2, 3, 0]
    assert reader.read("hill fox fox fox fox")["input_ids"].tolist() == [4, 2, 2, 0]
    assert reader.text([3, 1, 4, 0]) == "river hill"
    student = network.build(origin(published), spec)
    assert (student.width, student.writing.pad, student.writing.stop) == (8, 0, (0,))
    student.save(published, head=None, labels=())
    assert ssru.reader_spec(origin(published), {"max_length": 4}) == spec


def test_what_is_no_student_is_refused_with_its_name(published: Path) -> None:
    spec = ssru.reader_spec(origin(published), {})
    (published / "config.json").write_text(json.dumps({"d": 8}))
    with pytest.raises(mg.WeightsError, match="holds no weights of ssru-student"):
        network.build(origin(published), spec)
    (published / "tokenizer.json").unlink()
    with pytest.raises(mg.WeightsError, match=r"tokenizer\.json: cannot be read"):
        ssru.reader_spec(origin(published), {})


def test_it_keeps_the_contracts() -> None:
    verdict = check_plugin(ssru, checks=CHECKS)
    assert verdict.count("passed") == len(CHECKS) + 1  # and `admitted`


@pytest.mark.slow
def test_it_is_found_and_passes_every_check_once_installed(tmp_path: Path) -> None:
    (site := tmp_path / "site").mkdir()
    install(PROJECT, site)
    done = python(["-m", "multigraft.cli", "check-plugin", "ssru"], site=site, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
