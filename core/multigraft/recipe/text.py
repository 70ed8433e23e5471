"""Recipe text: files, and single assignments on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from multigraft.errors import RecipeError
from multigraft.system.validation import short
from multigraft.system.yaml_text import YamlError, parse_yaml, read_yaml


def read_mapping(path: Path) -> dict[str, Any]:
    """Read the mapping in a YAML or JSON file. Raises RecipeError where it is none."""
    try:
        raw = read_yaml(path)
    except (OSError, ValueError) as error:  # ValueError: no name a disk could hold
        reason = getattr(error, "strerror", None) or error
        raise RecipeError([f"cannot be read: {reason}"], source=str(path)) from error
    except YamlError as error:
        raise RecipeError([str(error)], source=str(path)) from error
    if not isinstance(raw, dict):
        held = "nothing" if raw is None else short(raw)
        raise RecipeError([f"holds {held}; a mapping of fields is needed"], source=str(path))
    return raw


def assign(raw: dict[str, Any], assignment: str) -> None:
    """Apply one ``a.b=value`` to a raw recipe in place; the value is YAML.

    >>> raw = {"task": "x"}
    >>> assign(raw, "training.epochs=3"); raw
    {'task': 'x', 'training': {'epochs': 3}}
    """
    path, equals, text = assignment.partition("=")
    keys = path.split(".")
    if not equals or not all(keys):
        raise RecipeError([f"{short(assignment)} must look like training.epochs=3"], source="--set")
    try:
        value = parse_yaml(text)
    except YamlError as error:
        raise RecipeError([f"{short(assignment)}: the value {error}"], source="--set") from error
    node = raw
    for key in keys[:-1]:
        inner = node.get(key)
        if not isinstance(inner, dict):
            inner = {"train" if key == "data" else "name": inner} if isinstance(inner, str) else {}
            node[key] = inner
        node = inner
    node[keys[-1]] = value
