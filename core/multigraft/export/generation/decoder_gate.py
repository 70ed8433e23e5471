"""Whether the graphs write as the model does, and what each precision loses on held-out rows.

A precision is judged by the task's own `monitor` (the loss a token, say), from the logits that the
torch-free decoding gives for held-out texts; or, where the task names a `WrittenMetric`, by the
answers that its graphs write. Beside it stands the share of the true tokens after which the most
likely one is fp32's: so many would greedy writing take alike after the same text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch

from multigraft.contracts.features import Batch
from multigraft.contracts.generation import Generating
from multigraft.contracts.padding import Fills
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Answer
from multigraft.errors import ExportError
from multigraft.evaluation.answer_scores import joined, score_rows, written_rows
from multigraft.evaluation.statistics import intervals
from multigraft.export.acceptance.gate import metric_of, metrics_by, numbered_batches
from multigraft.export.acceptance.parity import EMPTY, TOLERANCE, Case, relative
from multigraft.export.acceptance.verdict import Evidence
from multigraft.export.context import FP32
from multigraft.runs.run import Run
from multigraft.runtime.generation.decoder_cache import Decoding, left_padded
from multigraft.runtime.generation.generator import Generator

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
    """Rows with another token anywhere, in the texts that are written where those are judged."""
    difference: float = 0.0


def measure_decoders(
    run: Run, generating: Generating, split: str, writers: Mapping[str, Generator]
) -> dict[str, Evidence]:
    """Measure each precision in one pass over a split; ``writers`` holds ``fp32``."""
    tallies = {name: _Tally() for name in writers}
    answers, rows = metrics_by(run).answers, run.rows[split]
    for places, whole in numbered_batches(run, split):
        for numbers, batch in parts(places, whole, generating):
            arrays = {name: tensor.numpy() for name, tensor in batch.items()}
            tokens, real = (tensor.numpy() for tensor in generating.feed(batch))
            logits = {
                name: _whole(writer.begin(arrays, len(tokens)), tokens, real)
                for name, writer in writers.items()
            }
            written = {
                name: [] if answers is None else written_rows(writer, rows, numbers)
                for name, writer in writers.items()
            }
            for name, tally in tallies.items():
                kept = _judged(run, generating, logits[name], batch)
                if answers is not None:
                    kept = joined(kept, score_rows(answers, rows, numbers, written[name]))
                tally.kept.append(kept)
                _compare(tally, logits[name], logits[FP32], real.astype(bool))
                tally.changed += (
                    _other_rows(logits[name], logits[FP32], real.astype(bool))
                    if answers is None
                    else _other_texts(written[name], written[FP32])
                )
    return {name: _evidence(run, tally, len(run.rows[split])) for name, tally in tallies.items()}


def check_decoder(
    run: Run, generating: Generating, writer: Generator, trials: Sequence[Case]
) -> float:
    """The largest difference of the graphs to the trained model, as `parity.relative` gives it.

    Each trial's texts are read at once with padding on the right, and the same in steps from an
    empty state: prompts with padding on the left; behind an encoder a token at first, as every text
    begins there. Raises ExportError naming where.
    """
    fills = {**run.reader.fills, **run.objective.fills}
    encodes = bool(generating.writing.memory)
    return max(
        _compare_case(run, generating, writer, case, fills)
        for case in trials
        if not (encodes and case.name == EMPTY)  # no text begins with padding
    )


def _compare_case(
    run: Run, generating: Generating, writer: Generator, case: Case, fills: Fills
) -> float:
    rng, names = np.random.default_rng(run.recipe.seed), case.rows[0].keys()
    collated = collate(case.rows, {name: fills[name] for name in names & fills.keys()})
    arrays = run.objective.prepare(collated, rng)
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
    tokens, real = (tensor.numpy() for tensor in generating.feed(batch))
    at_once = _whole(writer.begin(arrays, len(tokens)), tokens, real)
    with torch.inference_mode():
        wanted = run.graft(batch)
        found = generating.outputs(torch.tensor(at_once), batch)
    gaps = [
        _gap(expected.numpy(), found[name].numpy(), f"output {name!r}, {case.name}")
        for name, expected in wanted.items()
    ]
    read = _from_start if generating.writing.memory else _from_prompts
    stepped = read(writer.begin(arrays, len(tokens)), tokens, real)
    return max(*gaps, _gap(at_once[real == 1], stepped, f"read in steps, {case.name}"))


def _whole(decoding: Decoding, tokens: np.ndarray, real: np.ndarray) -> np.ndarray:
    """The logits of every token: [B, T, V]."""
    return decoding.advance(tokens, real, every=True)


def _from_prompts(decoding: Decoding, tokens: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Logits of the real tokens, [N, V], read as in writing: a prompt, two tokens, one token."""
    rows = [row[mask == 1] for row, mask in zip(tokens, real, strict=True)]
    padded, places = left_padded(rows, decoding.ports.pad)
    length = padded.shape[1]
    return _in_steps(decoding, padded, places, (length - 3, length - 1))


