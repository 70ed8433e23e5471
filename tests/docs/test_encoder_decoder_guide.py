"""The translator of the guide: a decoder with a recurrence, trained, exported and asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import multigraft as mg
import multigraft_text as text
from docs.test_plugin_guide import examples, module
from helpers.seq2seq_runs import made_texts, rows_of
from multigraft.contracts.generation import read_through
from multigraft.plugins.catalog import Catalog
from multigraft.testing import check_plugin

PAGE = "encoder-decoders.md"
CHECKS = "builds padding blocks gradients save-load saved-reader decoder".split()
"""Those that see what is special here; the others are tried with every backbone of our own."""
TEXTS = made_texts(8, seed=3)


@pytest.fixture(scope="module")
def plugin() -> Any:
    """The page's plugin: the record, and the network that it names."""
    found = examples(PAGE)
    network = module("my_package.network", found["recurrence"], found["network"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "my_package", ModuleType("my_package"))
        patch.setitem(sys.modules, "my_package.network", network)
        yield module("my_package", found["record"])


@pytest.fixture(scope="module")
def run(plugin: Any, tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    folder = tmp_path_factory.mktemp("guide")
    lines = [json.dumps(row) + "\n" for row in rows_of(made_texts(60, seed=0))]
    (folder / "rows.jsonl").write_text("".join(lines))
    trained = mg.Engine([text, plugin], discover=False, strict=True).start(
        {
            "task": {"name": "text-to-text", "max_target_length": 12},
            "backbone": "ssru-tiny",
            "data": {"train": str(folder / "rows.jsonl"), "leakage": {"near": False, "allowed": 1}},
            "reader": {"tokenizer": "character", "vocabulary": 60},
            "training": {
                "epochs": 30,
                "batch_size": 16,
                "learning_rate": 0.01,
                "precision": "fp32",
            },
            "export": {"precisions": ["fp32"]},
            "output": str(folder / "run"),
        },
        "finetune",
    )
    trained.export()
    return trained


def test_the_translator_keeps_the_contracts(plugin: Any) -> None:
    verdict = check_plugin(plugin, checks=CHECKS)
    assert verdict.count("passed") == len(CHECKS) + 1  # and `admitted`


def test_the_recurrence_is_its_formula_and_passes_over_padding(plugin: Any) -> None:
    torch.manual_seed(0)
    unit = sys.modules["my_package.network"].Unit(4).double()
    x, state = torch.randn(2, 5, 4).double(), torch.randn(2, 4).double()
    real = torch.tensor([[1, 1, 1, 1, 1], [0, 1, 0, 1, 1]])
    found, last = unit(x, real, state)
    for place in range(5):
        gate = torch.sigmoid(unit.gate(x[:, place]))
        after = gate * state + (1 - gate) * unit.value(x[:, place])
        state = torch.where(real[:, place, None] == 1, after, state)
        torch.testing.assert_close(found[:, place], x[:, place] + state.relu())
    torch.testing.assert_close(last, state)


def test_the_bundle_writes_what_the_network_would(plugin: Any, run: mg.Run) -> None:
    predictor = mg.load(run.folder / "bundle", catalog=Catalog([text, plugin], discover=False))
    found = [answer["tokens"] for answer in predictor.generate(TEXTS)]
    assert found == [greedy(run, each) for each in TEXTS]
    assert len({tuple(tokens) for tokens in found}) > 3
    assert all(tokens[-1] == run.graft.backbone.end for tokens in found)


def greedy(run: mg.Run, raw: str) -> list[int]:
    """The most likely token behind all before it, read anew for each."""
    network: Any = run.graft.backbone.eval()
    batch = {name: torch.from_numpy(each)[None] for name, each in run.reader.read(raw).items()}
    written = list(network.writing.start)
    with torch.inference_mode():
        memory = network.remember(network(batch), batch)
        while len(written) < 13 and written[1:][-1:] != [network.end]:
            tokens = torch.tensor([written])
            real = torch.ones_like(tokens)
            logits = read_through(network, network.writing, tokens, real, memory)
            written.append(int(logits[0, -1].argmax()))
    return written[1:]


def test_a_saved_translator_opens_with_its_own_tokens(run: mg.Run, plugin: Any) -> None:
    folder = Path(run.folder / "model")
    (family,) = plugin.register_backbones()
    sizes = family.sizes["tiny"].config
    origin = mg.Origin(backbone="ssru-tiny", size="tiny", config=sizes, path=folder)
    assert family.reader(origin, {})["tokenizer.json"] == run.reader.spec()["tokenizer.json"]
