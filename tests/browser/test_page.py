"""The page in a real browser: every kind of value, by mouse, keyboard and microphone. Needs
Chromium."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from playwright.sync_api import expect

import multigraft as mg
from helpers.samples import write_texts
from helpers.toy_runs import exported
from helpers.toy_server import SECRET, Plugin, Served, model, predictor, serving
from multigraft.contracts.branches import compose
from multigraft.contracts.reader import Reader
from multigraft.contracts.types import Arrays, Spec
from multigraft.runtime.serving.model import Model
from multigraft.runtime.serving.server import open_models

pytestmark = pytest.mark.slow
SHOTS = os.environ.get("MULTIGRAFT_SHOTS")
"""A folder for pictures of the page, where a person wants to look at it."""


@dataclass(frozen=True)
class FileReader:
    """Reads a file's bytes into what a toy reader takes."""

    inner: Reader
    convert: Any

    @property
    def fills(self) -> Mapping[str, float]:
        return self.inner.fills

    def read(self, raw: Any) -> Arrays:
        return self.inner.read(self.convert(raw))

    def length(self, row: Arrays) -> int:
        return self.inner.length(row)

    def spec(self) -> Spec:
        return self.inner.spec()


def small_picture(content: bytes) -> bytes:
    try:
        picture = Image.open(BytesIO(content)).convert("RGB").resize((8, 8))
    except OSError as error:
        raise mg.RowError("is no picture") from error
    return np.asarray(picture).transpose(2, 0, 1).tobytes()


def loudness(content: bytes) -> str:
    """A loud sound is of high numbers, silence of low ones."""
    samples, rate = soundfile.read(BytesIO(content))
    assert rate >= 8000 and samples.ndim == 1
    return "900 901" if np.abs(samples).max() > 0.02 else "1 2"


def of_files(modality: str, name: str, suffixes: tuple[str, ...], convert: Any) -> Model:
    """A toy model whose values are files."""
    found = predictor(modality)
    found.reader = FileReader(found.reader, convert)
    kind = mg.Catalog([Plugin()], discover=False).modality(modality)
    return Model(name, found, replace(kind, columns=kind.columns[:1], suffixes=suffixes))


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(
        model("numbers", "reviews"),
        of_files("picture", "pictures", (".png", ".jpg"), small_picture),
        of_files("numbers", "sounds", (".wav", ".flac"), loudness),
    ) as running:
        yield running


def shoot(page: Any, name: str) -> None:
    if SHOTS:
        page.wait_for_timeout(400)
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


def best(page: Any) -> str:
    page.wait_for_selector("#result:not([hidden]):not(.busy) .best")
    return str(page.inner_text(".best"))


def choose(page: Any, served: Served, name: str) -> None:
    page.goto(served.url)
    page.select_option("#model", name)
    expect(page).to_have_title(f"{name} · multigraft")


def test_a_text_is_answered_by_keyboard_alone(page: Any, served: Served) -> None:
    page.goto(served.url)
    page.wait_for_selector("#column-0")
    for _ in range(10):  # from the top of the page to the first field
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "column-0":
            break
    page.keyboard.type("1 2 3")
    page.keyboard.press("Control+Enter")
    wanted = predictor("numbers").predict("1 2 3")
    assert best(page) == wanted["label"]
    shares = re.findall(r"([\d.]+) %", page.inner_text(".bars"))
    assert [float(share) for share in shares] == [
        round(100 * v, 1) for v in wanted["scores"].values()
    ]
    assert re.match(r"[\d.]+ ms on the server, \d+ ms in all", page.inner_text("#time"))
    assert page.inner_text("#spoken").startswith(f"Answer: {wanted['label']}, ")
    shoot(page, "text")


def test_a_second_column_is_sent_along(page: Any, served: Served) -> None:
    page.goto(served.url)
    page.fill("#column-0", "1 2")
    page.fill("#column-1", "900 901 902 903")
    page.click("#go")
    assert best(page) == predictor("numbers").predict(("1 2", "900 901 902 903"))["label"]


def test_errors_are_told_and_pass(page: Any, served: Served) -> None:
    page.goto(served.url)
    page.wait_for_selector("#column-0")
    page.click("#go")
    assert "nothing to answer" in page.inner_text("[role=alert]")
    page.fill("#column-0", "<img src=x onerror=alert(1)>")
    page.click("#go")
    expect(page.locator("[role=alert]")).to_contain_text("known numbers")
    assert page.locator("[role=alert] img").count() == 0
    shoot(page, "error")
    page.fill("#column-0", "1 2")
    page.click("#go")
    best(page)
    assert page.locator("[role=alert]").is_hidden()


def test_a_picture_is_shown_and_answered(page: Any, served: Served, tmp_path: Path) -> None:
    rows = exported("picture")[0].rows["test"]
    pixels = Image.fromarray(rows.raws[0].transpose(1, 2, 0)).resize(
        (320, 320), Image.Resampling.NEAREST
    )
    pixels.save(tmp_path / "a picture.png")
    choose(page, served, "pictures")
    page.set_input_files("input[type=file]", tmp_path / "a picture.png")
    assert best(page) == rows.labels[0]
    assert page.get_attribute(".drop img", "alt") == "Preview of a picture.png"
    assert page.evaluate("document.querySelector('.drop img').naturalWidth") == 320
    shoot(page, "picture")


DROP = """(text) => {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
  const drop = new DragEvent("drop", { dataTransfer: data, bubbles: true });
  document.querySelector(".drop").dispatchEvent(drop);
}"""


