"""Naming columns: how a person says which column of a file is which of ours."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping

Naming = Callable[[Mapping[str, str]], str]
"""Our names of columns and a file's -> what to write for them."""
PLAIN_NAME = re.compile(r"[^\W\d]\w*(?:[ -]\w+)*")
HOLDS = "<the column that holds it>"
"""Where nothing tells which column is meant."""
SWITCHES = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}
"""What YAML reads as another thing than a text."""


def in_recipe(names: Mapping[str, str]) -> str:
    """As a recipe has them.

    >>> in_recipe({"source": "en", "target": "1"})
    'data.columns: {source: en, target: "1"}'
    """
    pairs = ", ".join(f"{ours}: {written(theirs)}" for ours, theirs in names.items())
    return f"data.columns: {{{pairs}}}"


def on_command_line(names: Mapping[str, str]) -> str:
    """As ``predict`` takes them.

    >>> on_command_line({"text": "the review"})
    "--columns 'text=the review'"
    """
    pairs = (f"{ours}={theirs}" for ours, theirs in names.items())
    given = (each if each.endswith(HOLDS) else shlex.quote(each) for each in pairs)
    return " ".join(f"--columns {each}" for each in given)


def of_other_data(names: Mapping[str, str]) -> str:
    """As ``evaluate`` takes them.

    >>> of_other_data({"text": "review"})
    "--columns text=review (in Python columns={'text': 'review'})"
    """
    return f"{on_command_line(names)} (in Python columns={dict(names)})"


def written(name: str) -> str:
    """A column's name as a recipe must hold it: in quotes where YAML would read another one.

    >>> written("label"), written(" label"), written("1")
    ('label', '" label"', '"1"')
    """
    plain = PLAIN_NAME.fullmatch(name) and name.lower() not in SWITCHES
    return name if plain or name == HOLDS else json.dumps(name)
