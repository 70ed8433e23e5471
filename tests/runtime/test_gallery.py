"""Galleries: their index file, whoever wrote it, and a folder's files brought up to date."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from multigraft.errors import BundleError, DataError, PredictError
from multigraft.runtime.folder_gallery import branch_of, folder_gallery
from multigraft.runtime.gallery import Gallery, check_gallery


def gallery(count: int = 3) -> Gallery:
    vectors = np.eye(count, 4, dtype=np.float32)
    return Gallery(vectors, tuple("abc"[:count]), "hash:fp32", tuple("123"[:count]))


def dual(read: list[str], *, precision: str = "fp32") -> Any:
    """A predictor of texts and of files that hold two numbers."""

    def predict(values: list[dict[str, str]], *, on_error: str) -> list[dict[str, Any]]:
        assert on_error == "return"
        found: list[dict[str, Any]] = []
        for place, value in enumerate(values):
            read.append(Path(value["image"]).name)
            numbers = Path(value["image"]).read_text().split()
            try:
                found.append({"embeddings": {"image": [float(each) for each in numbers]}})
            except ValueError:
                found.append({"error": f"item {place}: image: holds no numbers"})
        return found

    ports = [SimpleNamespace(name=name) for name in ("text_embedding", "image_embedding", "scale")]
    branches = {"text": SimpleNamespace(suffixes=()), "image": SimpleNamespace(suffixes=(".n",))}
    bundle = SimpleNamespace(
        outputs=ports, branches=branches, generation=None, sha256="hash", task="contrastive"
    )
    modality = SimpleNamespace(name="text+image", branches=branches, suffixes=(".n",))
    return SimpleNamespace(bundle=bundle, modality=modality, precision=precision, predict=predict)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "numbers"
    (made / "deep").mkdir(parents=True)
    for name, text in (("a.n", "3 4"), ("deep/b.N", "0 2"), ("c.txt", "no"), (".d.n", "1 1")):
        (made / name).write_text(text)
    return made


def test_an_index_file_comes_back_as_it_was(tmp_path: Path) -> None:
    path = gallery().save(tmp_path / "new" / "index.npz")
    again = Gallery.open(path)
    assert np.array_equal(again.embeddings, gallery().embeddings)
    assert (again.ids, again.stamps, again.fingerprint) == (
        ("a", "b", "c"),
        ("1", "2", "3"),
        "hash:fp32",
    )
    assert [each.name for each in path.parent.iterdir()] == ["index.npz"]
    strange = Gallery(np.zeros((1, 2), np.float32), ("caf\udce9 ☂",), "x")
    assert Gallery.open(strange.save(path)).ids == strange.ids


def _told(**changes: Any) -> dict[str, Any]:
    import json

    told = {"format": 1, "ids": ["a"], "stamps": [], "fingerprint": "x", **changes}
    return {
        "embeddings": np.zeros((1, 2), np.float32),
        "told": np.frombuffer(json.dumps(told).encode(), np.uint8),
    }


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({**_told(), "embeddings": np.zeros((1, 2))}, "no finite float32 numbers"),
        ({**_told(), "embeddings": np.full((1, 2), np.nan, np.float32)}, "no finite float32"),
        ({**_told(), "embeddings": np.array([[{}]], dtype=object)}, "is no index file"),
        ({**_told(), "told": np.zeros(3, np.uint8)}, "is no index file"),
        ({"embeddings": np.zeros((1, 2), np.float32)}, "is no index file"),
        (_told(ids=["a", "b"]), "found 2 for an array of [1, 2]"),
        (_told(ids=3), "is no index file"),
        (_told(format=2), "has format 2, and 1 is read"),
    ],
)
def test_an_index_file_that_is_none_is_told(
    tmp_path: Path, arrays: dict[str, Any], said: str
) -> None:
    np.savez(tmp_path / "index.npz", **arrays)
    with pytest.raises(BundleError) as caught:
        Gallery.open(tmp_path / "index.npz")
    assert said in str(caught.value)


def test_a_compressed_index_is_not_opened(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "index.npz", **_told())
    with pytest.raises(BundleError, match="its arrays are compressed"):
        Gallery.open(tmp_path / "index.npz")
    (tmp_path / "index.npz").write_text("not an archive")
    with pytest.raises(BundleError, match="is no index file"):
        Gallery.open(tmp_path / "index.npz")


def test_a_gallery_that_does_not_hang_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PredictError, match="found 1 for an array of"):
        Gallery(np.zeros((2, 2), np.float32), ("a",), "x")
    with pytest.raises(PredictError, match="found 1 stamps of 2"):
        Gallery(np.zeros((2, 2), np.float32), ("a", "b"), "x", ("1",))
    with pytest.raises(PredictError, match=r"ends in \.npz"):
        gallery().save(tmp_path / "index.bin")
    with pytest.raises(BundleError, match="another precision"):
        check_gallery(gallery(), dual([], precision="int8"))


def test_only_what_is_new_or_changed_is_read(folder: Path) -> None:
    read: list[str] = []
    predictor = dual(read)
    first = folder_gallery(predictor, folder)
    assert first.gallery.ids == ("a.n", "deep/b.N") and first.embedded == 2
    assert first.gallery.embeddings.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 1]]
    again = folder_gallery(predictor, folder, known=first.gallery)
    assert again.embedded == 0 and read == ["a.n", "b.N"]
    (folder / "a.n").write_text("5 0 ")
    os.utime(folder / "a.n", ns=(1, 1))
    (folder / "e.n").write_text("1 0")
    (folder / "deep" / "b.N").unlink()
    changed = folder_gallery(predictor, folder, known=again.gallery)
    assert read[2:] == ["a.n", "e.n"] and changed.gallery.ids == ("a.n", "e.n")
    assert changed.gallery.embeddings.tolist() == [[1, 0], [1, 0]]
    other = folder_gallery(dual(read, precision="int8"), folder, known=changed.gallery)
    assert other.embedded == 2, "vectors of another precision are not taken over"


def test_what_cannot_be_read_is_told_and_left_out(folder: Path) -> None:
    (folder / "bad.n").write_text("x")
    found = folder_gallery(dual([]), folder)
    assert found.errors == {"bad.n": "image: holds no numbers"}
    assert found.gallery.ids == ("a.n", "deep/b.N")


def test_a_folder_without_such_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no file ending in \.n"):
        folder_gallery(dual([]), tmp_path)
    (tmp_path / "a.n").write_text("x")
    with pytest.raises(DataError, match="no file can be read; image: holds no numbers"):
        folder_gallery(dual([]), tmp_path)
    with pytest.raises(PredictError, match="did you mean 'image'"):
        folder_gallery(dual([]), tmp_path, branch="imag")


def test_a_query_is_the_file_that_it_names_or_else_a_text(folder: Path) -> None:
    predictor = dual([])
    assert branch_of(predictor, str(folder / "a.n")) == "image"
    assert branch_of(predictor, "a.n") == "text" == branch_of(predictor, "a red car\0")
    predictor.modality.branches["text"] = SimpleNamespace(suffixes=(".wav",))
    with pytest.raises(PredictError, match="is no file that a branch reads"):
        branch_of(predictor, "a red car")


def test_a_gallery_tells_its_size_and_not_its_vectors() -> None:
    vectors = np.eye(4, 512, dtype=np.float32)
    assert repr(Gallery(vectors, ("a", "b", "c", "d"), "x")) == "Gallery(4 values, width 512)"
