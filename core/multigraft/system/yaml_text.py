"""Safe YAML: strangers' text as plain data, bounded in size, depth and copies, no key twice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from multigraft.errors import MultigraftError

LIMIT = 2**17
"""The most bytes of a text. A recipe with every field written out takes 3 KB."""
VALUES = 10_000
"""The most values that a text may stand for, each copy of an anchored one counted."""
DEPTH = 50
OPENING_OR_CLOSING = re.compile(r"[][{}]")


class YamlError(MultigraftError):
    """A text that is no YAML, or more than a person would write."""


def read_yaml(path: Path) -> Any:
    """Read a YAML file. Raises YamlError, or OSError where it cannot be read."""
    with path.open("rb") as file:
        content = file.read(LIMIT + 1)
    if len(content) > LIMIT:
        raise YamlError(f"is larger than {LIMIT // 1024} KB")
    try:
        return parse_yaml(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise YamlError(
            f"is not UTF-8: byte {error.start} is {content[error.start]:#04x}"
        ) from error


def parse_yaml(text: str) -> Any:
    """Parse a YAML text: mappings, lists, text, numbers. Raises YamlError.

    >>> parse_yaml("epochs: 3")
    {'epochs': 3}
    """
    if len(text) > LIMIT:
        raise YamlError(f"is larger than {LIMIT // 1024} KB")
    _refuse_brackets(text)
    loader: Any = yaml.SafeLoader("")
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None:
            return None
        _measure(root, {}, 0)
        return loader.construct_document(root)
    except RecursionError as error:
        raise YamlError(f"is nested more than {DEPTH} deep") from error
    except (
        yaml.YAMLError,
        ValueError,
        AttributeError,
        TypeError,
        LookupError,
        OverflowError,
    ) as error:
        raise YamlError(f"is not YAML: {' '.join(str(error).split())}") from error
    finally:
        loader.dispose()


def _refuse_brackets(text: str) -> None:
    """The parser's time grows with the square of open brackets; no recipe has nearly as many."""
    depth = 0
    for sign in OPENING_OR_CLOSING.findall(text):
        depth = depth + 1 if sign in "[{" else max(0, depth - 1)
        if depth > 10 * DEPTH:
            raise YamlError(f"is nested more than {DEPTH} deep")


def _measure(node: Node, known: dict[int, int], depth: int) -> int:
    """How many values a node stands for; refuses what is too much before anything is built of
    it."""
    if depth > DEPTH:
        raise YamlError(f"is nested more than {DEPTH} deep, or holds itself")
    if id(node) not in known:
        _refuse_twins(node)
        known[id(node)] = 1 + sum(_measure(child, known, depth + 1) for child in _children(node))
    if known[id(node)] > VALUES:
        raise YamlError(f"stands for more than {VALUES:,} values")
    return known[id(node)]


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def _refuse_twins(node: Node) -> None:
    """YAML's libraries keep the last of two equal keys and drop the other without a word."""
    if not isinstance(node, MappingNode):
        return
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, ScalarNode):
            continue
        if key.value in seen:
            raise YamlError(f"says {key.value!r} twice, again in line {key.start_mark.line + 1}")
        seen.add(key.value)
