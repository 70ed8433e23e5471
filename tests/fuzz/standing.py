"""A server in a process of its own, from a bundle that was made by hand: what `servers` feeds."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import onnx
from onnx import TensorProto, helper

from fuzz import pictures, sounds, texts
from fuzz.harness import WrongAnswer
from multigraft.contracts.readers import save_spec
from multigraft.runtime.bundle import Bundle, Port, Precision, seal

MAX_BODY = 2 * 2**20
SERVE = """
import ctypes, signal, sys
if sys.platform == "linux":
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
from multigraft.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""`multigraft`, which on Linux ends with the process that started it, were that killed."""
JSON = "application/json"
LABELS = ["high", "low"]
KINDS = {"text": "input_ids", "image": "image", "audio": "input_values"}
"""A modality and the array that its graph takes."""


@dataclass(frozen=True)
class Asked:
    """One request."""

    body: bytes
    kind: str = JSON
    path: str = "/predict"
    headers: Mapping[str, str] = field(default_factory=dict)


@functools.cache
def spec(modality: str) -> dict[str, Any]:
    """The reader of a modality."""
    return (
        texts.reader().spec()
        if modality == "text"
        else {"image": pictures.SPEC, "audio": sounds.SPEC}[modality]
    )


@functools.cache
def sound_values(modality: str) -> tuple[bytes, ...]:
    """Values that the reader takes, as the bytes of a file."""
    if modality == "text":
        return (texts.PLAIN.encode(),)
    return tuple(pictures.BORDER.sound() if modality == "image" else sounds.sound_files()[:3])


def bundle(modality: str, folder: Path) -> Path:
    """A sound bundle whose graph tells how large the values of a row are."""
    folder.mkdir()
    name = KINDS[modality]
    dtype = {"text": TensorProto.INT64, "image": TensorProto.UINT8, "audio": TensorProto.FLOAT}[
        modality
    ]
    shape = ["batch", *(pictures.SPEC["size"] + [3] if modality == "image" else ["length"])]
    nodes = [
        helper.make_node("Cast", [name], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["flat"], axis=1),
        helper.make_node("ReduceMean", ["flat", "axis"], ["mean"], keepdims=1),
        helper.make_node("Sigmoid", ["mean"], ["high"]),
        helper.make_node("Sub", ["one", "high"], ["low"]),
        helper.make_node("Concat", ["high", "low"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info(name, dtype, shape)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2])],
        [
            helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
            helper.make_tensor("one", TensorProto.FLOAT, [], [1]),
        ],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10),
        folder / "model.onnx",
    )
    accepted = Precision(accepted=True, file="model.onnx", reason="made by hand")
    made = Bundle(
        task=f"{modality}-classification",
        modality=modality,
        reader=save_spec(spec(modality), folder),
        targets={"labels": LABELS},
        inputs=(
            Port(name=name, dtype=helper.tensor_dtype_to_np_dtype(dtype).name, shape=tuple(shape)),
        ),
        outputs=(Port(name="probabilities", dtype="float32", shape=("batch", 2)),),
        precisions={"fp32": accepted},
        default="fp32",
        opset=20,
    )
    seal(made, folder)
    return folder


class Server:
    """`multigraft serve` in a process of its own, and a client of it."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-W", "ignore", "-c", SERVE, "serve", str(folder), "--port", "0"]
        options = ["--threads", "1", "--wait-ms", "0", "--max-body-mb", str(MAX_BODY / 2**20)]
        self.process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
        self.said: list[str] = []
        url = self._told()
        threading.Thread(target=self._listen, daemon=True).start()
        self.client = httpx2.Client(base_url=url, timeout=30, trust_env=False)
        self.before = self.peak()

    def _told(self) -> str:
        assert self.process.stderr
        for line in self.process.stderr:
            self.said.append(line)
            if found := re.search(r"http://\S+", line):
                return found[0]
        raise AssertionError("".join(self.said))

    def _listen(self) -> None:
        assert self.process.stderr
        self.said += self.process.stderr

    def peak(self) -> int:
        """The largest resident set so far, where the system tells; else 0."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024

    def ask(self, asked: Asked) -> httpx2.Response:
        """Send a request as it is."""
        headers = {"content-type": asked.kind, **asked.headers}
        try:
            return self.client.post(asked.path, content=asked.body, headers=headers)
        except httpx2.TransportError as error:
            alive = self.process.poll() is None
            raise WrongAnswer(
                f"{type(error).__name__}: {error}; the server {'lives' if alive else 'died'}"
            ) from error

    def end(self) -> None:
        """Stop it, whatever it is at, and wait until it is gone."""
        self.client.close()
        self.process.kill()
        self.process.wait()


def server(modality: str, folder: Path) -> Server:
    """The server of a modality, made once; `end` ends it."""
    if (modality, folder) not in _standing:
        _standing[modality, folder] = Server(bundle(modality, folder / f"bundle-{modality}"))
    return _standing[modality, folder]


def end(modality: str, folder: Path) -> None:
    """End the server of a modality, where one stands."""
    if found := _standing.pop((modality, folder), None):
        found.end()


_standing: dict[tuple[str, Path], Server] = {}
