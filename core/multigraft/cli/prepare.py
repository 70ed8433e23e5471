"""``prepare``: clean, filter, deduplicate and split a corpus."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multigraft.cli.shell import AsJson, Shell

if TYPE_CHECKING:
    from multigraft.data.prepare.plan import Plan
    from multigraft.data.prepare.tally import Tally
    from multigraft.preparing import Prepared

File = Annotated[
    Path | None,
    typer.Argument(
        metavar="RECIPE", help="A recipe of a preparation, YAML or JSON.", show_default=False
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="FIELD=VALUE", help="Any field, as shard_mb=64. Repeatable, wins last."
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", help="The folder that is written.", show_default=False)
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes that judge rows.", show_default=False)
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Show what the steps do to the first 1,000 rows, and write nothing."
    ),
]
ListSteps = Annotated[
    bool, typer.Option("--list", help="List the filters that there are, and nothing else.")
]


def prepare(
    shell: Shell,
    recipe: File = None,
    *,
    assignments: Assignments = None,
    out: Out = None,
    workers: Workers = None,
    dry_run: DryRun = False,
    list_filters: ListSteps = False,
    as_json: AsJson = False,
) -> None:
    """Clean, filter, deduplicate and split a corpus into Parquet files, whatever its size.

    Killed and called again it goes on, and ends with the same files.
    """
    from multigraft.cli.choices import merge
    from multigraft.plugins.catalog import Catalog
    from multigraft.preparing import planned, prepare_planned, tried

    if list_filters:
        _list(shell, as_json=as_json)
        return
    if recipe is None and not assignments:
        raise typer.BadParameter(
            "give a recipe file, or fields by --set source=rows.jsonl --set steps=[unicode]; "
            "--list shows the filters that there are"
        )
    flags = {"output": None if out is None else str(out), "workers": workers}
    raw = merge(recipe, flags, assignments or ())
    if "output" not in raw and recipe is not None:
        raw["output"] = str(Path("prepared") / recipe.stem)
    plan, folder = planned(raw, {}, Catalog(), source="recipe" if recipe is None else str(recipe))
    if dry_run:
        _show_trial(shell, plan, tried(plan), as_json=as_json)
        return
    try:
        made = prepare_planned(plan, folder, quiet=shell.quiet)
    except KeyboardInterrupt:
        shell.tell("go on with the same command")
        raise
    _show(shell, made, as_json=as_json)


def _list(shell: Shell, *, as_json: bool) -> None:
    from multigraft.plugins.catalog import Catalog

    filters = Catalog().filters()
    if as_json:
        told = ("name", "modality", "help", "source", "groups")
        found = [{name: getattr(each, name) for name in told} for each in filters]
        options = [{n: o.default for n, o in each.options.items()} for each in filters]
        shell.say_json([{**f, "options": o} for f, o in zip(found, options, strict=True)])
        return
    for each in filters:
        groups = f" ({', '.join(each.groups)})" if each.groups else ""
        shell.say(f"{each.name}{groups}: {each.modality or 'any'}: {each.help}")


def _show_trial(shell: Shell, plan: Plan, tallies: Mapping[int, Tally], *, as_json: bool) -> None:
    from multigraft.data.prepare.trial import READ

    facts = {step.number: (step.name, tallies[step.number].facts()) for step in plan.steps}
    read = tallies[READ]
    if as_json:
        steps = [{"name": name, **told} for name, told in facts.values()]
        unread = dict(read.dropped)
        told = {"rows_read": read.seen, "unread": unread, "steps": steps, "notes": plan.notes()}
        shell.say_json(told)
        return
    lines = [(name, told["seen"], told["dropped"], told["mended"]) for name, told in facts.values()]
    for note in plan.notes():
        shell.tell(note)
    shell.tell(f"the first {read.seen:,} rows; duplicates are looked for among them alone")
    _table(shell, lines, dict(read.dropped))


def _show(shell: Shell, made: Prepared, *, as_json: bool) -> None:
    found = made.manifest
    if as_json:
        shell.say_json({"folder": str(made.folder), "data": made.data, **found})
        return
    lines = [
        (each["name"], each["seen"], each["dropped"], each["mended"]) for each in found["steps"]
    ]
    for note in found["notes"]:
        shell.tell(note)
    _table(shell, lines, found["unread"])
    kept = sum(found["rows"].values())
    shell.say(f"{kept:,} of {found['rows_read']:,} rows are kept")
    for split, path in made.data.items():
        shell.say(f"{split}: {path}")
    shell.tell(f"page: {made.page}")


def _table(shell: Shell, lines: list[tuple[str, int, Any, int]], unread: Mapping[str, int]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("step")
    for name in ("seen", "dropped", "mended"):
        table.add_column(name, justify="right")
    table.add_column("mostly", overflow="fold")
    if unread:
        table.add_row("reading", "", f"{sum(unread.values()):,}", "", _mostly(unread))
    for name, seen, dropped, mended in lines:
        gone = sum(dropped.values())
        table.add_row(name, f"{seen:,}", f"{gone:,}", f"{mended:,}", _mostly(dropped))
    shell.out.print(table)


def _mostly(reasons: Mapping[str, int]) -> str:
    return min(reasons, key=lambda why: (-reasons[why], why)) if reasons else ""