def test_a_picture_may_be_dropped(page: Any, served: Served) -> None:
    rows = exported("picture")[0].rows["test"]
    held = BytesIO()
    Image.fromarray(rows.raws[1].transpose(1, 2, 0)).save(held, "PNG")
    choose(page, served, "pictures")
    page.evaluate(DROP, base64.b64encode(held.getvalue()).decode())
    assert best(page) == rows.labels[1]
    assert "dropped.png" in page.inner_text(".drop")


def test_a_sound_is_drawn_and_answered(page: Any, served: Served, tmp_path: Path) -> None:
    time = np.arange(16000) / 16000
    soundfile.write(
        tmp_path / "tone.wav", 0.4 * np.sin(6.28 * 440 * time) * np.hanning(16000), 16000
    )
    choose(page, served, "sounds")
    page.set_input_files("input[type=file]", tmp_path / "tone.wav")
    assert best(page) == predictor("numbers").predict("900 901")["label"]
    assert page.get_attribute(".heard canvas", "aria-label") == "Wave of 1.0 seconds"
    shoot(page, "sound")


def test_a_recording_becomes_a_wav_file(page: Any, served: Served) -> None:
    choose(page, served, "sounds")
    page.click("text=Record")
    page.wait_for_selector("text=Stop recording")
    page.wait_for_timeout(2500)  # the microphone beeps once a second
    shoot(page, "recording")
    page.click("text=Stop recording")
    assert best(page) == predictor("numbers").predict("900 901")["label"]
    assert "recording.wav" in page.inner_text(".drop")
    shoot(page, "recorded")


def test_the_token_is_asked_for(page: Any) -> None:
    with serving(model("numbers"), token=SECRET) as guarded:
        page.goto(guarded.url)
        page.fill("#token", "another-token-altogether")
        page.click("#token-form button")
        expect(page.locator("[role=alert]")).to_contain_text("not the server's")
        shoot(page, "token")
        page.fill("#token", SECRET)
        page.keyboard.press("Enter")
        page.fill("#column-0", "1 2")
        page.click("#go")
        best(page)
        assert SECRET not in page.content()


def test_what_was_written_is_shown(page: Any, tmp_path: Path) -> None:
    run = mg.pretrain(
        task="causal-language-modeling",
        backbone={"name": "gpt-tiny", "weights": "scratch"},
        data={"train": str(write_texts(tmp_path, 24)), "split": {"validation": 0.2, "test": 0.0}},
        training={"steps": 20, "batch_size": 8},
        export={"precisions": ["fp32"]},
        output=tmp_path / "run",
    )
    bundle = run.export().files["bundle"]
    (writer,) = open_models({"writer": Path(bundle)})
    with serving(writer) as served:
        page.goto(served.url)
        page.fill("#column-0", "the music")
        page.click("#go")
        page.wait_for_selector("#result:not([hidden])[aria-busy=false] .written")
        wanted = mg.load(bundle).generate("the music")["text"]
        shown = page.evaluate("document.querySelector('.written').textContent")
        assert shown == "the music" + wanted, "behind its prompt"
        shoot(page, "written")


READABLE = """() => {
  const bright = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (!color.startsWith("rgba(0, 0, 0, 0")) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const says = (node) => node.nodeType === 3 && node.textContent.trim();
    const own = [...element.childNodes].some(says);
    if (!own || !element.checkVisibility()) continue;
    const pair = [bright(getComputedStyle(element).color), bright(behind(element))];
    const [high, low] = pair.sort((a, b) => b - a);
    if ((high + 0.05) / (low + 0.05) < 4.5) faint.push(element.outerHTML.slice(0, 80));
  }
  return faint;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 900])
def test_everything_is_readable_and_named(
    page: Any, served: Served, scheme: str, width: int
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(served.url)
    page.fill("#column-0", "1 2 3")
    page.click("#go")
    best(page)
    page.wait_for_timeout(300)
    assert page.evaluate(READABLE) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    unnamed = (
        "e => [...e].filter((x) => !x.labels?.length && !x.textContent.trim()).map((x) => "
        "x.outerHTML)"
    )
    assert page.eval_on_selector_all("input, select, textarea, button", unnamed) == []
    shoot(page, f"{scheme}-{width}")


def test_each_branch_has_a_field_of_its_own(page: Any, tmp_path: Path) -> None:
    kinds = {"image": mg.Catalog().modality("image"), "text": mg.Catalog().modality("text")}
    seen: list[Any] = []

    class Answering(Model):
        """A model of a text and a picture that says what it was given."""

        def read(self, value: Any) -> Arrays:
            seen.append(value)
            return super().read("1 2")

    found = predictor("numbers")
    both = compose(
        {"text": kinds["text"], "other": kinds["text"], "image": kinds["image"]}, missing=True
    )
    columns = found.bundle.model_copy(update={"columns": ("text", "other", "image")})
    found.bundle = columns
    Image.new("RGB", (4, 4), (200, 0, 0)).save(tmp_path / "a.png")
    with serving(Answering("both", found, both)) as running:
        page.goto(running.url)
        page.fill("#text-0", "warm")
        page.set_input_files("input[type=file]", tmp_path / "a.png")
        page.click("#go")
        best(page)
        shoot(page, "branches")
        page.fill("#other-0", "second")
        page.click("#go")
        best(page)
    content = (tmp_path / "a.png").read_bytes()
    assert seen[0] == {"text": "warm", "image": content}
    assert seen[-1] == {"text": "warm", "other": "second", "image": content}
