"""Modules of the page, run in Node with a document that keeps what is made."""

from __future__ import annotations

import json
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

from helpers.javascript import node

SCRIPT = """
globalThis.document = {{ createElement: (tag) => ({{
  tag, kids: [], append(...children) {{ this.kids.push(...children); }}, setAttribute() {{}},
}}) }};
const page = await import({module});
const told = (each) => typeof each === "string" ? each
  : Array.isArray(each) ? each.map(told)
  : each?.kids ? {{ tag: each.tag, kids: each.kids.map(told) }} : each;
const given = {given};
console.log(JSON.stringify(told(await ({call})(page, given))));
"""


def page(name: str, call: str, given: Any) -> Any:
    """What a function of a module of the page gives."""
    module = repr((Path(str(files("multigraft.runtime"))) / "page" / f"{name}.js").as_uri())
    script = SCRIPT.format(module=module, given=json.dumps(given), call=call)
    done = subprocess.run(
        [node(), "--input-type=module", "--eval", script],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def words(element: Any) -> str:
    """All that an element says."""
    if isinstance(element, str):
        return element
    kids = element if isinstance(element, list) else element["kids"]
    return "".join(map(words, kids))
