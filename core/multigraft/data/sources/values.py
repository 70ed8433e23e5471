"""Values of Python as a file of rows can hold them: plain ones, bytes, and arrays."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from os import PathLike, fspath
from typing import Any

import numpy as np

from multigraft.errors import DataError

CHANNELS = (1, 3, 4)
"""Of a picture whose channels come first, as torch has them."""
EXACT = 1e-3
"""How far from a whole number 255 times a value may lie that was made from one of 0 to 255."""
SUBTYPES = {
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "int16": "PCM_16",
    "int32": "PCM_32",
    "uint8": "PCM_U8",
}
"""How samples are kept without loss in a WAV file."""


def plain_value(value: Any) -> Any:
    """A value as plain Python, bytes or an array of numpy; what it is not made for stays.

    Pictures of Pillow become PNG, sounds of `datasets` (``array`` and ``sampling_rate``) and pairs
    of samples and a rate WAV, without loss.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray | np.generic):
        return value if value.ndim else value.item()
    for kinds, plain in _PLAIN:
        if isinstance(value, kinds):
            return plain(value)
    return _png(value) if _is_pillow(value) else value


def _mapping(value: Mapping[str, Any]) -> Any:
    if value.keys() == {"bytes", "path"}:  # how `datasets` stores media
        return value["path"] if value["bytes"] is None else value["bytes"]
    if {"array", "sampling_rate"} <= value.keys():
        return _wav(np.asarray(value["array"]), value["sampling_rate"])
    return {str(name): plain_value(each) for name, each in value.items()}


def _sequence(value: list[Any] | tuple[Any, ...]) -> Any:
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], np.ndarray):
        return _wav(*value)
    return [plain_value(each) for each in value]


_PLAIN: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (PathLike, fspath),
    ((bytearray, memoryview), bytes),
    (Mapping, _mapping),
    ((list, tuple), _sequence),
)
"""Kinds of values that are no plain ones, and what each becomes."""


def _is_pillow(value: Any) -> bool:
    return any(each.__module__.startswith("PIL.") for each in type(value).__mro__)


def _png(value: Any) -> bytes:
    """A picture's pixels as PNG, with its EXIF, which may say how it is turned."""
    content = io.BytesIO()
    try:
        value.save(content, "PNG", exif=value.getexif())
    except (OSError, ValueError) as error:
        raise DataError(
            f"a picture of Pillow's mode {value.mode!r} cannot be kept as PNG; convert it to RGB"
        ) from error
    return content.getvalue()


def _wav(samples: np.ndarray, rate: Any) -> bytes:
    import soundfile

    subtype = SUBTYPES.get(samples.dtype.name)
    if subtype is None:
        raise DataError(f"samples are {samples.dtype}; allowed: {', '.join(SUBTYPES)}")
    if subtype == "PCM_U8":
        samples = (samples.astype(np.int16) - 128) << 8
    content = io.BytesIO()
    soundfile.write(content, samples, int(rate), format="WAV", subtype=subtype)
    return _timeless(content.getvalue())


def _timeless(wav: bytes) -> bytes:
    """Zero the time at which libsndfile wrote the peak of float samples: the same samples are the
    same bytes, by which rows are known."""
    peak = wav.find(b"PEAK", 0, wav.find(b"data"))
    return wav if peak < 0 else wav[: peak + 12] + bytes(4) + wav[peak + 16 :]


def picture(value: Any) -> Any:
    """A picture as torch has it, channels first and from 0 to 1, as uint8 ``[H, W, channels]``;
    any other value as it is."""
    if not hasattr(value, "detach") or getattr(value, "ndim", 0) != 3:
        return value
    array = value.detach().cpu().numpy()
    if array.shape[0] in CHANNELS:
        array = np.moveaxis(array, 0, -1)
    if array.dtype.kind != "f":
        return array
    wide = array * 255.0
    near = np.rint(wide)
    exact = array.size and near.min() >= 0 and near.max() <= 255
    return near.astype(np.uint8) if exact and np.abs(wide - near).max() <= EXACT else array
