"""What claims too much is refused before it is decoded, and what is cut off is not taken for
whole."""

from __future__ import annotations

import io
import os
import resource
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from fuzz.sounds import KINDS, encoded, tone
from fuzz.texts import reader as text_reader
from multigraft.contracts.readers import check_spec, row_file
from multigraft.errors import BundleError, RowError
from multigraft.system.files import check_plain, check_tree
from multigraft_speech import reader as speech
from multigraft_text.cleaning import MAX_CHARACTERS
from multigraft_vision.reader import ImageSpec, image_reader

SPEC = {
    "size": [8, 8],
    "crop": 1.0,
    "interpolation": "bilinear",
    "fit": "center",
    "max_pixels": 10_000,
}


def refused(reader: Any, raw: Any) -> str:
    with pytest.raises(RowError) as caught:
        reader.read(raw)
    return str(caught.value)


def png(width: int, height: int, pixels: bytes = b"") -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("width", "height"), [(101, 100), (10_001, 1), (14_000, 14_000), (2**31 - 1, 2**31 - 1)]
)
def test_pixels_are_counted_in_the_header(width: int, height: int) -> None:
    said = refused(image_reader(SPEC), png(width, height))
    assert "pixels" in said
    assert "limit of 10000" in said


def test_a_picture_file_is_refused_by_its_size_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png(8, 8, bytes(8 * 25)))
    assert image_reader(SPEC).read(path)["image"].shape == (8, 8, 3)
    os.truncate(path, 2**40)  # a terabyte that takes no room
    assert "1,099,511,627,776 bytes" in refused(image_reader(SPEC), path)


def test_only_the_first_of_many_frames_is_decoded() -> None:
    frames = [Image.new("RGB", (100, 100), (number, 0, 0)) for number in range(250)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    image = image_reader(SPEC).read(buffer.getvalue())["image"]
    assert image[0, 0].tolist() == [0, 0, 0]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 2**10


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_picture_that_was_cut_off_is_no_picture(kind: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, kind)
    whole = buffer.getvalue()
    right = image_reader(SPEC).read(whole)["image"]
    for tenth in range(10):
        cut = whole[: len(whole) * tenth // 10]
        try:
            np.testing.assert_array_equal(image_reader(SPEC).read(cut)["image"], right)
        except RowError:
            continue


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_no_row(device: str, tmp_path: Path) -> None:
    for reader in (image_reader(SPEC), speech.AudioReader()):
        assert "no plain file" in refused(reader, device)
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    assert "no plain file" in refused(speech.AudioReader(), pipe)


def test_a_long_text_is_refused_before_it_is_tokenized() -> None:
    assert "at most 1,000,000" in refused(text_reader(), "a " * MAX_CHARACTERS)
    assert len(text_reader().read("a " * 1000)["input_ids"]) == 16


def test_a_text_of_which_nothing_is_left_is_no_row() -> None:
    assert "no token" in refused(text_reader(), "\u0301\u0301")
    assert "no token" in refused(text_reader(), ("\u0301", "\u0301"))


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_a_sound_that_was_cut_off_is_no_shorter_sound(kind: tuple[str, str]) -> None:
    whole = encoded(tone(), *kind)
    reader = speech.AudioReader(sample_rate=8000)
    right = reader.read(whole)["input_values"]
    for tenth in range(1, 10):
        try:
            found = reader.read(whole[: len(whole) * tenth // 10])["input_values"]
        except RowError:
            continue
        pytest.fail(f"{tenth} tenths: {len(found)} of {len(right)} samples")


@pytest.mark.parametrize("size", [2**32 - 1, 2**31 - 1, 2**31 - 37])
def test_a_sound_that_was_written_to_a_pipe_is_read_to_its_end(size: int) -> None:
    whole = encoded(tone())
    at = whole.index(b"data") + 4
    piped = whole[:at] + struct.pack("<I", size) + whole[at + 4 :]
    reader = speech.AudioReader(sample_rate=8000)
    np.testing.assert_array_equal(
        reader.read(piped)["input_values"], reader.read(whole)["input_values"]
    )


def test_channels_are_decoded_in_blocks_to_the_same_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, (5000, 6)).astype(np.float32)
    content = encoded(samples, "WAV", "FLOAT")
    reader = speech.AudioReader(sample_rate=8000)
    whole = reader.read(content)["input_values"]
    monkeypatch.setattr(speech, "BLOCK", 1000)
    np.testing.assert_array_equal(reader.read(content)["input_values"], whole)
    np.testing.assert_allclose(whole, samples.mean(axis=1), atol=1e-6)


def test_a_small_file_of_a_long_silence_is_refused_by_its_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(400_000, np.int16), 8000, format="FLAC")
    assert len(buffer.getvalue()) < 20_000
    monkeypatch.setattr(speech, "MAX_SAMPLES", 300_000)
    reader = speech.AudioReader(sample_rate=8000, max_seconds=60.0)
    assert "400,000 samples; at most 300,000" in refused(reader, buffer.getvalue())
    assert (
        len(
            speech.AudioReader(sample_rate=8000, max_seconds=30.0).read(buffer.getvalue())[
                "input_values"
            ]
        )
        == 240_000
    )


def test_a_saved_spec_says_all_that_is_wrong_with_it() -> None:
    with pytest.raises(BundleError) as caught:
        check_spec({**SPEC, "size": [8, 10**6], "crop": "1", "colour": 1}, ImageSpec)
    for field in ("size.1: found 1000000", 'crop: found "1"', "colour: no such field"):
        assert field in str(caught.value)


def test_what_is_no_plain_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"12345")
    check_plain(file, limit=5)
    for path, limit in ((file, 4), (tmp_path, None), (Path("/dev/zero"), None)):
        with pytest.raises(OSError):
            check_plain(path, limit=limit)
    with pytest.raises(RowError, match="is text, not the path"), row_file("a\0b"):
        pass


def test_a_link_out_of_a_folder_is_told_and_one_inside_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "secret").touch()
    (folder / "file").touch()
    (folder / "inside").symlink_to("file")
    check_tree(folder, links=False)
    (folder / "outside").symlink_to(tmp_path / "secret")
    for links in (True, False):
        with pytest.raises(OSError, match=r"outside is a link out of the folder; .* cp -rL"):
            check_tree(folder, links=links)
    (folder / "outside").unlink()
    (folder / "zero").symlink_to("/dev/zero")
    with pytest.raises(OSError, match="zero is a link out of the folder"):
        check_tree(folder, links=True)


def test_a_snapshot_of_a_hub_may_link_to_its_blobs(tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "snapshots" / "abc", tmp_path / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    (blobs / "1").touch()
    (snapshot / "config.json").symlink_to("../../blobs/1")
    check_tree(snapshot, links=True)
    with pytest.raises(OSError, match="is a link out of the folder"):
        check_tree(snapshot, links=False)
    os.mkfifo(blobs / "2")
    (snapshot / "pipe").symlink_to("../../blobs/2")
    with pytest.raises(OSError, match="pipe is no plain file"):
        check_tree(snapshot, links=True)
