"""Pages on plain hosting of files, against the predictor. Needs Chromium and npm."""

from __future__ import annotations

import base64
import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from playwright.sync_api import expect

import multigraft as mg
from browser.test_page import READABLE, best, shoot
from helpers.samples import LABELS
from helpers.tiny_bundles import export
from multigraft.cli import main
from multigraft.runtime import Predictor
from multigraft.runtime.web.site import fetch_packages

pytestmark = pytest.mark.slow
NEAR = 1e-5
"""The largest difference of a probability that Python and the browser computed from the same
arrays."""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@dataclass(frozen=True)
class Site:
    """A page on plain hosting, the predictor it must answer as, and a value."""

    folder: Path
    url: str
    predictor: Predictor
    bundle: Path
    value: str


@contextmanager
def hosted(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def sited(modality: str, folder: Path) -> Iterator[Site]:
    if shutil.which("npm") is None:
        pytest.skip("no npm on this machine")
    settings = {"precisions": ["fp32", "int8"], "rows": 1, "budget": 100, "web": True}
    fetch_packages(mg.Catalog().modality(modality))
    bundle, value = export(modality, folder, **settings)
    assert (
        main(["web", str(bundle.parent), "--into", str(folder / "site"), "--precision", "fp32"])
        == 0
    )
    with hosted(folder / "site") as url:
        yield Site(folder / "site", url, mg.load(bundle, precision="fp32"), bundle, value)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with sited("text", tmp_path_factory.mktemp("texts")) as site:
        yield site


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with sited("image", tmp_path_factory.mktemp("images")) as site:
        yield site


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with sited("audio", tmp_path_factory.mktemp("sounds")) as site:
        yield site


ASK = """async ({ value, file, name, asked }) => {
  const ort = await import("/vendor/onnxruntime-web/ort.js");
  const { load } = await import("/page/load.js");
  const { openModel } = await import("/page/model.js");
  globalThis.opened ??= openModel({ ort, bytes: load });
  const model = await globalThis.opened;
  const bytes = file && Uint8Array.from(atob(file), (sign) => sign.charCodeAt(0));
  const given = file ? { file: new File([bytes], name) } : value;
  const row = await model.read(given);
  const { answer } = await model.predict(given, asked);
  const plain = ([name, { data, dims }]) => [name, { dims, data: [...data].map(Number) }];
  const arrays = Object.fromEntries(Object.entries(row).map(plain));
  return { arrays, label: answer.label, scores: [...answer.scores] };
}"""


def ask(
    page: Any, site: Site, *, value: Any = None, file: bytes | None = None, **asked: Any
) -> Any:
    """What the page's modules make of a value: its arrays, label and scores."""
    if not page.url.startswith(site.url):
        page.goto(site.url)
        page.wait_for_selector("#ask:not([hidden])")
    coded = None if file is None else base64.b64encode(file).decode()
    return page.evaluate(ASK, {"value": value, "file": coded, "name": "a file", "asked": asked})


def test_a_typed_text_is_answered_as_the_predictor_does(page: Any, texts: Site) -> None:
    page.goto(texts.url)
    page.fill("#column-0", texts.value)
    page.keyboard.press("Control+Enter")
    wanted = texts.predictor.predict(texts.value)
    assert best(page) == wanted["label"]
    shares = re.findall(r"([\d.]+) %", page.inner_text(".bars"))
    assert [float(share) for share in shares] == [
        round(100 * v, 1) for v in wanted["scores"].values()
    ]
    assert re.match(
        r"[\d.]+ ms to read, [\d.]+ ms to compute, in this browser, ", page.inner_text("#time")
    )
    page.click("summary")
    assert "openModel" in page.inner_text("#code")
    shoot(page, "web-text")


def test_a_text_has_the_same_ids_and_scores(page: Any, texts: Site) -> None:
    for raw in ("a fine film", ("one text", "and another"), "long " * 400, "ÄÖ 中 \U0001f600"):
        given = raw if isinstance(raw, tuple) else (raw,)
        columns = dict(zip(("text", "text_pair"), given, strict=False))
        found = ask(page, texts, value={"columns": columns})
        for name, array in texts.predictor.reader.read(raw).items():
            assert found["arrays"][name]["data"] == array.tolist()
        if isinstance(raw, tuple):
            continue  # rows had one column, so the predictor refuses two texts
        assert dict(found["scores"]) == pytest.approx(
            texts.predictor.predict(raw)["scores"], abs=NEAR
        )


def test_scores_are_kept_as_asked(page: Any, texts: Site) -> None:
    sure = ask(page, texts, value={"text": texts.value}, top_k=1)
    assert [name for name, _ in sure["scores"]] == [texts.predictor.predict(texts.value)["label"]]
    none = ask(page, texts, value={"text": texts.value}, threshold=1)
    assert (none["label"], none["scores"]) == (None, [])
    with pytest.raises(Exception, match="threshold is 2; it should be at most 1"):
        ask(page, texts, value={"text": texts.value}, threshold=2)


def picture(mode: str = "RGB", size: tuple[int, int] = (90, 60)) -> Image.Image:
    rng = np.random.default_rng(3)
    smooth = np.asarray(
        Image.fromarray(rng.integers(0, 256, (6, 9, 4), dtype=np.uint8), "RGBA").resize(size)
    )
    return Image.fromarray(smooth, "RGBA").convert(mode)


def saved(image: Image.Image, kind: str, **more: Any) -> bytes:
    held = BytesIO()
    image.save(held, kind, **more)
    return held.getvalue()


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(picture(), "JPEG", quality=95, exif=exif)


PICTURES = {
    "png": saved(picture(), "PNG"),
    "grey": saved(picture("L"), "PNG"),
    "palette": saved(picture("P"), "PNG"),
    "16 bits": saved(
        Image.fromarray((np.arange(5400, dtype=np.uint16) * 12).reshape(60, 90)), "PNG"
    ),
    "transparent": saved(picture("RGBA"), "PNG"),
    "jpeg": saved(picture(), "JPEG"),
    "grey jpeg": saved(picture("L"), "JPEG"),
    "webp": saved(picture(), "WEBP", lossless=True),
    "bmp": saved(picture(), "BMP"),
    "gif": saved(picture("P"), "GIF"),
    "small": saved(picture(size=(5, 3)), "PNG"),
    **{f"turned {number}": turned(number) for number in range(1, 9)},
}


def test_a_picture_has_the_same_pixels_within_one(page: Any, images: Site) -> None:
    far = {}
    for name, content in PICTURES.items():
        found = ask(page, images, file=content)["arrays"]["image"]
        wanted = images.predictor.reader.read(content)["image"]
        assert found["dims"] == list(wanted.shape)
        far[name] = np.abs(np.array(found["data"]).reshape(wanted.shape) - wanted.astype(int)).max()
    assert max(far.values()) <= 1, far


def test_a_picture_is_shown_and_answered(page: Any, images: Site) -> None:
    page.goto(images.url)
    page.set_input_files("input[type=file]", images.value)
    wanted = images.predictor.predict(images.value)
    assert best(page) == wanted["label"]
    found = ask(page, images, file=Path(images.value).read_bytes())
    assert dict(found["scores"]) == pytest.approx(wanted["scores"], abs=NEAR)
    shoot(page, "web-picture")


def test_what_is_no_picture_is_told_and_passes(page: Any, images: Site, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(PICTURES["png"][:60])
    page.goto(images.url)
    page.set_input_files("input[type=file]", tmp_path / "broken.png")
    expect(page.locator("[role=alert]")).to_contain_text("no picture that a browser reads")
    page.set_input_files("input[type=file]", images.value)
    best(page)


def sound(rate: int, kind: str, **more: Any) -> bytes:
    time = np.arange(rate // 2) / rate
    held = BytesIO()
    heard = 0.4 * np.sin(2 * np.pi * 440 * time) * np.hanning(len(time))
    soundfile.write(held, heard, rate, format=kind, **more)
    return held.getvalue()


SOUNDS = {
    (16_000, "WAV"): 0.0,
    (44_100, "WAV"): 2e-4,
    (16_000, "FLAC"): 2
    ** -15,  # Chromium takes the largest of 16 bits for 1, libsndfile one step less
    (48_000, "FLAC"): 2e-4,
    (44_100, "OGG"): 1e-2,
}
"""Rate and format -> the largest difference of a sample."""


def test_a_sound_has_the_same_samples_as_near_as_is_stated(page: Any, sounds: Site) -> None:
    far = {}
    for (rate, kind), near in SOUNDS.items():
        content = sound(rate, kind)
        found = ask(page, sounds, file=content)["arrays"]["input_values"]
        wanted = sounds.predictor.reader.read(content)["input_values"]
        size = min(len(wanted), *found["dims"])
        # where its end is cut
        assert abs(found["dims"][0] - len(wanted)) <= (160 if kind == "OGG" else 0)
        far[rate, kind] = np.abs(np.array(found["data"])[:size] - wanted[:size]).max() - near
    assert max(far.values()) <= 0, far


def test_a_sound_is_drawn_and_answered(page: Any, sounds: Site) -> None:
    page.goto(sounds.url)
    page.set_input_files("input[type=file]", sounds.value)
    wanted = sounds.predictor.predict(sounds.value)
    assert best(page) == wanted["label"]
    found = ask(page, sounds, file=Path(sounds.value).read_bytes())
    assert dict(found["scores"]) == pytest.approx(wanted["scores"], abs=NEAR)
    shoot(page, "web-sound")


def test_a_recording_is_answered(page: Any, sounds: Site) -> None:
    page.goto(sounds.url)
    page.click("text=Record")
    page.wait_for_selector("text=Stop recording")
    page.wait_for_timeout(1500)
    page.click("text=Stop recording")
    assert best(page) in LABELS


def test_a_changed_file_is_never_answered_from(page: Any, texts: Site, tmp_path: Path) -> None:
    broken = tmp_path / "site"
    shutil.copytree(texts.folder, broken)
    graph = broken / "bundle" / "model.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    with hosted(broken) as url:
        page.goto(url)
        expect(page.locator("[role=alert]")).to_contain_text(
            "its content is not what site.json lists"
        )
        assert page.locator("#ask").is_hidden()


def test_the_page_that_an_export_makes_answers_in_int8(
    page: Any, texts: Site, tmp_path: Path
) -> None:
    made = texts.bundle.parent / "web"
    assert {path.name for path in made.iterdir()} == {path.name for path in texts.folder.iterdir()}
    assert (
        main(["web", str(texts.bundle), "--into", str(tmp_path / "site"), "--precision", "int8"])
        == 0
    )
    wanted = mg.load(texts.bundle, precision="int8").predict(texts.value)["scores"]
    with hosted(tmp_path / "site") as url:
        found = ask(page, replace(texts, url=url), value={"text": texts.value})
        assert "int8" in page.inner_text("#facts")
    assert dict(found["scores"]) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("width", [360, 900])
def test_the_page_fits_and_is_readable(page: Any, texts: Site, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(texts.url)
    page.fill("#column-0", texts.value)
    page.click("#go")
    best(page)
    page.wait_for_timeout(300)
    assert page.evaluate(READABLE) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shoot(page, f"web-{width}")


def test_site_json_tells_no_more_than_the_page_needs(texts: Site) -> None:
    facts = json.loads((texts.folder / "site.json").read_text(encoding="utf-8"))
    assert facts["targets"].keys() == {"labels"}
    assert str(texts.folder.parent) not in json.dumps(facts)
