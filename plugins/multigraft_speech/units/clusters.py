"""Hidden units: clusters of frames (k-means), learned from the training sounds."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from multigraft.contracts.reader import Reader
from multigraft.contracts.readers import read_row
from multigraft.contracts.types import Arrays, Spec
from multigraft.errors import DataError, MultigraftError, RowError

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger("multigraft")
FRAMES = 100_000
"""Frames that are clustered, at most."""
SOUNDS = 2_000
"""Sounds they are of, at most."""
SEED = 0
WAVE = "input_values"
"""The array that holds a sound's samples."""


def unit_spec(
    columns: Mapping[str, Sequence[Any]],
    options: Mapping[str, Any],
    reader: Reader,
    raws: Iterable[Any],
) -> Spec:
    """``centroids`` of the clusters, [clusters, D] float32 in base64, and where a teacher's
    features are clustered its folder (``teacher``) and their ``layer``. Raises DataError for too
    few frames, MultigraftError."""
    from multigraft_speech.units.features import clustered

    del columns
    if WAVE not in reader.fills:
        raise MultigraftError(
            "masked-units clusters what a sound's samples give, and fits the hubert and wav2vec2 "
            "backbones; this one reads no samples"
        )
    features, teacher = clustered(options, reader.spec()["sample_rate"])
    frames = _frames(_read(raws, reader), features, options["clusters"])
    told = base64.b64encode(_centroids(frames, options["clusters"]).tobytes()).decode()
    return {"centroids": told, **teacher}


def centroids_of(targets: Spec, clusters: int) -> np.ndarray:
    """The centroids of `unit_spec`, [clusters, D]."""
    flat = np.frombuffer(base64.b64decode(targets["centroids"]), dtype=np.float32)
    return flat.reshape(clusters, -1)


def _read(raws: Iterable[Any], reader: Reader) -> Iterator[Arrays]:
    """The rows that can be read."""
    for raw in raws:
        with suppress(RowError):  # named, counted and judged when all rows are read
            yield read_row(reader, raw)


def _frames(arrays: Iterable[Arrays], features: nn.Module, clusters: int) -> np.ndarray:
    """As many frames of each of some sounds, drawn without replacement: [N, D]."""
    import torch

    rng, each = np.random.default_rng(SEED), -(-FRAMES // SOUNDS)
    parts: list[np.ndarray] = []
    for row, _ in zip(arrays, range(SOUNDS), strict=False):
        batch = {name: torch.from_numpy(array)[None] for name, array in row.items()}
        with torch.inference_mode():
            found = features(batch)[0].numpy()
        parts.append(found[np.sort(rng.permutation(len(found))[:each])])
    frames = np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)
    if len(frames) < clusters:
        raise DataError(
            f"{clusters} clusters need as many frames, and the training sounds gave {len(frames)}; "
            "lower task.clusters, or give more of them"
        )
    return frames


def _centroids(frames: np.ndarray, clusters: int) -> np.ndarray:
    """Mini-batch k-means with k-means++ (Sculley 2010), by a seed of its own."""
    from sklearn.cluster import MiniBatchKMeans

    log.info("clustering %d frames of %d numbers each", *frames.shape)
    found = MiniBatchKMeans(
        clusters, random_state=SEED, batch_size=10_000, n_init=3, reassignment_ratio=0.0
    ).fit(frames)
    centroids: np.ndarray = np.ascontiguousarray(found.cluster_centers_, dtype=np.float32)
    return centroids
