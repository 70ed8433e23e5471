"""Build the precisions of a bundle: each is made, measured on held-out rows, and timed."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from multigraft.export.acceptance import gate, latency
from multigraft.export.acceptance.verdict import Evidence, Verdict
from multigraft.export.context import FP16, FP32, INT8, ExportContext
from multigraft.export.generation.decoder_gate import measure_decoders
from multigraft.export.generation.decoder_graph import open_writer
from multigraft.export.generation.token_latency import token_times
from multigraft.export.generation.writer import source_of
from multigraft.export.graph.trace import Served
from multigraft.export.precision.float_layers import FloatLayers, find_float_layers
from multigraft.export.precision.fp16 import halve
from multigraft.export.precision.int8_branches import fewest_floats, quantize_branches
from multigraft.export.precision.quantize import (
    CannotQuantize,
    Prepared,
    impossible,
    prepare,
    quantize,
    ways,
    write,
)
from multigraft.export.sample_rows import calibration, spread
from multigraft.runtime.bundle import Precision
from multigraft.runtime.generation.generator import ENCODER

LOG = logging.getLogger("multigraft")
TIMED_ROWS = 64
FASTER = 0.95
"""A precision is preferred to fp32 from this share of its time on: less is within the noise."""

Precisions = dict[str, Precision]


@dataclass(frozen=True)
class _Tried:
    """One way to int8, and what came of it."""

    prepared: Prepared
    evidence: Mapping[str, Evidence]
    verdict: Verdict

    @property
    def order(self) -> tuple[bool, float]:
        """Sorts the accepted first, then those that lose least."""
        points = self.verdict.loss.points
        return not self.verdict.accepted, points if math.isfinite(points) else math.inf


def judge(context: ExportContext, parity: float) -> Precisions:
    """Make and measure each precision that the recipe asks for; refused graphs stay in place."""
    found = _measure(context, FP32)
    same = f"answers as the model does, to {parity:.1e}"
    entry = _entry(context, FP32, found.get(FP32), accepted=True, reason=same)
    precisions = {FP32: entry.model_copy(update={"parity": _finite(parity)})}
    for name, make in ((INT8, _int8), (FP16, _fp16)):
        if context.asked(name):
            context.run.display.begin(f"making {name}")
            precisions[name] = make(context)
            LOG.info("export: %s %s", name, precisions[name].reason)
    return precisions


def time_all(
    context: ExportContext, precisions: Precisions, served: Served
) -> tuple[Precisions, dict[int, float]]:
    """The precisions with their latency, refused ones too; and torch's."""
    context.run.display.begin("timing")
    if context.generating is not None:
        graphs = {name: context.paths(name) for name in precisions if context.files(name)}
        tokens = token_times(context.run, context.generating, graphs, source_of(context))
        update = {
            name: {"milliseconds": tokens[name][1], "latency": tokens[name]} for name in graphs
        }
        written = {
            name: each.model_copy(update=update.get(name, {})) for name, each in precisions.items()
        }
        return written, tokens["torch"]
    rows, threads = context.rows, torch.get_num_threads()
    batches = latency.trial(
        [rows.read(index) for index in spread(rows, TIMED_ROWS)], context.run.reader
    )
    contenders: dict[str, latency.Opener] = {"torch": lambda: served.answer}
    contenders |= {
        name: context.opener(name, threads) for name in precisions if context.files(name)
    }
    times = latency.medians(contenders, batches)
    lengths = {batch.rows: batch.rows * batch.length for batch in batches}
    timed = {
        name: _timed(entry, times.get(name, {}), lengths) for name, entry in precisions.items()
    }
    return timed, times["torch"]


def fastest(precisions: Precisions) -> str:
    """Choose the accepted precision measured fastest; never fp16, which a processor timed."""
    held = {name: entry for name, entry in precisions.items() if entry.accepted and name != FP16}
    if not held:
        return FP16
    times = {name: latency.a_row(entry.latency) for name, entry in held.items()}
    best = min(times, key=lambda name: times[name])
    return best if FP32 not in held or times[best] < FASTER * times[FP32] else FP32


def _int8(context: ExportContext) -> Precision:
    """Quantise in each way until one is accepted; else keep some layers of the best in float."""
    if refused := _impossible(context) or _refusal(context):
        return Precision(accepted=False, file=None, reason=refused)
    if context.branches:
        return _int8_branches(context)
    reasons, tried = list[str](), list[_Tried]()
    with tempfile.TemporaryDirectory(dir=context.folder.parent, prefix=".int8-") as folder:
        _int8_encoder(context)
        chosen = ways(context.quantization, context.graph(FP32))
        for way in chosen if context.generating is None else ("dynamic",):
            place = Path(folder) / way
            place.mkdir()
            try:
                tried.append(_try(context, prepare(context.graph(FP32), place, way)))
            except CannotQuantize as error:
                reasons.append(f"{way}: {error}")
                continue
            reasons.append(f"{way}: {tried[-1].verdict.reason}")
            if tried[-1].verdict.accepted:
                break
        best = min(tried, key=lambda each: each.order)
        better = None if best.verdict.accepted else _with_float_layers(context, best, reasons)
        if better is None and best is not tried[-1]:
            write(best.prepared, context.graph(INT8), lambda: calibration(context.run))
    if better is not None:
        entry = _entry(
            context, INT8, better.evidence[INT8], accepted=True, reason="; ".join(reasons)
        )
        floats = best.prepared.named(better.floats)
        return _with_loss(entry, better.verdict).model_copy(update={"floats": floats})
    accepted = best.verdict.accepted
    entry = _entry(context, INT8, best.evidence[INT8], accepted=accepted, reason="; ".join(reasons))
    return _with_loss(entry, best.verdict)


