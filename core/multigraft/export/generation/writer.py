"""The fp32 graphs of a model that writes, compared with it, and the rows they are tried on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from multigraft.contracts.generation import Generating, Tensors
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Arrays
from multigraft.export.acceptance.gate import numbered_batches
from multigraft.export.acceptance.parity import Case, cases, check_parity
from multigraft.export.context import FP32, ExportContext
from multigraft.export.generation.decoder_gate import check_decoder, parts
from multigraft.export.generation.decoder_graph import export_decoder, fed, open_writer
from multigraft.export.generation.encoder_graph import Encoder, export_encoder
from multigraft.export.graph.rewriting import rewritten
from multigraft.export.sample_rows import middling
from multigraft.runtime.generation.generator import DECODER, ENCODER
from multigraft.runtime.session import Session


def make_writer(context: ExportContext, generating: Generating, chosen: Sequence[int]) -> float:
    """Export the graphs and compare them with the model on some rows: their largest difference.

    Raises ExportError.
    """
    run, rows, parity = context.run, context.rows, 0.0
    memory: Tensors = {}
    paths, opset = context.paths(FP32), run.recipe.export.opset
    if ENCODER in paths:
        arrays, fills = [rows.read(index) for index in chosen], run.reader.fills
        encoder = Encoder(run.graft, generating, tuple(arrays[0])).eval()
        pair = [arrays[-1], arrays[0]]
        memory = export_encoder(encoder, pair, fills, paths[ENCODER], opset=opset)
        heard = _cases(context, chosen, arrays)
        parity = rewritten(
            paths[ENCODER],
            lambda path: check_parity(encoder.answer, Session(path).run, heard, fills),
        )
    export_decoder(generating, memory, paths[DECODER], opset=opset)
    written = _cases(context, chosen, [rows.fetch(index, None) for index in chosen])

    def check(path: Path) -> float:
        writer = open_writer(generating, {**paths, DECODER: path}, run.reader)
        return check_decoder(run, generating, writer, written)

    return max(parity, rewritten(paths[DECODER], check))


def _cases(context: ExportContext, chosen: Sequence[int], arrays: Sequence[Arrays]) -> list[Case]:
    rows, run = context.rows, context.run
    names = {**run.reader.fills, **run.objective.fills}
    fills = {name: fill for name, fill in names.items() if name in arrays[0]}
    places = [rows.place(index) for index in chosen]
    return cases(arrays, rows.lengths[list(chosen)].tolist(), places, fills)


def taught(context: ExportContext, generating: Generating) -> Iterator[Arrays]:
    """Training rows as the decoder's inputs, read whole, with what the encoder gives of them."""
    encoder = Session(context.paths(FP32)[ENCODER]) if generating.writing.memory else None
    for places, whole in numbered_batches(context.run, "train"):
        for _, batch in parts(places, whole, generating):
            arrays = {name: tensor.numpy() for name, tensor in batch.items()}
            yield fed(generating, batch, {} if encoder is None else encoder.run(arrays))


def source_of(context: ExportContext) -> Arrays:
    """A value of middling length, as a batch of one: what an encoder is timed with."""
    return collate([middling(context.rows)], context.run.reader.fills)
