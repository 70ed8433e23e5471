"""Write a recipe with every field in it and what each is for, from the fields themselves."""

from __future__ import annotations

import textwrap
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from multigraft.contracts.records import Backbone, Modality, Option, Task
from multigraft.recipe import Choice, Data, Recipe, Section

HEAD = """\
# yaml-language-server: $schema=recipe.schema.json
# `multigraft schema > recipe.schema.json` lets an editor complete and check this file.
# What is commented out is unset; every other value is a default or yours."""
WIDTH = 100
INDENT = "  "


def write(task: Task, backbone: str, family: Backbone, modality: Modality, data: str) -> str:
    """Write a commented recipe for a task on a backbone; what is uncommented is a valid recipe."""
    weights = [
        *_comment(
            "scratch, a folder or file, a run of ours, a hub name; unset: the published ones."
        ),
        "# weights:",
    ]
    parts = {
        "task": ["task:", *_indented([f"name: {_yaml(task.name)}", *_options(task.options)])],
        "backbone": [
            "backbone:",
            *_indented([f"name: {_yaml(backbone)}", *weights, *_options(family.options)]),
        ],
        "data": ["data:", *_section(Data, {"train": data}, INDENT)],
        "strategy": ["strategy: full"],
        "reader": ["reader: {}", *_options(modality.options, prefix="  ")],
    }
    blocks = [[HEAD]]
    for name, field in Recipe.model_fields.items():
        written = parts.get(name)
        blocks.append(
            list(_field(name, field, {}))
            if written is None
            else [*_comment(field.description), *written]
        )
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _section(model: type[BaseModel], given: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield from (indent + line for line in _field(name, field, given))


def _field(name: str, field: FieldInfo, given: Mapping[str, Any]) -> Iterator[str]:
    """One field under its comment; a section as a mapping of its own."""
    section = _section_of(field)
    yield from _comment(_help(field))
    if section is not None:
        yield f"{name}:"
        yield from _section(section, {}, INDENT)
        return
    value = given[name] if name in given else _default(field)
    yield f"# {name}:" if value is None else f"{name}: {_yaml(value)}"


def _options(options: Mapping[str, Option], prefix: str = "") -> list[str]:
    """What a task, backbone or reader may be told besides, commented out."""
    lines: list[str] = []
    for name, option in options.items():
        choices = f" One of: {', '.join(map(str, option.choices))}." if option.choices else ""
        lines += _comment(f"{option.help}.{choices}")
        lines.append(
            f"# {prefix}{name}: {'' if option.default is None else _yaml(option.default)}".rstrip()
        )
    return lines


def _help(field: FieldInfo) -> str:
    choices = ", ".join(_choices(field.annotation))
    return " ".join([field.description or "", f"One of: {choices}." if choices else ""]).strip()


def _choices(annotation: Any) -> list[str]:
    """The words allowed, wherever in the annotation they stand."""
    if typing.get_origin(annotation) is Literal:
        return [str(choice) for choice in typing.get_args(annotation)]
    return [choice for inner in typing.get_args(annotation) for choice in _choices(inner)]


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    found = field.annotation
    return found if isinstance(found, type) and issubclass(found, Section) else None


def _default(field: FieldInfo) -> Any:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Choice):
        return {"name": value.name, **value.options} if value.options else value.name
    return list(value) if isinstance(value, tuple) else value


def _comment(text: str | None) -> list[str]:
    flat = " ".join((text or "").replace("``", "`").split())
    return [f"# {line}" for line in textwrap.wrap(flat, WIDTH)]


def _indented(lines: list[str]) -> list[str]:
    return [INDENT + line for line in lines]


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.removesuffix("\n...\n").strip()
