"""The page paints a segmentation's classes where Python says they are."""

from __future__ import annotations

import json
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from helpers.javascript import node
from multigraft.contracts.answers import Window
from multigraft.runtime.answers.segmentation import Segmentation

LABELS = ["ground", "disc", "square"]
SCRIPT = """
globalThis.document = {{ createElement: (tag) => ({{
  tag, style: {{}}, kids: [], append(...children) {{ this.kids.push(...children); }},
}}) }};
const {{ painted, colorOf, legend, shares }} = await import({module});
const {{ answer, labels }} = {given};
const {{ data, width, height }} = painted(answer, labels);
const hidden = new Set(["disc"]);
const entries = legend(answer, labels, hidden, () => {{}}).kids.map((each) => each.kids[0]);
const names = entries.map((each) => each.kids[1]);
const checked = Object.fromEntries(entries.map(({{ kids }}) => [kids[1].trim(), kids[0].checked]));
const without = [...painted(answer, labels, hidden).data];
const colors = labels.map((_, number) => colorOf(number));
const said = shares(answer);
const found = {{ data: [...data], width, height, names, colors, said, checked, without }};
console.log(JSON.stringify(found));
"""


def shown(answer: dict[str, Any]) -> dict[str, Any]:
    module = Path(str(files("multigraft.runtime") / "page" / "segments.js")).as_uri()
    given = json.dumps({"answer": answer, "labels": LABELS})
    done = subprocess.run(
        [node(), "--input-type=module", "--eval", SCRIPT.format(module=repr(module), given=given)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_pixel_has_its_classs_colour() -> None:
    classes = np.random.default_rng(0).integers(0, 3, (37, 52)).astype(np.uint8)
    classes[:20, :30] = 2
    size = np.array([52, 37], np.float32)
    row = {"frame": np.eye(2, 3, dtype=np.float32), "extent": size, "picture": size}
    answers = Segmentation({"labels": LABELS, "values": [0, 1, 2]})
    answer = answers.answer(b"", [Window(row, {"classes": classes})], {"png": False})
    found = shown(dict(answer))
    pixels = np.array(found["data"], np.uint8).reshape(37, 52, 4)
    colors = np.array(found["colors"], np.uint8)
    assert (found["width"], found["height"]) == (52, 37)
    np.testing.assert_array_equal(pixels[..., :3], colors[classes])
    assert len({tuple(color) for color in found["colors"]}) == 3
    assert found["names"] == [f"{each['label']} " for each in answer["segments"]]
    assert found["said"].startswith("square, ")
    assert found["checked"] == {"ground": True, "disc": False, "square": True}
    hidden = np.array(found["without"], np.uint8).reshape(37, 52, 4)
    np.testing.assert_array_equal(hidden[..., 3] == 0, classes == 1)
    np.testing.assert_array_equal(hidden[classes != 1], pixels[classes != 1])
