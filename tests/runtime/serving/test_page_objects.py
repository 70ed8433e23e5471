"""The page draws boxes where they lie in the picture, and those alone that are sure enough."""

from __future__ import annotations

import json
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

from helpers.javascript import node

SCRIPT = """
const {{ placed, shownAt, saidOf, lines, onHover }} = await import({module});
const given = {given};
console.log(JSON.stringify([
  placed(given[0].box, 200, 100), shownAt(given, 0.5), shownAt(given, 0.95), saidOf(given),
  lines(given, 200, 100), lines([...given, given[1]], 2000, 100),
  given.map((each) => onHover(each, given, 200, 100)),
  given.map((each) => onHover(each, [...given, ...given, ...given], 200, 100)),
]));
"""
OBJECTS = [
    {"label": "cat", "score": 0.9, "box": [20, 10, 120, 60]},
    {"label": "cat", "score": 0.6, "box": [0, 0, 10, 10]},
    {"label": "dog", "score": 0.4, "box": [0, 0, 10, 10]},
]


def run() -> Any:
    module = Path(str(files("multigraft.runtime") / "page" / "objects.js")).as_uri()
    script = SCRIPT.format(module=repr(module), given=json.dumps(OBJECTS))
    done = subprocess.run(
        [node(), "--input-type=module", "--eval", script],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_boxes_are_shares_of_the_picture_and_the_slider_leaves_out_the_unsure() -> None:
    place, some, none, said, *_ = run()
    assert place == {"left": "10%", "top": "10%", "width": "50%", "height": "50%"}
    assert some == {"shown": OBJECTS[:2], "told": "2 cat"}
    assert none == {"shown": [], "told": "Nothing is that sure"}
    assert said == "2 cat, dog"


def test_no_tag_covers_that_of_a_surer_box_at_the_same_corner() -> None:
    *_, lines, wide, _, _ = run()
    assert lines == [0, 0, 1]
    assert wide == [0, 0, 1, 2]


def test_among_many_a_little_box_has_its_tag_only_where_it_is_pointed_at() -> None:
    *_, few, many = run()
    assert few == [False, False, False]
    assert many == [False, True, True]
