"""JavaScript of ours, run in Node: an expression of a module's exports; a modality's reader for
browsers, whose arrays become numpy's."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multigraft.contracts.readers import save_spec
from multigraft.contracts.types import Arrays, Spec
from multigraft.contracts.web import WebReader
from multigraft.runtime.web.packages import unpack

DTYPES = {
    "Uint8Array": np.uint8,
    "Float32Array": np.float32,
    "Float64Array": np.float64,
    "BigInt64Array": np.int64,
}
DRIVER = """
import { readFileSync } from "node:fs";
import { openReader } from "./reader/reader.js";

const bytes = (text) => Uint8Array.from(Buffer.from(text, "base64"));
const { spec, values, method } = JSON.parse(readFileSync(0, "utf8"));
const reader = await openReader(spec, async (name) => readFileSync(`bundle/${name}`));
const given = ({ pixels, wav, ...rest }) => {
  if (pixels) return { pixels: { ...pixels, data: bytes(pixels.data) } };
  return wav === undefined ? rest : { file: new Blob([bytes(wav)]) };
};
const told = ([name, { data, dims }]) => {
  const content = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
  return [name, { type: data.constructor.name, dims, content }];
};
const rows = [];
for (const value of values) {
  try {
    const found = [await reader[method](given(value))].flat();
    rows.push(found.map((row) => Object.fromEntries(Object.entries(row).map(told))));
  } catch (error) {
    rows.push({ error: error.message });
  }
}
process.stdout.write(JSON.stringify(rows));
"""


def node() -> str:
    """Node, or the reason why a test is skipped."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("no Node on this machine")
    return found


def called(module: Path, expression: str, given: Any) -> Any:
    """What an expression of a module's exports, ``m``, and of ``given`` becomes, by JSON; where it
    throws, the error's message."""
    script = f"""
        import {{ readFileSync }} from "node:fs";
        const m = await import({json.dumps(module.as_uri())});
        const given = JSON.parse(readFileSync(0, "utf8"));
        let found;
        try {{ found = await ({expression}); }} catch (error) {{ found = error.message; }}
        process.stdout.write(JSON.stringify(found));
    """
    command = [node(), "--input-type=module", "--eval", script]
    done = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@dataclass(frozen=True)
class WebReading:
    """A reader for browsers with its packages and a spec, in a folder laid out as a page is."""

    folder: Path
    spec: Spec

    def read(self, values: Sequence[dict[str, Any]]) -> list[Arrays | str]:
        """Each value's arrays, or what is said to be wrong with it."""
        found = self._made("read", values)
        return [each if isinstance(each, str) else each[0] for each in found]

    def windows(self, values: Sequence[dict[str, Any]]) -> list[list[Arrays] | str]:
        """The arrays of all of each value's windows, or what is said to be wrong with it."""
        return self._made("windows", values)

    def _made(self, method: str, values: Sequence[dict[str, Any]]) -> list[list[Arrays] | str]:
        asked = json.dumps({"spec": self.spec, "values": list(values), "method": method})
        command = [node(), "--input-type=module", "--eval", DRIVER]
        done = subprocess.run(
            command, input=asked, cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        return [
            rows["error"] if isinstance(rows, dict) else [_arrays(row) for row in rows]
            for rows in told
        ]


def _arrays(row: dict[str, Any]) -> Arrays:
    return {
        name: np.frombuffer(base64.b64decode(each["content"]), DTYPES[each["type"]]).reshape(
            each["dims"]
        )
        for name, each in row.items()
    }


def pixels(picture: np.ndarray) -> dict[str, Any]:
    """A picture [H, W, 3] as a value."""
    tall, wide, _ = picture.shape
    return {
        "pixels": {
            "data": base64.b64encode(picture.tobytes()).decode(),
            "width": wide,
            "height": tall,
        }
    }


def wav(content: bytes) -> dict[str, Any]:
    """The bytes of a WAV file as a value."""
    return {"wav": base64.b64encode(content).decode()}


def open_web_reader(web: WebReader | None, spec: Spec, folder: Path) -> WebReading:
    """Lay out a reader in ``folder``; npm is asked for packages that no cache holds."""
    node()
    assert web is not None
    package, _, name = web.folder.partition(":")
    shutil.copytree(Path(str(files(package))) / name, folder / "reader")
    (folder / "package.json").write_text('{"type": "module"}')
    for each in web.packages:
        unpack(each, folder / "vendor" / each.name)
    (folder / "bundle").mkdir()
    return WebReading(folder, save_spec(spec, folder / "bundle"))
