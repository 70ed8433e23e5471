"""``recipe``, ``recipe check``, ``schema``: show what a run can be told, and check a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multigraft.cli.shell import AsJson, Shell, command

if TYPE_CHECKING:
    from multigraft.recipe.resolved import ResolvedRecipe

TaskName = Annotated[str, typer.Option("--task", help="What is learned.")]
BackboneName = Annotated[str, typer.Option("--backbone", help="What it is learned with.")]
DataPath = Annotated[str, typer.Option("--data", help="Training rows.")]
File = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe file, YAML or JSON.")]


def build() -> typer.Typer:
    """The group ``recipe``, whose own name prints a starter."""
    group = typer.Typer(
        name="recipe",
        help="Print a commented recipe to start from, or check one.",
        invoke_without_command=True,
    )
    start = command(starter)
    group.callback()(start)
    group.command("check")(command(check))
    return group


def starter(
    shell: Shell,
    context: typer.Context,
    task: TaskName = "text-classification",
    backbone: BackboneName = "bert-base",
    data: DataPath = "rows.csv",
) -> None:
    """Print a commented recipe to start from: every field, its default, and what it is for."""
    if context.invoked_subcommand is not None:
        return
    from multigraft.cli.starter import write
    from multigraft.plugins.catalog import Catalog

    catalog = Catalog()
    found_task, family = catalog.task(task), catalog.backbone(backbone)[0]
    shell.say(write(found_task, backbone, family, catalog.modality(family.modality), data))


def check(shell: Shell, recipe: File, as_json: AsJson = False) -> None:
    """Check a recipe file and print every problem in it, files that are not there among them."""
    from multigraft.cli.choices import choose
    from multigraft.errors import RecipeError
    from multigraft.plugins.catalog import Catalog

    try:
        found = choose(recipe, {}, (), catalog=Catalog())
        if absent := _absent(found):
            raise RecipeError(absent, source=str(recipe))
    except RecipeError as error:
        if not as_json:
            raise
        shell.say_json({"recipe": str(recipe), "problems": list(error.problems)})
        raise typer.Exit(2) from error
    if as_json:
        shell.say_json({"recipe": str(recipe), "problems": []})
    else:
        shell.tell(f"{recipe}: right")


def _absent(resolved: ResolvedRecipe) -> list[str]:
    """A line for each source of rows that is not there."""
    from multigraft.data.sources.several import missing

    data = resolved.recipe.data
    if data.format == "hub":
        return []
    sources = {"train": data.train, "validation": data.validation, "test": data.test}
    return [
        f"data.{split}: {line}"
        for split, source in sources.items()
        if source is not None
        for line in missing(source)
    ]


def schema(shell: Shell) -> None:
    """Print the JSON Schema of a recipe, for editors."""
    from multigraft.recipe import schema as describe

    shell.say_json(describe())
