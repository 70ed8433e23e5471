"""Whether a decoder graph writes as the model does, and what each precision loses on held-out rows.

A precision is judged by the task's own `monitor` (the loss a token, say), from the logits that the
torch-free decoding gives for held-out texts. Beside it stands the share of their tokens after which
the most likely one is fp32's: so many would greedy writing take alike after the same text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch

from multigraft.contracts.features import Batch
from multigraft.contracts.generation import Generating
from multigraft.contracts.readers import collate
from multigraft.errors import ExportError
from multigraft.evaluation.measure import intervals
from multigraft.export.acceptance.gate import FP32, batches
from multigraft.export.acceptance.parity import TOLERANCE, Case, relative
from multigraft.export.acceptance.verdict import Evidence
from multigraft.export.context import Subject
from multigraft.export.generation.decoder_graph import ports_of
from multigraft.runtime.bundle import Generation
from multigraft.runtime.generation.decoder_cache import Decoding, left_padded
from multigraft.runtime.session import Session

LARGEST = 1 << 26
"""Numbers in the logits of one call; rows beyond are computed in further calls."""


@dataclass
class _Tally:
    """What is gathered of one precision."""

    kept: list[dict[str, np.ndarray]] = field(default_factory=list)
    same: int = 0
    """Tokens at which the most likely next one is fp32's."""
    tokens: int = 0
    changed: int = 0
    """Rows with another token anywhere."""
    difference: float = 0.0


def measure_decoders(
    run: Subject, generating: Generating, split: str, sessions: Mapping[str, Session]
) -> dict[str, Evidence]:
    """Measure each precision in one pass over a split; ``sessions`` holds ``fp32``."""
    ports = ports_of(generating, sessions[FP32].inputs)
    tallies = {name: _Tally() for name in sessions}
    for whole in batches(run, split):
        for batch in _parts(whole, generating):
            tokens, real = (tensor.numpy() for tensor in generating.feed(batch))
            logits = {
                name: _whole(session, ports, tokens, real) for name, session in sessions.items()
            }
            for name, tally in tallies.items():
                tally.kept.append(_judged(run, generating, logits[name], batch))
                _compare(tally, logits[name], logits[FP32], real.astype(bool))
    return {name: _evidence(run, tally, len(run.rows[split])) for name, tally in tallies.items()}


def check_decoder(
    run: Subject, generating: Generating, session: Session, trials: Sequence[Case]
) -> float:
    """The largest difference of the graph to the trained model, as `parity.relative` gives it.

    Each trial's texts are read at once with padding on the right, and the same in three steps with
    padding on the left, from an empty past. Raises ExportError naming where.
    """
    ports = ports_of(generating, session.inputs)
    largest = 0.0
    for case in trials:
        arrays = collate(case.rows, run.reader.fills)
        batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
        tokens, real = (tensor.numpy() for tensor in generating.feed(batch))
        at_once = _whole(session, ports, tokens, real)
        with torch.inference_mode():
            wanted = run.graft(batch)
            found = generating.outputs(torch.from_numpy(at_once), batch)
        for name, expected in wanted.items():
            gap = _gap(expected.numpy(), found[name].numpy(), f"output {name!r}, {case.name}")
            largest = max(largest, gap)
        stepped = _stepped(session, ports, tokens, real)
        largest = max(largest, _gap(at_once[real == 1], stepped, f"read in steps, {case.name}"))
    return largest


def _whole(session: Session, ports: Generation, tokens: np.ndarray, real: np.ndarray) -> np.ndarray:
    """The logits of every token: [B, T, V]."""
    return Decoding(session, ports, rows=len(tokens)).advance(tokens, real, every=True)


def _stepped(
    session: Session, ports: Generation, tokens: np.ndarray, real: np.ndarray
) -> np.ndarray:
    """The logits of the real tokens, [N, V], read as writing reads them: a prompt, two tokens, one
    token."""
    rows = [row[mask == 1] for row, mask in zip(tokens, real, strict=True)]
    padded, places = left_padded(rows, ports.pad)
    decoding = Decoding(session, ports, rows=len(rows))
    length = padded.shape[1]
    cuts = sorted({0, *(cut for cut in (length - 3, length - 1, length) if cut > 0)})
    parts = [
        decoding.advance(padded[:, start:end], places[:, start:end], every=True)
        for start, end in pairwise(cuts)
    ]
    return np.concatenate(parts, axis=1)[places == 1]


def _gap(wanted: np.ndarray, found: np.ndarray, where: str) -> float:
    if wanted.shape != found.shape:
        raise ExportError(f"{where}: the model gives shape {wanted.shape}, the graph {found.shape}")
    largest = float(np.nan_to_num(relative(wanted, found), nan=np.inf).max(initial=0.0))
    if largest > TOLERANCE:
        raise ExportError(
            f"the decoder does not answer as the model does: {where}: they differ by {largest:.2g} "
            f"of the largest output; at most {TOLERANCE:g} is allowed"
        )
    return largest


def _parts(batch: Batch, generating: Generating) -> Iterator[Batch]:
    """A batch in parts whose logits fit into `LARGEST`."""
    tokens, _ = generating.feed(batch)
    rows, length = tokens.shape
    size = max(1, LARGEST // (length * generating.vocabulary))
    for start in range(0, rows, size):
        yield {name: tensor[start : start + size] for name, tensor in batch.items()}


def _judged(
    run: Subject, generating: Generating, logits: np.ndarray, batch: Batch
) -> dict[str, np.ndarray]:
    """What the task's objective keeps of a batch."""
    outputs = dict(generating.outputs(torch.from_numpy(logits), batch))
    kept = run.objective.measure(outputs, batch, run.objective.loss(outputs, batch))
    return {name: value.numpy() for name, value in kept.items()}


def _compare(tally: _Tally, logits: np.ndarray, fp32: np.ndarray, real: np.ndarray) -> None:
    other = (logits.argmax(axis=-1) != fp32.argmax(axis=-1)) & real
    tally.tokens += int(real.sum())
    tally.same += int(real.sum()) - int(other.sum())
    tally.changed += int(other.any(axis=1).sum())
    gap = np.nan_to_num(relative(fp32[real], logits[real]), nan=np.inf).max(initial=0.0)
    tally.difference = max(tally.difference, float(gap))


def _evidence(run: Subject, tally: _Tally, rows: int) -> Evidence:
    kept = {name: np.concatenate([part[name] for part in tally.kept]) for name in tally.kept[0]}
    settings = run.recipe.evaluation
    measures = intervals(
        run.objective,
        kept,
        count=settings.bootstrap,
        confidence=settings.confidence,
        seed=run.recipe.seed,
    )
    return Evidence(
        metric=run.objective.monitor,
        measure=measures[run.objective.monitor],
        rows=rows,
        changed=tally.changed,
        difference=tally.difference,
        kept=kept,
        same_tokens=tally.same / max(tally.tokens, 1),
    )
