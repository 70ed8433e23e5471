"""Toy bundles behind a real server on this machine, whose readers are slow or broken where a test
asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import numpy as np

import multigraft as mg
from helpers import toy_plugin
from helpers.toy_runs import exported
from multigraft.contracts.types import Arrays, Spec
from multigraft.runtime import Predictor, load
from multigraft.runtime.serving.access import Token, address_of, listen
from multigraft.runtime.serving.app import build_app
from multigraft.runtime.serving.limits import Limits
from multigraft.runtime.serving.model import Model
from multigraft.runtime.serving.server import make_server

SECRET = "a-secret-of-some-length"
UNKNOWN = toy_plugin.TOKENS + 1_000_000
"""A token that the graph has no row for."""


@dataclass(frozen=True)
class MoodyReader:
    """Numbers; ``slow`` and ``bug`` make reading take long or break, ``lost`` breaks measuring,
    ``poison`` the graph."""

    numbers: toy_plugin.NumbersReader

    @property
    def fills(self) -> Mapping[str, float]:
        return self.numbers.fills

    def read(self, raw: Any) -> Arrays:
        words = " ".join(raw).split() if isinstance(raw, tuple) else str(raw).split()
        time.sleep(0.4 * words.count("slow"))
        if "bug" in words:
            raise ZeroDivisionError("a secret path: /somewhere")
        arrays = self.numbers.read(
            " ".join(word for word in words if word not in ("slow", "lost", "poison"))
        )
        if "poison" in words:
            arrays["input_ids"] = arrays["input_ids"] + UNKNOWN
        return {} if "lost" in words else arrays

    def length(self, row: Arrays) -> int:
        return self.numbers.length(row)

    def spec(self) -> Spec:
        return self.numbers.spec()


@dataclass(frozen=True)
class BytesReader:
    """The 192 bytes of a picture; never a path."""

    pictures: toy_plugin.PictureReader

    @property
    def fills(self) -> Mapping[str, float]:
        return self.pictures.fills

    def read(self, raw: Any) -> Arrays:
        if isinstance(raw, str):
            raise AssertionError("a client's text was taken for a path")
        if len(raw) != 192:
            raise mg.RowError(f"{len(raw)} bytes are no picture; 192 are needed")
        return self.pictures.read(np.frombuffer(raw, dtype=np.uint8).reshape(3, 8, 8))

    def length(self, row: Arrays) -> int:
        return self.pictures.length(row)

    def spec(self) -> Spec:
        return self.pictures.spec()


class Plugin:
    """The toy plugin with readers that a server can be tested with."""

    @mg.hookimpl
    def register_modalities(self) -> list[mg.Modality]:
        numbers, picture = toy_plugin.register_modalities()
        return [
            replace(
                numbers,
                columns=("text", "text_pair"),
                reader=lambda spec: MoodyReader(toy_plugin.numbers_reader(spec)),
            ),
            replace(picture, reader=lambda spec: BytesReader(toy_plugin.picture_reader(spec))),
        ]

    @mg.hookimpl
    def register_tasks(self) -> list[mg.Task]:
        return toy_plugin.register_tasks()


def predictor(modality: str) -> Predictor:
    """What the server must answer as; fp32, whose answers do not depend on the batch."""
    run, _ = exported(modality)
    made = load(
        run.folder / "bundle",
        precision="fp32",
        threads=1,
        catalog=mg.Catalog([Plugin()], discover=False),
    )
    # as if pairs had been learned from
    made.bundle = made.bundle.model_copy(update={"columns": ()})
    return made


def model(modality: str, name: str | None = None) -> Model:
    """A toy model; its name is its modality's unless told."""
    catalog = mg.Catalog([Plugin()], discover=False)
    return Model(name or modality, predictor(modality), catalog.modality(modality))


@dataclass
class Served:
    """A server that runs, and a client of it."""

    url: str
    client: httpx2.Client
    server: Any

    def predict(self, inputs: Any, *, path: str = "/predict", **more: Any) -> httpx2.Response:
        """Ask with JSON."""
        return self.client.post(path, json={"inputs": inputs, **more})

    def metric(self, name: str, **labels: str) -> float:
        """A number that the server counted; 0 where it has counted nothing."""
        from prometheus_client.parser import text_string_to_metric_families

        families = text_string_to_metric_families(self.client.get("/metrics").text)
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@contextmanager
def serving(*models: Model, token: str | None = None, **limits: Any) -> Iterator[Served]:
    """A server in a thread on a free port of this machine, ready to answer."""
    chosen = Limits(**limits)
    app = build_app(models, limits=chosen, token=Token(token) if token else None, local=True)
    with listen("127.0.0.1", 0) as listening:
        url = address_of(listening)
        server = make_server(app, chosen)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            with httpx2.Client(base_url=url, timeout=30, trust_env=False) as client:
                wait_until(lambda: _ready(client))
                yield Served(url, client, server)
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


def wait_until(true: Any, *, seconds: float = 20) -> None:
    """Ask again and again."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def _ready(client: httpx2.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx2.TransportError:
        return False
