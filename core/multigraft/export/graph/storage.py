"""Graph storage: one file, or a file with large weights beside it."""

from __future__ import annotations

from pathlib import Path

import onnx

INLINE_LIMIT = 1_500_000_000
"""Bytes of weights above which they lie beside the graph: one protobuf holds 2 GB at most."""


def is_large(size: int) -> bool:
    """Tell whether that many bytes of weights must lie beside their graph."""
    return size > INLINE_LIMIT


def files_of(path: Path) -> list[Path]:
    """List the file of a graph, and its weights where they lie beside; nothing if there is none."""
    beside = path.with_name(f"{path.name}.data")
    return [file for file in (path, beside) if file.exists()]


def size_of(path: Path) -> int:
    """The bytes of a graph with its weights."""
    return sum(file.stat().st_size for file in files_of(path))


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write a graph that is whole in memory, in place of an older one."""
    delete(path)
    large = is_large(sum(len(weight.raw_data) for weight in model.graph.initializer))
    onnx.save(
        model, path, save_as_external_data=large, location=f"{path.name}.data" if large else None
    )


def delete(path: Path) -> None:
    """Remove a graph with its weights."""
    for file in files_of(path):
        file.unlink()
