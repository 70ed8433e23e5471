"""What a server's clients may make it hold: eight small files of many pixels, sounds, texts, at
once."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from fuzz import pictures, standing, texts
from multigraft.contracts.reader import MeasuredReader
from multigraft_speech.reader import AudioReader
from multigraft_vision.footprint import footprint
from multigraft_vision.images import ImageReader

SIDE = 7064
"""49.9 megapixels."""
GIB = 2**30


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


@pytest.mark.slow
def test_eight_clients_of_fifty_megapixels_take_less_than_a_gigabyte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pictures.SPEC, "max_pixels", 50_000_000)
    server = standing.Server(standing.bundle("image", tmp_path / "bundle"))
    content = png(Image.new("RGBA", (SIDE, SIDE), (1, 2, 3, 4)))
    assert len(content) < 400_000

    def ask(_: int) -> httpx2.Response:
        url = f"{server.client.base_url}/predict"
        return httpx2.post(url, files={"file": ("x", content)}, timeout=120, trust_env=False)

    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(8)))
        # a slow machine's last one is too late
        assert {each.status_code for each in answers} <= {
            200,
            504,
        }
        assert any(each.status_code == 200 for each in answers)
        assert server.peak() - server.before < GIB
    finally:
        server.process.kill()
        server.process.wait()
        server.client.close()


READERS: dict[str, Callable[[], Any]] = {
    "text": texts.reader,
    "image": lambda: ImageReader(
        size=(8, 8), crop=1, interpolation="bilinear", fit="center", max_pixels=10**6
    ),
    "audio": lambda: AudioReader(max_seconds=2.0),
}


@pytest.mark.parametrize("modality", sorted(READERS))
def test_every_reader_tells_what_it_takes(modality: str) -> None:
    made = READERS[modality]()
    assert isinstance(made, MeasuredReader)
    reader: Any = made
    for value in standing.sound_values(modality):
        arrays = reader.read(value)
        assert reader.memory(value) >= sum(array.nbytes for array in arrays.values())


@pytest.mark.parametrize(
    ("mode", "least"),
    [("1", 5), ("L", 5), ("P", 5), ("RGB", 4), ("RGBA", 9), ("LA", 9), ("I;16", 6)],
)
def test_pixels_count_and_not_the_bytes_of_the_file(mode: str, least: int) -> None:
    content = png(Image.new(mode, (1000, 1000)))
    assert footprint(content, 10**6) >= least * 10**6
    assert footprint(content, 10**6 - 1) < 10**5  # refused before a pixel is decoded


def saved(kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (1000, 1000), "red").save(out, kind, **options)
    return out.getvalue()


def test_what_a_decoder_takes_besides_is_counted() -> None:
    """The least are bytes a pixel that were measured of a server, by its peak."""
    turned = Image.Exif()
    turned[0x0112] = 6
    for content, least in (
        (saved("JPEG"), 4.6),
        (saved("JPEG", exif=turned), 8.1),
        (saved("JPEG", progressive=True), 10.1),
        (saved("WEBP"), 16.4),
        (saved("GIF"), 5.2),
        (saved("TIFF"), 4.2),
    ):
        assert (
            least * 10**6
            <= footprint(content, 10**6)
            < 2 * least * 10**6 + len(content) + 6 * 10**6
        )


def test_a_sound_counts_by_its_length_and_no_more_than_is_decoded() -> None:
    def silence(seconds: int) -> bytes:
        out = io.BytesIO()
        with wave.open(out, "wb") as sound:
            sound.setparams((1, 1, 8000, 0, "NONE", ""))
            sound.writeframes(bytes(8000 * seconds))
        return out.getvalue()

    reader = AudioReader(max_seconds=60.0)
    short, long, longer = (reader.memory(silence(each)) - each * 8000 for each in (1, 60, 120))
    assert short < long and abs(long - longer) < 1000
