"""The steps of an export, in order: fp32 first, then what the gate lets pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from multigraft.bundle import Bundle, Owner, Port, Precision, seal
from multigraft.errors import ExportError
from multigraft.export import gate, latency
from multigraft.export.card import model_card
from multigraft.export.gate import FP32, Evidence
from multigraft.export.graph import Served, evaluating, export_graph
from multigraft.export.parity import cases, check_parity
from multigraft.export.quantize import CannotQuantize, quantize, ways
from multigraft.export.subject import Subject, calibration, held_out, read, spread
from multigraft.export.summary import summary
from multigraft.files import whole_folder
from multigraft.readers import collate, save_spec
from multigraft.records import Arrays, Quantization
from multigraft.report import Report
from multigraft.runtime.session import Session

INT8 = "int8"
FILES = {FP32: "model.onnx", INT8: "model.int8.onnx"}
LIBRARIES = ("torch", "onnx", "onnxruntime", "numpy")
FACTS = ("stage", "weights", "seed", "plugins", "data", "steps", "best", "parent")
"""What of a run's facts goes into the bundle."""
COMPARED_ROWS = 5
TIMED_ROWS = 4
SLOWER = 1.1
"""How much slower than fp32 a precision must be to be worth a note."""

Precisions = dict[str, Precision]


@dataclass(frozen=True)
class Work:
    """What every step needs."""

    run: Subject
    folder: Path
    """Where the bundle is made."""
    split: str | None
    """The held-out rows that judge; None where there are none."""

    @property
    def checked(self) -> str:
        """The split whose rows are compared and timed."""
        return self.split or "train"

    def graph(self, name: str) -> Path:
        """The file of a precision."""
        return self.folder / FILES[name]

    def files(self, name: str) -> list[Path]:
        """The file of a precision, and its external data."""
        return sorted(self.folder.glob(f"{FILES[name]}*"))


def export_bundle(run: Subject) -> Report:
    """Write ``run.folder/bundle``, replacing an older one whole. Raises ExportError."""
    started = time.perf_counter()
    target = run.folder / "bundle"
    with whole_folder(target) as folder, evaluating(run.graft):
        work = Work(run, folder, held_out(run))
        served, parity = _make_fp32(work)
        judged, notes = _keep(work, _judge(work, parity))
        times = _time(work, judged, served)
        bundle = _seal(work, _timed(judged, times), (*notes, *_slower(times)))
    seconds = time.perf_counter() - started
    return summary(bundle, target, split=work.split, torch_milliseconds=times["torch"], seconds=seconds)


def _make_fp32(work: Work) -> tuple[Served, float]:
    """Export the graph and compare it with the model: the served model, and their largest difference."""
    run, rows = work.run, work.run.rows[work.checked]
    chosen = spread(rows, COMPARED_ROWS)
    arrays = read(run, rows, chosen)
    with_head = run.parts.task.stage != "pretrain"
    served = Served(run.graft, run.objective, tuple(arrays[0]), with_head=with_head).eval()
    path, fills = work.graph(FP32), run.reader.fills
    export_graph(served, [arrays[-1], arrays[0]], fills, path, opset=run.recipe.export.opset)
    trials = cases(arrays, rows.lengths[chosen].tolist(), [rows.place(index) for index in chosen])
    try:
        return served, check_parity(served.answer, Session(path).run, trials, fills)
    except ExportError:
        _delete(work, FP32)
        raise


def _judge(work: Work, parity: float) -> Precisions:
    """Each precision, measured on the held-out rows; int8 in one way after another until one is accepted."""
    accepted, reasons, found = False, list[str](), dict[str, Evidence]()
    for way in _ways(work):
        try:
            quantize(work.graph(FP32), work.graph(INT8), way, calibration(work.run))
        except CannotQuantize as error:
            reasons.append(f"{way}: {error}")
            continue
        found = _measure(work)
        accepted, reason = _verdict(work, found)
        reasons.append(f"{way}: {reason}")
        if accepted:
            break
    found = found or _measure(work)
    same = f"answers as the model does, to {parity:.1e}"
    precisions = {FP32: _entry(work, FP32, found.get(FP32), accepted=True, reason=same, parity=parity)}
    if INT8 in found:
        why, gap = "; ".join(reasons), found[INT8].difference
        precisions[INT8] = _entry(work, INT8, found[INT8], accepted=accepted, reason=why, parity=gap)
    elif INT8 in work.run.recipe.export.precisions:
        precisions[INT8] = Precision(accepted=False, file=None, reason="; ".join(reasons) or _never(work))
    return precisions


def _ways(work: Work) -> tuple[Quantization, ...]:
    """The ways to int8 that are worth a try."""
    run = work.run
    if INT8 not in run.recipe.export.precisions or work.split is None:
        return ()
    return ways(run.parts.backbone.quantization, work.graph(FP32))


def _never(work: Work) -> str:
    """Why no way to int8 was tried."""
    if work.split is None:
        return "no rows are held out to measure it on"
    return "its backbone is not meant to be quantised"


def _measure(work: Work) -> dict[str, Evidence]:
    """The graphs that are there, on the held-out rows."""
    if work.split is None:
        return {}
    sessions = {name: Session(work.graph(name)) for name in FILES if work.graph(name).exists()}
    return gate.measure_graphs(work.run, work.split, sessions)


