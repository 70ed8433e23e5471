"""Float layers: the most sensitive layers of an int8 graph that loses too much stay in float."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice

import torch

from multigraft.export.acceptance import gate, latency
from multigraft.export.acceptance.verdict import Evidence, Verdict
from multigraft.export.context import FP32, INT8, ExportContext
from multigraft.export.generation.token_latency import token_times
from multigraft.export.generation.writer import source_of, taught
from multigraft.export.precision.quantize import Prepared, write
from multigraft.export.precision.sensitivity import RANKING, Deadline, Layers, fewest, noise, rank
from multigraft.export.sample_rows import calibration, spread
from multigraft.runtime.session import Session

LOG = logging.getLogger("multigraft")
RANKED_BATCHES = 4
TIMED_ROWS = 32
NAMED = 5
"""How many layers a sentence names."""


@dataclass(frozen=True)
class FloatLayers:
    """An accepted graph with some layers in float, left in the place of the int8 one."""

    floats: Layers
    evidence: Mapping[str, Evidence]
    verdict: Verdict


def find_float_layers(
    context: ExportContext, prepared: Prepared, measure: Callable[[], Mapping[str, Evidence]]
) -> tuple[FloatLayers | None, str]:
    """Search the fewest float layers in ``export.repair`` seconds; with a sentence on the outcome.

    Where nothing was found the int8 graph has every layer in int8 again.
    """
    seconds = context.run.recipe.export.repair
    deadline = Deadline.after(seconds)
    groups, damages = _ranked(context, prepared, Deadline.after(RANKING * seconds))
    LOG.info(
        "export: int8 suffers most from %s (noise %.2g)", _named(prepared, groups[0]), damages[0]
    )
    judge = gate.judge_of(context.run)

    def trial(floats: Layers) -> FloatLayers | None:
        write(prepared, context.graph(INT8), lambda: calibration(context.run), floats=floats)
        evidence = measure()
        verdict = judge.verdict(evidence[INT8], evidence[FP32])
        LOG.info("export: int8 with %d layers in float %s", len(floats), verdict.reason)
        return FloatLayers(floats, evidence, verdict) if verdict.accepted else None

    best = fewest(groups, trial, deadline=deadline)
    floats = () if best is None else best.floats
    write(prepared, context.graph(INT8), lambda: calibration(context.run), floats=floats)
    if best is None:
        over = "" if deadline.left else f" within {seconds:g} s (export.repair)"
        return None, f"no few of its {len(prepared.layers)} layers in float are enough{over}"
    times = _times(context)
    said = (
        f"with {len(floats)} of {len(prepared.layers)} layers in float "
        f"({_named(prepared, floats)}) it"
    )
    if times[INT8] >= times[FP32]:
        write(prepared, context.graph(INT8), lambda: calibration(context.run))
        return None, f"{said} takes {times[INT8]:.3g} ms a row, fp32 {times[FP32]:.3g} ms"
    return best.found, f"{said} {best.found.verdict.reason}"


def _ranked(
    context: ExportContext, prepared: Prepared, deadline: Deadline
) -> tuple[list[Layers], list[float]]:
    """Groups of layers by the noise that each alone in int8 brings, the most damaging first."""
    chosen = (
        calibration(context.run)
        if context.generating is None
        else taught(context, context.generating)
    )
    batches = list(islice(chosen, RANKED_BATCHES))
    expected = [Session(context.graph(FP32)).run(batch) for batch in batches]

    def damage(layers: Layers) -> float:
        floats = [name for name in prepared.layers if name not in layers]
        write(prepared, context.graph(INT8), lambda: calibration(context.run), floats=floats)
        return noise(Session(context.graph(INT8)).run, expected, batches)

    return rank(prepared.layers, damage, deadline=deadline)


def _times(context: ExportContext) -> dict[str, float]:
    """Milliseconds a row of both graphs."""
    if context.generating is not None:
        graphs = {name: context.paths(name) for name in (FP32, INT8)}
        tokens = token_times(context.run, context.generating, graphs, source_of(context))
        return {name: latency.a_row(tokens[name]) for name in graphs}
    rows, threads = context.rows, torch.get_num_threads()
    batches = latency.trial(
        [rows.read(index) for index in spread(rows, TIMED_ROWS)], context.run.reader
    )
    times = latency.medians({name: context.opener(name, threads) for name in (FP32, INT8)}, batches)
    return {name: latency.a_row(found) for name, found in times.items()}


def _named(prepared: Prepared, floats: Layers) -> str:
    layers = prepared.named(floats)
    more = f" and {len(layers) - NAMED} more" if len(layers) > NAMED else ""
    return ", ".join(layers[:NAMED]) + more
