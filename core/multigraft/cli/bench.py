"""``bench``: measure how fast a bundle is here, per precision, beside its run's torch model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multigraft.cli.bundle import BundleFolder, held
from multigraft.cli.shell import AsJson, Shell
from multigraft.system.cpu import usable_cores

if TYPE_CHECKING:
    from rich.table import Table

    from multigraft.runtime.timing import Answer, Shape, Sizes, Timing

TORCH = "torch"

Batches = Annotated[
    list[int] | None,
    typer.Option("--batch", min=1, help="Rows together; unset: 1, 8, 32. Repeatable."),
]
Lengths = Annotated[
    list[int] | None,
    typer.Option(
        "--length",
        min=1,
        help="Tokens or samples a row; half and all of a middling row. Repeatable.",
    ),
]
OfRun = Annotated[
    Path | None,
    typer.Option(
        "--run", help="The run it came from: times its torch model too.", show_default=False
    ),
]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, help="Of one call; unset: all allowed.")
]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Turns of each contender.")]
Calls = Annotated[int, typer.Option("--calls", min=1, help="Of each shape in a round, at most.")]


def bench(
    shell: Shell,
    bundle: BundleFolder,
    *,
    batch: Batches = None,
    length: Lengths = None,
    run: OfRun = None,
    threads: Threads = None,
    rounds: Rounds = 3,
    calls: Calls = 20,
    as_json: AsJson = False,
) -> None:
    """Measure a bundle's latency and throughput on this machine; needs no torch but for --run."""
    from multigraft.runtime import timing
    from multigraft.runtime.bundle import open_bundle

    folder = held(bundle)
    opened = open_bundle(folder)
    count = threads or usable_cores()
    shapes = timing.shapes(opened, batch or [1, 8, 32], length)
    sizes, dtypes = (
        timing.sizes_of(opened.inputs),
        {port.name: port.dtype for port in opened.inputs},
    )
    contenders = {
        name: timing.opener(opened, folder, name, threads=count)
        for name, entry in opened.precisions.items()
        if entry.accepted and entry.file is not None
    }
    if run is not None:
        answer, sizes, dtypes = _torch_model(run, threads=count)
        contenders = {TORCH: lambda: answer, **contenders}
    feeds = {shape: timing.feed(sizes, dtypes, shape) for shape in shapes}
    found = timing.time_all(contenders, feeds, rounds=rounds, calls=calls)
    if as_json:
        shell.say_json(
            {"threads": count, "default": opened.default, "timings": [t.to_dict() for t in found]}
        )
    else:
        shell.out.print(table(shapes, found, opened.default))


def _torch_model(folder: Path, *, threads: int) -> tuple[Answer, Sizes, dict[str, str]]:
    """The run's model as it is served; with the sizes and types of what it reads."""
    import torch

    from multigraft import api
    from multigraft.contracts.padding import fill_of
    from multigraft.contracts.readers import read_row
    from multigraft.export.graph.trace import Served

    torch.set_num_threads(threads)
    run = api.open_run(folder)
    rows = next(iter(run.rows.values()))
    row = read_row(run.reader, rows.raw(0))
    with_head = run.resolved.task.stage != "pretrain"
    served = Served(run.graft, run.objective, tuple(row), with_head=with_head).eval()
    fills = {name: fill_of(fill).axes for name, fill in run.reader.fills.items()}
    sizes: Sizes = {
        name: tuple(
            None if axis in fills.get(name, ()) else size for axis, size in enumerate(array.shape)
        )
        for name, array in row.items()
    }
    return served.answer, sizes, {name: array.dtype.name for name, array in row.items()}


def table(shapes: Sequence[Shape], found: Sequence[Timing], default: str) -> Table:
    """A line for each shape and contender, with its speed beside the first contender's."""
    from rich import box
    from rich.table import Table

    from multigraft.contracts.numbers import quantity

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("batch", "length", "", "p50 ms", "p95 ms", "rows/s", "speed"):
        shown.add_column(heading, justify="left" if heading == "" else "right")
    for shape in shapes:
        timed = [each for each in found if (each.batch, each.length) == (shape.batch, shape.length)]
        for place, each in enumerate(timed):
            first = ("", "") if place else (str(shape.batch), str(shape.length or "one size"))
            name = f"{each.name} (default)" if each.name == default else each.name
            numbers = (f"{each.p50:.2f}", f"{each.p95:.2f}", quantity(each.rows_per_second))
            shown.add_row(*first, name, *numbers, f"{timed[0].p50 / each.p50:.2f}x")
        shown.add_section()
    return shown
