"""A modality's reader for browsers, run in Node: what it makes of a value, as numpy arrays."""

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

DTYPES = {"Uint8Array": np.uint8, "Float32Array": np.float32, "BigInt64Array": np.int64}
DRIVER = """
import { readFileSync } from "node:fs";
import { openReader } from "./reader/reader.js";

const bytes = (text) => Uint8Array.from(Buffer.from(text, "base64"));
const { spec, values } = JSON.parse(readFileSync(0, "utf8"));
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
    rows.push(Object.fromEntries(Object.entries(await reader.read(given(value))).map(told)));
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


@dataclass(frozen=True)
class WebReading:
    """A reader for browsers with its packages and a spec, in a folder laid out as a page is."""

    folder: Path
    spec: Spec

    def read(self, values: Sequence[dict[str, Any]]) -> list[Arrays | str]:
        """Each value's arrays, or what is said to be wrong with it."""
        asked = json.dumps({"spec": self.spec, "values": list(values)})
        command = [node(), "--input-type=module", "--eval", DRIVER]
        done = subprocess.run(
            command, input=asked, cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return [row["error"] if "error" in row else _arrays(row) for row in json.loads(done.stdout)]


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
