"""``--ask``: what is asked of answers, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

Ask = Annotated[
    list[str] | None,
    typer.Option(
        "--ask",
        metavar="NAME=VALUE",
        help="Ask for something else that the task's answers take. Repeatable.",
    ),
]


def named_values(assignments: Sequence[str]) -> dict[str, Any]:
    """What ``--ask`` gives, read as YAML."""
    from multigraft.system.yaml_text import YamlError, parse_yaml

    named: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"--ask {assignment!r} must look like top_k=3")
        try:
            named[name] = parse_yaml(text)
        except YamlError as error:
            raise typer.BadParameter(f"--ask {assignment!r}: the value {error}") from error
    return named