def _int8_branches(context: ExportContext) -> Precision:
    """Quantise every branch; where that loses too much, all but the fewest."""
    quantized, told = quantize_branches(context)
    if not quantized:
        return Precision(accepted=False, file=None, reason="; ".join(told))
    evidence, verdict, floats = fewest_floats(context, quantized, lambda: _measure(context, INT8))
    kept = f"with {', '.join(floats)} in float " if floats else ""
    reason = "; ".join([*told, f"{kept}{verdict.reason}"])
    entry = _entry(context, INT8, evidence[INT8], accepted=verdict.accepted, reason=reason)
    float_branches = tuple(branch for branch in context.branches if branch not in quantized)
    update = {"floats": (*float_branches, *floats)}
    return _with_loss(entry, verdict).model_copy(update=update)


def _int8_encoder(context: ExportContext) -> None:
    """The encoder beside a decoder in int8, in the most careful way that suits it: nothing is
    tried of it, and convolutions beside matrix products stay float."""
    path = context.paths(INT8).get(ENCODER)
    if path is not None:
        source = context.paths(FP32)[ENCODER]
        way = ("dynamic", *ways(context.quantization, source))[-1]
        quantize(source, path, way, calibration(context.run))


def _try(context: ExportContext, prepared: Prepared) -> _Tried:
    context.run.display.begin(f"making {INT8}, {prepared.way}")
    write(prepared, context.graph(INT8), lambda: calibration(context.run))
    evidence = _measure(context, INT8)
    verdict = gate.judge_of(context.run).verdict(evidence[INT8], evidence[FP32])
    return _Tried(prepared, evidence, verdict)


def _with_float_layers(
    context: ExportContext, best: _Tried, reasons: list[str]
) -> FloatLayers | None:
    """Leave layers in float, where the recipe gives time for it."""
    if not context.run.recipe.export.repair:
        return None
    found, reason = find_float_layers(context, best.prepared, lambda: _measure(context, INT8))
    reasons.append(reason)
    return found


def _fp16(context: ExportContext) -> Precision:
    if refused := _refusal(context):
        return Precision(accepted=False, file=None, reason=refused)
    for role, path in context.paths(FP32).items():
        halve(path, context.targets(FP16)[role])
    evidence = _measure(context, FP16)
    verdict = gate.judge_of(context.run).verdict(evidence[FP16], evidence[FP32])
    entry = _entry(context, FP16, evidence[FP16], accepted=verdict.accepted, reason=verdict.reason)
    return _with_loss(entry, verdict)


def _impossible(context: ExportContext) -> str | None:
    """Say why no rows would bring int8 about; None where they may."""
    if context.generating is not None:
        return None
    if not context.branches:
        return impossible(context.quantization, context.graph(FP32))
    sources, branches = context.targets(FP32), context.run.resolved.branches
    told = {
        branch: impossible(branches[branch].backbone.quantization, sources[branch])
        for branch in context.branches
    }
    if not all(told.values()):
        return None
    return "; ".join(f"{branch}: {reason}" for branch, reason in told.items())


def _refusal(context: ExportContext) -> str | None:
    """Say why no held-out rows could ever accept a precision; None where they may."""
    if context.split is None:
        return "no rows are held out to measure it on"
    judge = gate.judge_of(context.run)
    return judge.too_few(context.held_out) if context.held_out < judge.rows else None


def _measure(context: ExportContext, name: str) -> dict[str, Evidence]:
    if context.split is None:
        return {}
    run, generating = context.run, context.generating
    run.display.begin(f"judging {name}", context.held_out)
    if generating is not None:
        writers = {
            each: open_writer(generating, context.paths(each), run.reader) for each in (FP32, name)
        }
        return measure_decoders(run, generating, context.split, writers)
    sessions = {each: context.session(each) for each in (FP32, name)}
    return gate.measure_graphs(context.run, context.split, sessions)


def _entry(
    context: ExportContext, name: str, evidence: Evidence | None, *, accepted: bool, reason: str
) -> Precision:
    size = sum(path.stat().st_size for path in context.files(name))
    graphs = {role: path.name for role, path in context.paths(name).items()}
    entry = Precision(
        accepted=accepted, file=graphs.pop(context.main), reason=reason, size=size, graphs=graphs
    )
    if evidence is None:
        return entry
    measure = evidence.measure
    return entry.model_copy(
        update={
            "metric": evidence.metric,
            "value": _finite(measure.value),
            "low": _finite(measure.low),
            "high": _finite(measure.high),
            "rows": evidence.rows,
            "changed": None if name == FP32 else evidence.changed,
            "same_tokens": None if name == FP32 else evidence.same_tokens,
            "parity": _finite(evidence.difference),
        }
    )


def _with_loss(entry: Precision, verdict: Verdict) -> Precision:
    loss = verdict.loss
    bounds = {"lost": loss.points, "lost_low": loss.low, "lost_high": loss.high}
    return entry.model_copy(update={name: _finite(value) for name, value in bounds.items()})


def _timed(entry: Precision, times: Mapping[int, float], lengths: Mapping[int, int]) -> Precision:
    if not times:
        return entry
    best = lengths[latency.best_size(times)]
    update = {"milliseconds": times[1], "latency": dict(times), "batch_length": best}
    return entry.model_copy(update=update)


def _finite(value: float | None) -> float | None:
    return value if value is not None and abs(value) < float("inf") else None
