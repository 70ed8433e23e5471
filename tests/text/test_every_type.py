"""Each type of transformers that the documentation lists: features, graphs and writing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from helpers.packages import ROOT
from helpers.transformers_toys import PROMPTS, asked, greedy, grow, until, writing
from helpers.writing_toys import TorchSession
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs
from multigraft.contracts.readers import collate
from multigraft.errors import UnknownName
from multigraft.export.generation.decoder_graph import ports_of
from multigraft.export.graph.trace import ByName, export_graph
from multigraft.runtime.generation.generator import Generator
from multigraft_text.architectures import REFUSED, direction

PAGE = ROOT / "docs" / "backbones.md"
RAWS = ["The fox runs over the hill and the cook tastes the soup.", "Rain falls."]


def _listed(heading: str, last: str = "") -> list[str]:
    """The types in a table of the page, by its heading, whose rows end so."""
    table = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"^\| `([\w-]+)` \|.*{last} \|$", table, flags=re.MULTILINE)


ENCODERS, DECODERS = _listed("Encoders"), _listed("Decoders")
WRITERS = _listed("Decoders", "yes")


class Pooled(ByName):
    """The pooled features of a backbone."""

    def __init__(self, backbone: Any, inputs: list[str]) -> None:
        super().__init__(inputs)
        self.backbone = backbone

    def serve(self, batch: Batch) -> Outputs:
        """[B, D]."""
        return {"pooled": self.backbone(batch).pooled}


def test_the_page_lists_each_type_once_with_its_direction() -> None:
    assert len({*ENCODERS, *DECODERS}) == len(ENCODERS) + len(DECODERS) > 50
    assert {direction(kind) for kind in ENCODERS} == {"encoder"}
    assert {direction(kind) for kind in DECODERS} == {"decoder"}


def test_the_page_gives_the_reason_of_each_refusal() -> None:
    refused = dict(_reasons())
    assert refused.keys() == REFUSED.keys()
    for kind, reason in refused.items():
        assert reason.rstrip(".") == REFUSED[kind]
        with pytest.raises(UnknownName):
            asked(kind)


def _reasons() -> Iterator[tuple[str, str]]:
    table = PAGE.read_text(encoding="utf-8").split("### By name\n")[1].split("\n### ")[0]
    for kinds, reason in re.findall(r"^\| (`.*`) \| (.*) \|$", table, flags=re.MULTILINE):
        yield from ((kind, reason) for kind in re.findall(r"`([\w-]+)`", kinds))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*ENCODERS, *DECODERS])
def test_its_graph_gives_the_same_features(kind: str, tmp_path: Path) -> None:
    grown = grow(asked(f"{kind}-tiny"))
    rows = [dict(grown.reader.read(raw)) for raw in RAWS]
    fills = grown.reader.fills
    sent = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in rows[0]]
    file = tmp_path / "model.onnx"
    export_graph(Pooled(grown.module, sent), rows, fills, file, opset=20)
    arrays = collate(rows, fills)
    session = onnxruntime.InferenceSession(file)
    taken = {port.name for port in session.get_inputs()}
    (found,) = session.run(None, {name: arrays[name] for name in taken})
    with torch.no_grad():
        batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
        wanted = grown.module(batch).pooled.numpy()
    assert np.abs(found - wanted).max() < 1e-5 * max(1.0, np.abs(wanted).max())


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRITERS)
def test_it_writes_as_transformers_does(kind: str, tmp_path: Path) -> None:
    model, opened, generating = writing(kind, tmp_path)
    session = TorchSession(generating)
    ports = ports_of(generating, session.inputs)
    generator = Generator(ports, opened.reader, {"decoder": session})  # type: ignore[arg-type, dict-item]
    stop = generating.writing.stop
    wanted = [until(greedy(model, opened, prompt), stop) for prompt in PROMPTS]
    found = [answer["tokens"] for answer in generator.generate(PROMPTS, max_new_tokens=20)]
    assert found == wanted