def _from_start(decoding: Decoding, tokens: np.ndarray, real: np.ndarray) -> np.ndarray:
    """The same, [N, V], where all texts begin together: one token, one token, the others."""
    return _in_steps(decoding, tokens, real, (1, 2))


def _in_steps(
    decoding: Decoding, tokens: np.ndarray, real: np.ndarray, cuts: Sequence[int]
) -> np.ndarray:
    length = tokens.shape[1]
    places = sorted({0, length, *(cut for cut in cuts if 0 < cut < length)})
    found = [
        decoding.advance(tokens[:, start:end], real[:, start:end], every=True)
        for start, end in pairwise(places)
    ]
    return np.concatenate(found, axis=1)[real == 1]


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


def parts(
    numbers: np.ndarray, batch: Batch, generating: Generating
) -> Iterator[tuple[np.ndarray, Batch]]:
    """A batch in parts whose logits fit into `LARGEST`, each with the numbers of its rows."""
    tokens, _ = generating.feed(batch)
    rows, length = tokens.shape
    size = max(1, LARGEST // (length * generating.writing.vocabulary))
    for start in range(0, rows, size):
        part = slice(start, start + size)
        yield numbers[part], {name: tensor[part] for name, tensor in batch.items()}


def _judged(
    run: Run, generating: Generating, logits: np.ndarray, batch: Batch
) -> dict[str, np.ndarray]:
    """What the task's objective keeps of a batch."""
    outputs = dict(generating.outputs(torch.tensor(logits), batch))
    kept = run.objective.measure(outputs, batch, run.objective.loss(outputs, batch))
    return {name: value.numpy() for name, value in kept.items()}


def _compare(tally: _Tally, logits: np.ndarray, fp32: np.ndarray, real: np.ndarray) -> None:
    other = _other_tokens(logits, fp32, real)
    tally.tokens += int(real.sum())
    tally.same += int(real.sum()) - int(other.sum())
    gap = np.nan_to_num(relative(fp32[real], logits[real]), nan=np.inf).max(initial=0.0)
    tally.difference = max(tally.difference, float(gap))


def _other_tokens(logits: np.ndarray, fp32: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Where the most likely token is not fp32's: [B, T]."""
    found: np.ndarray = (logits.argmax(axis=-1) != fp32.argmax(axis=-1)) & real
    return found


def _other_rows(logits: np.ndarray, fp32: np.ndarray, real: np.ndarray) -> int:
    return int(_other_tokens(logits, fp32, real).any(axis=1).sum())


def _other_texts(found: Sequence[Answer], fp32: Sequence[Answer]) -> int:
    return sum(one["text"] != other["text"] for one, other in zip(found, fp32, strict=True))


def _evidence(run: Run, tally: _Tally, rows: int) -> Evidence:
    metrics = metrics_by(run)
    kept = metrics.together(
        {name: np.concatenate([part[name] for part in tally.kept]) for name in tally.kept[0]}
    )
    settings = run.recipe.evaluation
    measures = intervals(
        metrics,
        kept,
        count=settings.bootstrap,
        confidence=settings.confidence,
        seed=run.recipe.seed,
    )
    metric, _ = metric_of(run)
    return Evidence(
        metric=metric,
        measure=measures[metric],
        rows=rows,
        changed=tally.changed,
        difference=tally.difference,
        kept=kept,
        same_tokens=tally.same / max(tally.tokens, 1),
    )
