"""Reference pages made of the code: every command, field of a recipe, option of the catalogue, and
name of ``multigraft``."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from multigraft.contracts.explaining import Explainer
from multigraft.contracts.filters import Filter
from multigraft.contracts.records import Backbone, Format, Modality, Option, Strategy, Task
from multigraft.plugins.catalog import Catalog

FOR_WHOM = {
    "To train and measure": ("api", "engine", "preparing", "recipe", "runs", "training"),
    "To answer": ("runtime",),
    "To extend": ("contracts", "plugins"),
    "Errors": ("errors",),
}
"""The chapters of the page on Python, and the rooms whose names stand in each."""


def write_all(into: Path) -> None:
    """Write the four pages into the folder ``into``."""
    into.mkdir(parents=True, exist_ok=True)
    made: dict[str, Callable[[], Iterator[str]]] = {
        "commands": commands,
        "recipe": recipe,
        "catalogue": catalogue,
        "python": python,
    }
    for name, lines in made.items():
        (into / f"{name}.md").write_text("\n".join(lines()) + "\n", encoding="utf-8")


def commands() -> Iterator[str]:
    """Each command with its arguments and options, as its ``--help`` says them."""
    import click
    import typer

    from multigraft.cli.app import build

    yield "# Commands\n\nWhat `multigraft --help` and each command's `--help` say.\n"
    root = typer.main.get_command(build())
    with click.Context(root, info_name="multigraft") as context:
        yield from _commands(root, context)


def _commands(group: Any, above: Any) -> Iterator[str]:
    import click

    for name in group.list_commands(above):
        command = group.get_command(above, name)
        if command is None or command.hidden:
            continue
        with click.Context(command, info_name=name, parent=above) as context:
            if hasattr(command, "list_commands"):
                yield from _commands(command, context)
            else:
                yield from _command(command, context)


def _command(command: Any, context: Any) -> Iterator[str]:
    yield f"## {context.command_path}\n\n{inspect.cleandoc(command.help or '')}\n"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```\n{context.command_path} {usage}\n```\n"
    told = [(names, said) for names, said in _parameters(command, context) if said]
    yield from table(("argument or option", "what"), told)


def _parameters(command: Any, context: Any) -> Iterator[tuple[str, str]]:
    for parameter in command.get_params(context):
        if getattr(parameter, "hidden", False):
            continue
        options = parameter.opts if parameter.param_type_name == "option" else [parameter.name]
        yield ", ".join(f"`{name}`" for name in options), getattr(parameter, "help", None) or ""


def recipe() -> Iterator[str]:
    """Each field of a recipe: its default, and what it is for."""
    from multigraft.recipe import Recipe

    yield "# Recipe\n\nWhat `multigraft schema` says of each field; a dot is a level of the YAML.\n"
    yield from table(("field", "default", "what"), _fields(Recipe, ""))


def _fields(section: Any, above: str) -> Iterator[tuple[str, str, str]]:
    from multigraft.recipe.choices import Section

    for name, field in section.model_fields.items():
        kind = field.annotation
        yield f"`{above}{name}`", _default(field), field.description or ""
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from _fields(kind, f"{above}{name}.")


def _default(field: Any) -> str:
    from pydantic import BaseModel

    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value is None or value == ():
        return "unset"
    return "" if isinstance(value, BaseModel | tuple) else code(value)


def catalogue() -> Iterator[str]:
    """Each record that the installed plugins bring, by its kind."""
    found = Catalog()
    yield "# Catalogue\n\nWhat the plugins of this project register, with every option; "
    yield "`multigraft plugins` lists those of your machine.\n"
    yield from _chapter("Tasks", found.tasks(), _task)
    yield from _chapter("Strategies", found.strategies(), _strategy)
    yield from _chapter("Backbones", found.backbones(), _backbone)
    yield from _chapter("Modalities", found.modalities(), _modality)
    yield from _chapter("Formats", found.formats(), _format)
    yield from _chapter("Filters", found.filters(), _filter)
    yield from _chapter("Explainers", found.explainers(), _explainer)


def _chapter(
    title: str, records: Sequence[Any], told: Callable[[Any], Iterator[str]]
) -> Iterator[str]:
    yield f"## {title}\n"
    for record in sorted(records, key=lambda each: str(each.name)):
        yield f"### {record.name}\n"
        yield from told(record)


def _task(task: Task) -> Iterator[str]:
    of = ", ".join(task.modalities) or "any modality"
    yield f"{'Pretraining' if task.stage == 'pretrain' else 'Finetuning'}; of {of}.\n"
    if task.columns:
        yield f"Columns beside the value: {', '.join(map(code, task.columns))}.\n"
    yield from options(task.options)


def _strategy(strategy: Strategy) -> Iterator[str]:
    yield f"{inspect.cleandoc(strategy.plan.__doc__ or '')}\n"
    yield from options(strategy.options)


def _backbone(backbone: Backbone) -> Iterator[str]:
    names = [code(f"{backbone.name}-{size}") for size in backbone.sizes]
    names += [code(f"{backbone.name}/...")] if backbone.find else []
    yield f"Of {backbone.modality}: {', '.join(names)}.\n"
    yield from options(backbone.options)


def _modality(modality: Modality) -> Iterator[str]:
    yield f"Columns: {', '.join(map(code, modality.columns))}.\n"
    for title, found in (
        ("Under `reader`:", modality.options),
        ("Under `training.augment`:", modality.augment_options),
    ):
        if found:
            yield f"{title}\n"
            yield from options(found)


def _format(form: Format) -> Iterator[str]:
    yield f"Files that end in {', '.join(map(code, form.endings)) or 'anything'}.\n"


def _explainer(explainer: Explainer) -> Iterator[str]:
    needs = "a run" if explainer.gradients else "a bundle, or a run"
    of = f", of {' and '.join(explainer.kinds)}" if explainer.kinds else ""
    yield f"{explainer.help[0].upper()}{explainer.help[1:]}; explains {needs}{of}.\n"
    yield from options(explainer.options)


def _filter(record: Filter) -> Iterator[str]:
    yield f"Of {record.modality or 'any modality'}: {record.help}\n"
    yield f"Source: {record.source}.\n"
    yield from options(record.options)


def options(found: Mapping[str, Option]) -> Iterator[str]:
    """A table of options; nothing where there is none."""
    rows = ((code(name), code(each.default), _bounded(each)) for name, each in found.items())
    yield from table(("option", "default", "what"), list(rows))


def _bounded(option: Option) -> str:
    if option.choices:
        return f"{option.help} ({', '.join(map(code, option.choices))})"
    ends = [
        f"{word} {bound:g}"
        for word, bound in (("from", option.low), ("to", option.high))
        if bound is not None
    ]
    return f"{option.help} ({' '.join(ends)})" if ends else option.help


def python() -> Iterator[str]:
    """Each name that ``import multigraft`` gives, by its docstring, for whom it is."""
    import multigraft

    values = {name: getattr(multigraft, name) for name in multigraft.__all__}
    yield "# Python\n\nWhat `import multigraft as mg` gives.\n"
    for title, rooms in FOR_WHOM.items():
        yield f"## {title}\n"
        for name, value in values.items():
            if getattr(value, "__module__", "").removeprefix("multigraft.").split(".")[0] in rooms:
                yield from _documented(name, value)


def _documented(name: str, value: Any) -> Iterator[str]:
    kind = "autoclass" if inspect.isclass(value) else "autofunction"
    members = "\n   :members:" if inspect.isclass(value) else ""
    yield f"### {name}\n\n```{{eval-rst}}"
    yield f".. currentmodule:: {value.__module__}\n"
    yield f".. {kind}:: {value.__qualname__}{members}\n```\n"


def table(
    headings: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]
) -> Iterator[str]:
    """Rows of cells as a table of Markdown; nothing where there are none."""
    found = [[_cell(value) for value in row] for row in rows]
    if not found:
        return
    yield f"| {' | '.join(headings)} |\n|{'---|' * len(headings)}"
    yield from (f"| {' | '.join(row)} |" for row in found)
    yield ""


def code(value: Any) -> str:
    """A value as it is written in a recipe, in the letters of code."""
    said = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"`{said}`" if said not in ("null", "") else "unset"


def _cell(text: str) -> str:
    """One line, in which a bar ends no cell."""
    return " ".join(text.split()).replace("|", "\\|")
