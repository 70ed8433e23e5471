"""The page marks entities where they stand in the text, counted as Python counts characters."""

from __future__ import annotations

import json
import subprocess
from importlib.resources import files
from pathlib import Path

from helpers.javascript import node

SCRIPT = """
globalThis.document = {{ createElement: (tag) => ({{
  tag, kids: [], append(...children) {{ this.kids.push(...children); }},
}}) }};
const {{ marked, listed }} = await import({module});
const told = (each) => typeof each === "string" ? each
  : {{ tag: each.tag, title: each.title, kids: each.kids.map(told) }};
const given = {given};
console.log(JSON.stringify([told(marked(given.text, given.entities)), listed(given.entities)]));
"""


def shown(text: str, entities: list[dict[str, object]]) -> tuple[dict[str, object], str]:
    module = Path(str(files("multigraft.runtime") / "page" / "entities.js")).as_uri()
    given = json.dumps({"text": text, "entities": entities})
    done = subprocess.run(
        [node(), "--input-type=module", "--eval", SCRIPT.format(module=repr(module), given=given)],
        capture_output=True,
        text=True,
        check=True,
    )
    element, said = json.loads(done.stdout)
    return element, said


def test_entities_are_marked_in_their_places() -> None:
    text = "\U0001f600 Ada in Rome."
    entities = [
        {"start": start, "end": start + len(name), "text": name, "label": label, "score": 0.5}
        for name, label in (("Ada", "PER"), ("Rome", "LOC"))
        for start in [text.index(name)]
    ]
    element, said = shown(text, entities)

    def mark(name: str, label: str) -> dict[str, object]:
        small = {"tag": "small", "kids": [f"\u00a0{label}"]}
        return {"tag": "mark", "title": f"{label}, 50.0 %", "kids": [name, small]}

    assert element == {
        "tag": "p",
        "kids": ["\U0001f600 ", mark("Ada", "PER"), " in ", mark("Rome", "LOC"), "."],
    }
    assert said == "Ada, PER; Rome, LOC"


def test_a_text_without_entities_is_shown_as_it_is() -> None:
    assert shown("a < b", []) == ({"tag": "p", "kids": ["a < b"]}, "Nothing is named.")
