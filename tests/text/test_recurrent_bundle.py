"""A decoder that remembers by a recurrence: a state of one size, through all of an export."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

import multigraft as mg
from helpers import recurrent_toy
from helpers.recurrent_toy import END, VOCABULARY
from multigraft.plugins.catalog import Catalog
from multigraft.runtime.bundle import open_bundle
from multigraft.testing import check_plugin

PROMPTS = ["4 0 2", "1", "3 3 1 0 2 4 4", "2 1"]
ALONE = """
import json, sys
for name in ("torch", "transformers", "onnx"):
    sys.modules[name] = None
sys.path[:] = json.loads(sys.argv[4])
import multigraft as mg
from helpers import recurrent_toy
from multigraft.plugins.catalog import Catalog
predictor = mg.load(sys.argv[1], precision="fp32", catalog=Catalog([recurrent_toy]))
print(json.dumps(predictor.generate(json.loads(sys.argv[2]), **json.loads(sys.argv[3]))))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    folder = tmp_path_factory.mktemp("ssru")
    rows = recurrent_toy.good(np.random.default_rng(0), 60, folder)
    (folder / "rows.jsonl").write_text("".join(json.dumps({"digits": r}) + "\n" for r in rows))
    trained = mg.pretrain(
        task="digit-modeling",
        backbone={"name": "ssru-tiny", "weights": "scratch"},
        data={"train": str(folder / "rows.jsonl"), "leakage": {"allowed": 1}},
        training={"epochs": 1, "batch_size": 8},
        export={"rows": 5, "budget": 10, "repair": 0},
        output=str(folder / "run"),
        plugins=[recurrent_toy],
    )
    torch.manual_seed(10)
    with torch.no_grad():  # choices far apart
        for parameter in trained.graft.parameters():
            parameter.copy_(0.6 * torch.randn_like(parameter))
        trained.graft.head.scores.bias[END] += 1.5  # and texts that end
    trained.export()
    return trained


@pytest.fixture(scope="module")
def predictor(run: mg.Run) -> mg.Predictor:
    return mg.load(run.folder / "bundle", precision="fp32", catalog=Catalog([recurrent_toy]))


def test_the_conformance_kit_takes_the_plugin() -> None:
    assert check_plugin(recurrent_toy, checks=["writes", "losses", "blocks", "padding"]).passed


def likely(run: mg.Run, tokens: Sequence[int]) -> torch.Tensor:
    """Log-probabilities of the token behind each token, all read at once by the trained model."""
    ids = torch.tensor([list(tokens)])
    with torch.inference_mode():
        found = run.graft.eval()({"input_ids": ids, "attention_mask": torch.ones_like(ids)})
    scores: torch.Tensor = found["logits"][0].log_softmax(-1)
    return scores


def greedy(run: mg.Run, prompt: Sequence[int], count: int) -> list[int]:
    tokens = list(prompt)
    while len(tokens) < len(prompt) + count and tokens[len(prompt) :][-1:] != [END]:
        tokens.append(int(likely(run, tokens)[-1].argmax()))
    return tokens[len(prompt) :]


def test_a_process_without_torch_writes_as_the_torch_loop(run: mg.Run) -> None:
    asked = {"max_new_tokens": 12}
    words = [str(run.folder / "bundle"), *map(json.dumps, (PROMPTS, asked, sys.path))]
    said = subprocess.run(
        [sys.executable, "-c", ALONE, *words], check=True, capture_output=True, text=True
    )
    found = [answer["tokens"] for answer in json.loads(said.stdout)]
    reader: Any = run.reader
    assert found == [greedy(run, reader.prompt(prompt).tolist(), 12) for prompt in PROMPTS]
    assert len({tuple(tokens) for tokens in found}) > 1
    assert len({len(tokens) for tokens in found}) > 1


def test_wide_beams_find_the_best_of_all_texts(run: mg.Run, predictor: mg.Predictor) -> None:
    """So many beams that none is dropped: every text of three tokens competes."""
    reader: Any = run.reader
    texts = [
        text
        for length in (1, 2, 3)
        for text in product(range(VOCABULARY), repeat=length)
        if END not in text[:-1] and (text[-1] == END or length == 3)
    ]
    found = predictor.generate(PROMPTS, method="beam", beams=50, max_new_tokens=3)
    for prompt, answer in zip(PROMPTS, found, strict=True):
        tokens = reader.prompt(prompt).tolist()
        scores = {text: scored(run, tokens, text) for text in texts}
        best = max(scores, key=lambda text: scores[text])
        assert tuple(answer["tokens"]) == best
        assert answer["score"] == pytest.approx(scores[best], abs=1e-4)


def test_a_beam_keeps_the_state_of_its_own_text(run: mg.Run, predictor: mg.Predictor) -> None:
    """Beams change places at every step; another one's state would give another likelihood."""
    reader: Any = run.reader
    found = predictor.generate(PROMPTS, method="beam", beams=3, max_new_tokens=9)
    for prompt, answer in zip(PROMPTS, found, strict=True):
        wanted = scored(run, reader.prompt(prompt).tolist(), answer["tokens"])
        assert answer["score"] == pytest.approx(wanted, abs=1e-4)
        assert predictor.generate(prompt, method="beam", beams=3, max_new_tokens=9) == answer


def scored(run: mg.Run, prompt: Sequence[int], text: Sequence[int]) -> float:
    """The mean log-likelihood of a text behind a prompt."""
    rows = likely(run, [*prompt, *text])[len(prompt) - 1 : -1]
    return float(rows[range(len(text)), list(text)].mean())


def test_the_manifest_says_that_the_state_does_not_grow(run: mg.Run) -> None:
    bundle = open_bundle(run.folder / "bundle")
    assert bundle.format == 2 and bundle.generation is not None
    assert [port.shape for port in bundle.generation.cache] == [("batch", 16)] * 2
    assert all(port.growing is None for port in bundle.generation.cache)
    assert (bundle.generation.mask, bundle.generation.positions) == ("attention_mask", None)
    fp32, int8 = bundle.precisions["fp32"], bundle.precisions["int8"]
    assert fp32.value == pytest.approx(run.evaluate().metrics["loss"].value, rel=1e-4)
    assert fp32.parity is not None and fp32.parity < 1e-4
    assert int8.same_tokens is not None
