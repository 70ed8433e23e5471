"""Masks: what stands in a table, or in its files, where the class of every pixel should."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from fuzz.breaking import JUNK, TEXTS, broken_bytes, broken_values
from fuzz.harness import Border, WrongAnswer
from multigraft.contracts.options import defaults
from multigraft.runtime.answers.label_maps.classes import IGNORE, Classes
from multigraft.runtime.answers.label_maps.expected import expected_map
from multigraft_vision.segmentation.rows import class_spec
from multigraft_vision.segmentation.task import SEMANTIC_SEGMENTATION

WIDTH, HEIGHT = 9, 6
VALUES = Classes(("a", "b"), (0, 1), colors=False, ignored=255, background=None)
OBJECTS = Classes(("ground", "a"), (), colors=False, ignored=None, background="ground")


def png(kind: str) -> bytes:
    held = BytesIO()
    values = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 2).astype(np.uint8)
    Image.fromarray(values).save(held, kind)
    return held.getvalue()


FILES = [png(kind) for kind in ("PNG", "BMP", "GIF", "TIFF")]
SOUND = [
    [{"label": "a", "box": [0, 0, 3, 3], "segmentation": [[0, 0, 3, 0, 3, 3]]}],
    [{"label": "a", "segmentation": {"size": [HEIGHT, WIDTH], "counts": [3, 51]}}],
    [{"label": "a", "segmentation": {"size": [HEIGHT, WIDTH], "counts": "3c1"}}],
    [],
]
COUNTS = st.one_of(st.lists(st.integers(-(2**70), 2**70)), TEXTS, JUNK)
SIZES = st.one_of(st.just([HEIGHT, WIDTH]), st.lists(st.integers(), max_size=3), JUNK)
POINTS = st.floats(width=32) | st.integers(-(2**40), 2**40) | JUNK
SEGMENTATIONS = st.one_of(
    st.fixed_dictionaries({"size": SIZES, "counts": COUNTS}),
    st.lists(st.lists(POINTS, max_size=9), max_size=3),
    JUNK,
)
LISTED = st.lists(
    st.one_of(st.fixed_dictionaries({"label": st.just("a"), "segmentation": SEGMENTATIONS}), JUNK),
    max_size=3,
)
CELLS = st.one_of(
    broken_bytes(st.sampled_from(FILES)),
    st.sampled_from(SOUND[:3]).flatmap(broken_values),
    *(LISTED, TEXTS, JUNK, st.binary(max_size=80)),
)


def feed(folder: Path, cell: Any) -> None:
    """A cell is refused, or tells a known class of every pixel; classes are learned without a
    traceback too."""
    options = {**defaults(SEMANTIC_SEGMENTATION.options), "class_weights": "balanced"}
    sound = SOUND[0] if isinstance(cell, list) else FILES[0]
    class_spec({"mask": [sound, cell]}, options)
    classes = OBJECTS if isinstance(cell, list) else VALUES
    found = expected_map(cell, classes, (WIDTH, HEIGHT))
    known = {*range(len(classes.labels)), IGNORE}
    if found.shape != (HEIGHT, WIDTH) or not set(np.unique(found).tolist()) <= known:
        raise WrongAnswer(repr(found))


BORDER = Border("masks", CELLS, feed, lambda: [*FILES, *SOUND])
