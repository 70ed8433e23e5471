"""Objects and classes of pixels on a page without a server: drawn in a browser, and answered there
and in Node as the predictor answers them. Needs Chromium and npm."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

import multigraft as mg
from browser.test_page import READABLE, shoot
from browser.test_web import NEAR, Site, hosted
from helpers.node_example import installed
from helpers.painted_objects import coco_folder
from helpers.scene_recipe import recipe
from multigraft.runtime.web.site import fetch_packages, write_site
from security.watched import environment

pytestmark = pytest.mark.slow
ASK = """async ({ content, asked }) => {
  const ort = await import("/vendor/onnxruntime-web/ort.js");
  const { load } = await import("/page/load.js");
  const { openModel } = await import("/page/model.js");
  globalThis.opened ??= openModel({ ort, bytes: load });
  const file = new File([Uint8Array.from(content)], "a");
  const { answer } = await (await globalThis.opened).predict({ file }, asked);
  return answer;
}"""


def site_of(run: Any, folder: Path, value: Path) -> Iterator[Site]:
    if shutil.which("npm") is None:
        pytest.skip("no npm on this machine")
    bundle = Path(run.export().files["bundle"])
    fetch_packages(mg.Catalog().modality("image"))
    made = write_site(bundle, folder / "site", precision="fp32")
    with hosted(made) as url:
        yield Site(made, url, mg.load(bundle, precision="fp32"), bundle, str(value))


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A detector that crops to the middle, so that wide pictures are answered in tiles."""
    folder = tmp_path_factory.mktemp("objects")
    data = coco_folder(folder / "train", 48)
    run = mg.finetune(
        {
            "task": {"name": "object-detection", "width": 32, "depth": 1},
            "backbone": {"name": "resnet-tiny", "weights": "scratch"},
            "data": {
                **{"train": str(data), "format": "coco", "split": {"validation": 0.2, "test": 0}},
            },
            "reader": {"size": 64, "fit": "center"},
            "training": {"epochs": 10, "batch_size": 8, "learning_rate": 4e-3, "workers": 0},
            "export": {"precisions": ["fp32"]},
            "output": str(folder / "run"),
        }
    )
    yield from site_of(run, folder, data / "001.png")


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("pixels")
    run = mg.finetune(recipe(folder, export={"precisions": ["fp32"]}))
    value = run.rows["validation"].raw(1)
    yield from site_of(run, folder, Path(value))


def wide(site: Site, folder: Path) -> Path:
    """The picture three times, side by side."""
    picture = Image.open(site.value)
    made = Image.new("RGB", (3 * picture.width, picture.height))
    for place in range(3):
        made.paste(picture, (place * picture.width, 0))
    made.save(folder / "wide.png")
    return folder / "wide.png"


def ask(page: Any, site: Site, path: Path, **asked: Any) -> Any:
    if not page.url.startswith(site.url):
        page.goto(site.url)
        page.wait_for_selector("#ask:not([hidden])")
    return page.evaluate(ASK, {"content": list(path.read_bytes()), "asked": asked})


def alike(found: Any, wanted: Any) -> None:
    """The same objects in one order, as near as graphs of two machines compute."""
    assert [each["label"] for each in found] == [each["label"] for each in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=NEAR)
        assert one["box"] == pytest.approx(other["box"], abs=0.011)


def test_objects_are_those_of_the_predictor(page: Any, objects: Site, tmp_path: Path) -> None:
    for path in (Path(objects.value), wide(objects, tmp_path)):
        for asked in ({"threshold": 0.2}, {"threshold": 0.2, "iou": 0.3, "top_k": 4}):
            wanted = objects.predictor.predict(path, **asked)["objects"]
            assert wanted, "it finds something"
            alike(ask(page, objects, path, **asked)["objects"], wanted)
    with pytest.raises(Exception, match="flip is true; allowed: threshold, iou, top_k"):
        ask(page, objects, path, flip=True)


def test_classes_are_those_of_the_predictor(page: Any, pixels: Site, tmp_path: Path) -> None:
    for path in (Path(pixels.value), wide(pixels, tmp_path)):
        found, wanted = ask(page, pixels, path), pixels.predictor.predict(path)
        assert found["size"] == wanted["size"]
        shares = {each["label"]: each["share"] for each in wanted["segments"]}
        assert {each["label"]: each["share"] for each in found["segments"]} == pytest.approx(
            shares, abs=2e-3
        )


@pytest.mark.parametrize("width", [390, 1280])
def test_objects_are_drawn_and_the_slider_leaves_out_the_unsure(
    page: Any, objects: Site, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(objects.url)
    page.set_input_files("input[type=file]", objects.value)
    wanted = objects.predictor.predict(objects.value)["objects"]
    slider = page.locator("#answer input[type=range]")
    slider.fill("0.05")
    boxes = page.locator("#answer .box")
    expect(boxes).to_have_count(len(wanted))
    assert len(wanted) > 1
    slider.fill("0.95")
    expect(boxes).to_have_count(sum(each["score"] >= 0.95 for each in wanted))
    slider.fill("0.2")
    assert page.evaluate(READABLE) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shoot(page, f"web-objects-{width}")


@pytest.mark.parametrize("width", [390, 1280])
def test_classes_are_shown_and_hidden(page: Any, pixels: Site, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(pixels.url)
    page.set_input_files("input[type=file]", pixels.value)
    expect(page.locator("#answer canvas")).to_be_visible()
    painted = """() => {
      const canvas = document.querySelector("#answer canvas");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((_, place) => place % 4 === 3).filter(Boolean).length;
    }"""
    wanted = pixels.predictor.predict(pixels.value)
    tall, across = wanted["size"]
    assert page.evaluate(painted) == tall * across
    page.locator("#answer .legend input").first.uncheck()
    share = 1 - wanted["segments"][0]["share"]
    assert page.evaluate(painted) == pytest.approx(share * tall * across, abs=4)
    assert page.evaluate(READABLE) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shoot(page, f"web-pixels-{width}")


def test_node_finds_the_objects_that_the_predictor_finds(
    objects: Site, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    example = installed(tmp_path_factory.mktemp("node") / "node")
    asked = {"threshold": 0.2, "top_k": 5}
    for path in (Path(objects.value), wide(objects, tmp_path)):
        command = ["node", "answer.js", str(objects.folder), str(path), json.dumps(asked)]
        done = subprocess.run(
            command,
            cwd=example,
            capture_output=True,
            text=True,
            check=False,
            env=environment(tmp_path / "home"),
        )
        assert done.returncode == 0, done.stderr
        wanted = objects.predictor.predict(path, **asked)["objects"]
        alike(json.loads(done.stdout)["objects"], wanted)