def _verdict(work: Work, found: Mapping[str, Evidence]) -> tuple[bool, str]:
    _, better = gate.metric_of(work.run)
    budget = work.run.recipe.export.budget
    return gate.verdict(found[INT8], found[FP32], budget=budget, greater_is_better=better)


def _entry(
    work: Work, name: str, evidence: Evidence | None, *, accepted: bool, reason: str, parity: float
) -> Precision:
    size = sum(path.stat().st_size for path in work.files(name))
    entry = Precision(accepted=accepted, file=FILES[name], reason=reason, parity=_finite(parity), size=size)
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
        }
    )


def _keep(work: Work, precisions: Precisions) -> tuple[Precisions, list[str]]:
    """Delete the graphs that are not to be shipped, and say which and why."""
    notes = [
        f"{name} was refused: {entry.reason}" for name, entry in precisions.items() if not entry.accepted
    ]
    kept = dict(precisions)
    if FP32 not in work.run.recipe.export.precisions:
        if kept[INT8].accepted:
            update = {"accepted": False, "reason": "was made to measure int8 by, and not asked for"}
            kept[FP32] = kept[FP32].model_copy(update=update)
        else:
            notes.append("fp32 was not asked for, and is kept as the next safer precision")
    for name, entry in kept.items():
        if not entry.accepted:
            _delete(work, name)
            kept[name] = entry.model_copy(update={"file": None})
    return kept, notes


def _delete(work: Work, name: str) -> None:
    for path in work.files(name):
        path.unlink()


def _time(work: Work, precisions: Precisions, served: Served) -> dict[str, float]:
    """Milliseconds of one row in torch and in each precision that is shipped."""
    run, threads = work.run, torch.get_num_threads()
    rows = run.rows[work.checked]
    batches = [collate([row], run.reader.fills) for row in read(run, rows, spread(rows, TIMED_ROWS))]
    contenders: dict[str, Callable[[], latency.Answer]] = {"torch": lambda: served.answer}
    for name, entry in precisions.items():
        if entry.accepted:
            contenders[name] = _opener(work.graph(name), threads)
    return latency.medians(contenders, batches)


def _opener(path: Path, threads: int) -> Callable[[], latency.Answer]:
    return lambda: Session(path, threads=threads).run


def _timed(precisions: Precisions, times: Mapping[str, float]) -> Precisions:
    return {
        name: entry.model_copy(update={"milliseconds": round(times[name], 4)}) if name in times else entry
        for name, entry in precisions.items()
    }


def _slower(times: Mapping[str, float]) -> list[str]:
    if not {FP32, INT8} <= times.keys() or times[INT8] <= SLOWER * times[FP32]:
        return []
    return [
        f"int8 took {times[INT8]:.3g} ms a row on this machine, fp32 {times[FP32]:.3g} ms: "
        'load(folder, precision="fp32") is faster here'
    ]


def _seal(work: Work, precisions: Precisions, notes: tuple[str, ...]) -> Bundle:
    """Write the reader's files, the card and the manifest."""
    run = work.run
    default = next(name for name in (INT8, FP32) if name in precisions and precisions[name].accepted)
    inputs, outputs = Session(work.graph(default)).ports()
    bundle = Bundle(
        task=run.parts.task.name,
        modality=run.parts.modality.name,
        backbone=run.recipe.backbone.name,
        owners={
            "task": _owner(run, "tasks", run.parts.task.name),
            "modality": _owner(run, "modalities", run.parts.modality.name),
        },
        reader=save_spec(run.reader.spec(), work.folder),
        targets=run.targets,
        inputs=tuple(Port(name=name, dtype=dtype, shape=shape) for name, dtype, shape in inputs),
        outputs=tuple(Port(name=name, dtype=dtype, shape=shape) for name, dtype, shape in outputs),
        precisions=precisions,
        default=default,
        opset=run.recipe.export.opset,
        versions={name: version(name) for name in LIBRARIES},
        facts=_facts(run.facts),
        notes=notes,
    )
    card = model_card(bundle, suffixes=run.parts.modality.suffixes, sample=_sample(work))
    (work.folder / "README.md").write_text(card, encoding="utf-8")
    return seal(bundle, work.folder)


def _sample(work: Work) -> Arrays:
    """One row of middling length, as a batch."""
    rows = work.run.rows[work.checked]
    chosen = spread(rows, 3)
    return collate(read(work.run, rows, [chosen[len(chosen) // 2]]), work.run.reader.fills)


def _owner(run: Subject, kind: str, name: str) -> Owner:
    info = run.catalog.owner(kind, name)
    return Owner(plugin=info.name, version=info.version, distribution=info.origin if info.version else "")


def _facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The run's facts for people, without the paths of the machine that trained it."""
    kept = {name: facts[name] for name in FACTS if name in facts}
    weights = kept.get("weights")
    if isinstance(weights, str) and Path(weights).is_absolute():
        kept["weights"] = Path(weights).name
    return kept


def _finite(value: float | None) -> float | None:
    return value if value is not None and abs(value) < float("inf") else None
