"""Checks of a modality: its reader gives the same arrays for the same value, wherever asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from multigraft.contracts.frames import EXTENT, FRAME
from multigraft.contracts.padding import LENGTH, Fills, fill_of, sizes
from multigraft.contracts.previews import LARGEST, STARTS
from multigraft.contracts.reader import Augment, Reader, WindowReader
from multigraft.contracts.readers import load_spec, save_spec
from multigraft.contracts.records import Modality
from multigraft.contracts.types import Arrays
from multigraft.errors import RowError
from multigraft.testing import isolation
from multigraft.testing.arrays import copied, digest, gap
from multigraft.testing.checks import Skipped
from multigraft.testing.workbench import Subject

NOTHING: tuple[Any, ...] = (None, object())
"""What no reader can read."""
THREADS, ROUNDS = 4, 6


def arrays(subject: Subject) -> Iterator[str]:
    """Rows are named, plain, finite arrays, of which `fills` names those that vary."""
    reader, raws = _made(subject)
    if len(raws) < 2:
        yield f"samples.good gave {len(raws)} values for {12}; give as many as are asked for"
        return
    rows = [reader.read(raw) for raw in raws]
    for row in rows[:4]:
        yield from _plain(row)
    lengths = [reader.length(row) for row in rows]
    if any(
        isinstance(length, bool) or not isinstance(length, int) or length < 1 for length in lengths
    ):
        yield f"length gave {lengths[:4]}; it is a whole number from 1"
    yield from _filled(reader.fills, rows)
    if len(set(map(digest, rows))) < 2:
        yield "every value gives the same arrays"


def _filled(fills: Fills, rows: Sequence[Arrays]) -> Iterator[str]:
    """What `fills` says of the axes that vary is so."""
    axes = {name: fill_of(fill).axes for name, fill in fills.items()}
    for name, named in axes.items():
        if any(name in row and row[name].ndim <= max(named) for row in rows):
            yield f"fills names {name!r}, which has no axis {max(named)} that could vary"
            return
    for name in sorted(rows[0]):
        shapes = {
            tuple(0 if axis in axes.get(name, ()) else size for axis, size in enumerate(each.shape))
            for each in (row[name] for row in rows if name in row)
        }
        if len(shapes) > 1:
            yield f"{name!r} varies in shape, but fills does not say what pads it" + (
                f" along all of its axes (it has {dict(axes[name])})" if name in axes else ""
            )
    for row in rows:
        for called, found in sizes(row, fills).items():
            if called != LENGTH and len(set(found)) > 1:
                yield f"the axis {called!r} of one row has the lengths {found}; one is needed"
                return


def _plain(row: Any) -> Iterator[str]:
    if not isinstance(row, dict) or not all(
        isinstance(value, np.ndarray) for value in row.values()
    ):
        yield f"read gave {type(row).__name__}; a dict of numpy arrays is needed"
        return
    for name, array in row.items():
        if array.dtype.kind not in "biuf":
            yield f"{name!r} is of type {array.dtype}, which no tensor can be"
        elif not np.isfinite(array).all():
            yield f"{name!r} holds numbers that are not finite"


def steady(subject: Subject) -> Iterator[str]:
    """Check that a value gives the same arrays again, also after others, and that they stay."""
    reader, raws = _made(subject)
    first = reader.read(raws[0])
    kept = copied(first)
    for raw in raws[1:4]:
        reader.read(raw)
    if found := gap(kept, first):
        yield f"reading other values changed the arrays that were given before: {found}"
    if found := gap(kept, reader.read(raws[0])):
        yield f"the same value read again, after others, gives other arrays: {found}"
    other = subject.record.reader(json.loads(json.dumps(reader.spec())))
    for raw in raws[1:3]:
        other.read(raw)
    if found := gap(kept, reader.read(raws[0])):
        yield f"after a second reader was used the first gives other arrays: {found}"


def json_spec(subject: Subject) -> Iterator[str]:
    """The reader is built again from its own spec, through JSON and through a folder."""
    reader, raws = _made(subject)
    try:
        text = json.dumps(reader.spec(), allow_nan=False)
    except (TypeError, ValueError) as error:
        yield f"spec() is not JSON: {error}"
        return
    folder = subject.bench.room("spec", subject.record.name)
    specs = {
        "its JSON": json.loads(text),
        "a saved folder": load_spec(
            json.loads(json.dumps(save_spec(reader.spec(), folder))), folder
        ),
    }
    for source, spec in specs.items():
        again = subject.record.reader(spec)
        for raw in raws[:4]:
            if found := gap(reader.read(raw), again.read(raw)):
                yield f"the reader built from {source} reads differently: {found}"
                break
        if json.loads(json.dumps(again.spec())) != json.loads(text):
            yield f"the reader built from {source} gives another spec"
    yield from _fitted(subject, json.loads(text))


def _fitted(subject: Subject, spec: dict[str, Any]) -> Iterator[str]:
    record: Modality = subject.record
    if record.fit is not None and json.loads(json.dumps(record.fit(iter(()), spec))) != spec:
        yield "fit changes a spec that is complete"


def threads(subject: Subject) -> Iterator[str]:
    """Several threads that read at once get what one gets."""
    reader, raws = _made(subject)
    expected = [digest(reader.read(raw)) for raw in raws]
    places = list(range(len(raws))) * ROUNDS
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda place: digest(reader.read(raws[place])), places))
    wrong = sum(found[index] != expected[place] for index, place in enumerate(places))
    if wrong:
        yield (
            f"{wrong} of {len(places)} values read by {THREADS} threads gave other arrays than "
            "alone"
        )


def errors(subject: Subject) -> Iterator[str]:
    """Values that cannot be read give RowError with what is wrong."""
    reader, _ = _made(subject)
    samples = subject.record.samples
    bad = list(samples.bad(subject.bench.room("bad", subject.record.name)))
    if not bad:
        yield "samples.bad gave no values"
    for raw in (*bad, *NOTHING):
        try:
            reader.read(raw)
        except RowError as error:
            if not str(error).strip():
                yield f"the RowError for {_short(raw)} says nothing"
        except Exception as error:
            yield f"{_short(raw)} raised {type(error).__name__} instead of RowError: {error}"
        else:
            yield f"{_short(raw)} was read as if it were right"


def torch_free(subject: Subject) -> Iterator[str]:
    """A process without torch reads the same arrays from the spec."""
    plugin = subject.bench.plugin
    if not plugin.module:
        raise Skipped("the plugin was handed over as an object, so no other process can import it")
    reader, raws = _made(subject)
    order = {"modality": subject.record.name, "spec": reader.spec(), "raws": raws[:4]}
    try:
        json.dumps(order)
    except TypeError as error:
        yield f"its spec or its samples are not JSON: {error}"
        return
    answer = isolation.ask({"do": "read", "module": plugin.module, **order})
    if answer.get("error"):
        yield f"in a process without torch: {answer['error']}"
        return
    if answer["digests"] != [digest(reader.read(raw)) for raw in raws[:4]]:
        yield "a process without torch reads other arrays"
    if answer["asked"]:
        yield f"it asks the network for {', '.join(answer['asked'])}"


def windows(subject: Subject) -> Iterator[str]:
    """Windows are rows like any other, and a value that fits is one of them."""
    reader, raws = _made(subject)
    if not isinstance(reader, WindowReader):
        raise Skipped("its reader has no windows")
    for raw in raws[:4]:
        row, found = reader.read(raw), reader.windows(raw)
        if not found:
            yield "windows gave none for a value that can be read"
        for window in found:
            if window.keys() != row.keys() or any(window[n].dtype != row[n].dtype for n in row):
                yield "a window has other arrays than a row"
                return


def augment(subject: Subject) -> Iterator[str]:
    """An augmentation follows from its generator, and leaves the row it was given."""
    record: Modality = subject.record
    if record.augment is None:
        raise Skipped("it has no augmentation")
    reader, raws = _made(subject)
    options = {name: option.default for name, option in record.augment_options.items()}
    row = reader.read(raws[0])
    kept = copied(row)
    for strength in ("light", "strong"):
        change = record.augment(strength, reader, options)
        one, other = (change(copied(row), np.random.default_rng(7)) for _ in range(2))
        if found := gap(one, other):
            yield f"{strength}: the same generator gives another row: {found}"
        change(row, np.random.default_rng(8))
        if found := gap(kept, row):
            yield f"{strength}: it writes into the row that it was given: {found}"
        if one.keys() != row.keys() or any(one[name].dtype != row[name].dtype for name in row):
            yield f"{strength}: the row has other arrays than before"
        yield from _framed(strength, change, row)
        target = {"target": np.arange(3), "label": np.asarray(1)}
        given = change({**copied(row), **copied(target)}, np.random.default_rng(7))
        if gap({name: given[name] for name in target if name in given}, target):
            yield f"{strength}: it does not give back a task's targets that stand in the row"


def _framed(strength: str, change: Augment, row: Arrays) -> Iterator[str]:
    """An augmentation that says so gives a frame by which targets can be carried."""
    if not getattr(change, "frames", False):
        return
    start = {FRAME: np.eye(2, 3, dtype=np.float32), EXTENT: np.array([8, 8], np.float32)}
    for seed in range(4):
        given = change({**copied(start), **copied(row)}, np.random.default_rng(seed))
        frame = given.get(FRAME)
        if frame is None or frame.shape != (2, 3) or not abs(np.linalg.det(frame[:, :2])) > 0:
            yield (
                f"{strength}: it has frames = True, and gives no frame, float32 [2, 3], that leads "
                "back"
            )
            return


def likeness(subject: Subject) -> Iterator[str]:
    """Check that sketches are equal for equal values and not near for others, and never raise."""
    record: Modality = subject.record
    if record.likeness is None:
        raise Skipped("it has no likeness")
    _, raws = _made(subject)
    bad = list(record.samples.bad(subject.bench.room("bad", record.name))) if record.samples else []
    sketches, flaws = record.likeness.sketch([*raws, raws[0], *bad])
    again, _ = record.likeness.sketch(raws[:1])
    for name, array, axes in (("sketches", sketches, 2), ("flaws", flaws, 1)):
        if array.dtype.kind != "u" or array.ndim != axes or len(array) != len(raws) + 1 + len(bad):
            yield (
                f"{name} are {array.dtype}{list(array.shape)}; unsigned integers, a row a value, "
                "are needed"
            )
            return
    if not (sketches[0] == sketches[len(raws)]).all() or not (sketches[0] == again[0]).all():
        yield "equal values have different sketches"
    if flaws.max(initial=0) > len(record.likeness.flaws):
        yield f"a flaw has the number {flaws.max()}, and flaws names {len(record.likeness.flaws)}"


def preview(subject: Subject) -> Iterator[str]:
    """Check that previews are files of their kind, small enough, and raise RowError alone."""
    record: Modality = subject.record
    if record.preview is None:
        raise Skipped("it has no preview")
    _, raws = _made(subject)
    for raw in raws[:3]:
        found = record.preview(raw)
        if not found.content.startswith(STARTS[found.kind]):
            yield f"the preview of {raw!r:.60} is no {found.kind}"
        elif len(found.content) > LARGEST:
            yield f"the preview of {raw!r:.60} has {len(found.content):,} bytes"
    for raw in record.samples.bad(subject.bench.room("bad", record.name)) if record.samples else []:
        try:
            record.preview(raw)
        except RowError:
            continue
        except Exception as error:
            yield f"of {raw!r:.60} the preview raised {type(error).__name__}: {error}"


def unit(subject: Subject) -> Iterator[str]:
    """The unit of lengths is a name and a positive number."""
    record: Modality = subject.record
    if record.unit is None:
        raise Skipped("its lengths have no unit of their own")
    found = record.unit(subject.bench.spec(record))
    if not (len(found) == 2 and isinstance(found[0], str) and found[1] > 0):
        yield f"unit gave {found!r}; a name and how many of Reader.length make one are needed"


def _made(subject: Subject) -> tuple[Reader, list[Any]]:
    bench, record = subject.bench, subject.record
    raws: list[Any] = bench.raws(record)
    reader: Reader = bench.reading(record)
    return reader, raws


def _short(raw: Any) -> str:
    text = repr(raw)
    return text if len(text) <= 60 else text[:57] + "..."
