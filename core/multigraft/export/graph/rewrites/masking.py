"""Masked overwrites: torch exports a list of places, `Where` needs none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from onnx import ModelProto, NodeProto, helper

from multigraft.export.graph.rewrites.index import Index
from multigraft.export.graph.surgery import attribute, drop_unreached, drop_unused

REPEATS = ("Expand", "Reshape")


@dataclass(frozen=True)
class _Fill:
    """What one `Where` is made from."""

    mask: str
    """Of the target's axes, of which some may be 1."""
    inverted: bool
    """Whether the mask holds what is kept."""
    number: str
    """The name of a constant."""
    last: NodeProto
    """The node whose output it takes over."""


def fill_by_mask(model: ModelProto) -> int:
    """Write ``x[mask] = number`` as `Where`, in place: how many nodes were made.

    torch's exporter finds the places with `NonZero` and writes to them with `ScatterND`.
    """
    graph = model.graph
    found = {id(each.last): each for each in _fills(Index(graph))}
    nodes = [_where(found[id(node)]) if id(node) in found else node for node in graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    drop_unreached(graph)
    drop_unused(graph)
    return len(found)


def _where(found: _Fill) -> NodeProto:
    last = found.last
    choices = [last.input[0], found.number] if found.inverted else [found.number, last.input[0]]
    made = helper.make_node("Where", [found.mask, *choices], list(last.output), last.name)
    made.metadata_props.extend(last.metadata_props)
    return made


def _fills(index: Index) -> Iterator[_Fill]:
    for node in [node for node in index.made.values() if node.op_type == "ScatterND"]:
        places = index.before(node.input[1], "Transpose")
        listed = None if places is None else index.before(places.input[0], "NonZero")
        number = _repeated(index, node.input[2])
        if listed is None or number is None:
            continue
        aligned = _aligned(index, listed.input[0], node.input[0])
        if aligned is not None:
            mask, inverted = _narrow(index, aligned)
            yield _Fill(mask, inverted, number, node)


def _aligned(index: Index, mask: str, target: str) -> str | None:
    """Align a mask with every axis of the target; one of fewer axes picks whole rows."""
    wide = index.before(mask, "Expand")
    form = None if wide is None else index.before(wide.input[1], "Shape")
    if wide is not None and form is not None and form.input[0] == target and _is_whole(form):
        return wide.input[0]
    shape = index.shape(mask)
    return mask if shape and shape == index.shape(target) else None


def _is_whole(shape: NodeProto) -> bool:
    return not attribute(shape, "start", 0) and attribute(shape, "end", None) is None


def _repeated(index: Index, name: str) -> str | None:
    """The constant that a value repeats."""
    while (node := index.before(name, *REPEATS)) is not None:
        name = node.input[0]
    return None if index.scalar(name) is None else name


def _narrow(index: Index, mask: str) -> tuple[str, bool]:
    """The mask before it was inverted and repeated along axes of 1, as `Where` does by itself."""
    inverse = index.before(mask, "Not")
    mask = mask if inverse is None else inverse.input[0]
    tile = index.before(mask, "Tile")
    repeats = None if tile is None else index.constant(tile.input[1])
    if tile is not None and repeats is not None:
        shape = index.shape(tile.input[0])
        if len(shape) == len(repeats) and all(
            count == 1 or axis == 1 for count, axis in zip(repeats, shape, strict=True)
        ):
            mask = tile.input[0]
    return mask, inverse is not None
