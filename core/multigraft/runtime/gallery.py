"""Galleries: values that were embedded once, to be searched exactly, and their index file."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from multigraft.errors import BundleError, PredictError, refused_as
from multigraft.runtime.bundle import manifest_hash
from multigraft.runtime.embedding import unit_vectors, values_of
from multigraft.system.files import check_plain, new_file

if TYPE_CHECKING:
    from multigraft.runtime.predictor import Predictor

ENDING = ".npz"
INDEX_BYTES = 2**36
"""The most bytes of an index file, whose numbers are in memory whole."""
FORMAT = 1


@dataclass(frozen=True, eq=False)
class Gallery:
    """Embedded values, each with a name."""

    embeddings: np.ndarray
    """Unit vectors, float32 [N, D]."""
    ids: tuple[str, ...]
    """What each is called, as the path of a file in its folder."""
    fingerprint: str
    """Of the bundle and the precision that embedded them: vectors of others mean nothing here."""
    stamps: tuple[str, ...] = ()
    """By which a value that changed is known, where any may."""

    def __post_init__(self) -> None:
        count = len(self.embeddings)
        if self.embeddings.ndim != 2 or len(self.ids) != count:
            raise PredictError(
                f"a gallery needs a name for each vector: found {len(self.ids)} for an array of "
                f"{list(self.embeddings.shape)}"
            )
        if self.stamps and len(self.stamps) != count:
            raise PredictError(f"found {len(self.stamps)} stamps of {count} values")

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        """Its size; vectors and names would be pages."""
        return f"Gallery({len(self)} values, width {self.embeddings.shape[1]})"

    def save(self, path: str | Path) -> Path:
        """Write an index file, an archive of numpy's, whole or not at all. Raises PredictError for
        another ending than ``.npz``."""
        path = Path(path)
        if path.suffix.lower() != ENDING:
            raise PredictError(f"{path}: an index file ends in {ENDING}")
        told = {
            "format": FORMAT,
            "ids": list(self.ids),
            "stamps": list(self.stamps),
            "fingerprint": self.fingerprint,
        }
        text = np.frombuffer(json.dumps(told).encode(), np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path) as file:
            np.savez(file, embeddings=self.embeddings, told=text)
        return path

    @classmethod
    def open(cls, path: str | Path) -> Gallery:
        """Read an index file, which anybody may have written. Raises BundleError."""
        path = Path(path)
        with refused_as(BundleError, f"{path}: is no index file"):
            check_plain(path, limit=INDEX_BYTES)
            with zipfile.ZipFile(path) as archive:
                if any(each.compress_type != zipfile.ZIP_STORED for each in archive.infolist()):
                    raise BundleError("its arrays are compressed; make it again")
            with np.load(path, allow_pickle=False) as held:
                return _gallery(held["embeddings"], json.loads(held["told"].tobytes()))


def fingerprint(predictor: Predictor) -> str:
    """What tells one bundle's embeddings from another's: its manifest's hash, and the precision."""
    bundle = predictor.bundle
    own = bundle.sha256 or manifest_hash(bundle.model_dump(mode="json"))
    return f"{own}:{predictor.precision}"


def make_gallery(
    predictor: Predictor,
    values: Iterable[Any],
    *,
    ids: Sequence[str] | None = None,
    branch: str | None = None,
) -> Gallery:
    """Embed values once; ``ids`` unset, they are called by their places. Raises as `embed`."""
    given = values_of(values, "a gallery")
    names = tuple(map(str, range(len(given)) if ids is None else ids))
    if len(names) != len(given):
        raise PredictError(f"found {len(names)} ids for {len(given)} values; each needs one")
    vectors = unit_vectors(predictor, given, branch=branch).astype(np.float32)
    return Gallery(vectors, names, fingerprint(predictor))


def check_gallery(gallery: Gallery, predictor: Predictor) -> None:
    """Raise BundleError where another bundle, or another precision, embedded it."""
    if gallery.fingerprint != fingerprint(predictor):
        raise BundleError(
            "the gallery was embedded by another bundle, or in another precision, whose vectors "
            f"mean nothing to this one ({predictor.precision}); embed its values again"
        )


def _gallery(embeddings: np.ndarray, told: Any) -> Gallery:
    if told["format"] != FORMAT:
        raise BundleError(f"has format {told['format']!r}, and {FORMAT} is read; make it again")
    if embeddings.dtype != np.float32 or not np.isfinite(embeddings).all():
        raise BundleError("its embeddings are no finite float32 numbers; make it again")
    ids, stamps = (tuple(map(str, told[name])) for name in ("ids", "stamps"))
    try:
        return Gallery(embeddings, ids, str(told["fingerprint"]), stamps)
    except PredictError as error:
        raise BundleError(f"{error}; make it again") from error
