"""Faults of readers."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

import multigraft as mg
from conformance.faults.good import Reader
from multigraft.contracts.mixing import Mixture
from multigraft.contracts.types import Arrays, Spec


class Drawing(Reader):
    def read(self, raw: Any) -> Arrays:
        row = super().read(raw)
        return {
            **row,
            "values": row["values"] + np.random.normal(size=len(row["values"])).astype("f"),
        }


class OneBuffer(Reader):
    buffer = np.zeros(64, np.float32)

    def read(self, raw: Any) -> Arrays:
        row = super().read(raw)
        self.buffer[: len(row["values"])] = row["values"]
        return {**row, "values": self.buffer[: len(row["values"])]}


class Counting(Reader):
    read_so_far = 0

    def read(self, raw: Any) -> Arrays:
        self.read_so_far += 1
        row = super().read(raw)
        return {**row, "values": row["values"] + self.read_so_far}


class SharedSettings(Reader):
    made = 0

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        SharedSettings.made += 1

    def read(self, raw: Any) -> Arrays:
        row = super().read(raw)
        return {**row, "values": row["values"] * SharedSettings.made}


class Unguarded(Reader):
    raw: Any = None

    def read(self, raw: Any) -> Arrays:
        self.raw = raw
        time.sleep(0.0005)
        return super().read(self.raw)


class Forgetful(Reader):
    def spec(self) -> Spec:
        return {"scale": 1.0}


class NoJson(Reader):
    def spec(self) -> Spec:
        return {**self.settings, "shape": np.int64(3)}


class WrongError(Reader):
    def read(self, raw: Any) -> Arrays:
        if not isinstance(raw, str):
            raise TypeError("text is needed")
        return super().read(raw)


class Lenient(Reader):
    def read(self, raw: Any) -> Arrays:
        return super().read(
            raw if isinstance(raw, str) and raw[:1] in "-0123456789" and raw else "0"
        )


class Silent(Reader):
    def read(self, raw: Any) -> Arrays:
        try:
            return super().read(raw)
        except mg.RowError:
            raise mg.RowError("") from None


class NotFinite(Reader):
    def read(self, raw: Any) -> Arrays:
        row = super().read(raw)
        return {**row, "values": np.log(np.minimum(row["values"], 0))}


class Objects(Reader):
    def read(self, raw: Any) -> Arrays:
        return {**super().read(raw), "text": np.array([str(raw)])}


class Unfilled(Reader):
    fills = {"values": 0}  # noqa: RUF012


class HalfFilled(Reader):
    """A square for each row, of which only the first axis is named."""

    fills = {"values": 0, "mask": 0, "square": 0}  # noqa: RUF012

    def read(self, raw: Any) -> Arrays:
        row = super().read(raw)
        return {**row, "square": np.outer(row["values"], row["values"])}


class TwoLengths(Reader):
    fills = {name: mg.Fill(0, {0: "time"}) for name in ("values", "mask", "twice")}  # noqa: RUF012

    def read(self, raw: Any) -> Arrays:
        row = super().read(raw)
        return {**row, "twice": np.tile(row["values"], 2)}


class ZeroLength(Reader):
    def length(self, row: Arrays) -> int:
        return 0


class OddWindows(Reader):
    def windows(self, raw: Any) -> list[Arrays]:
        return [{"values": self.read(raw)["values"]}]


def loses_its_frame(strength: str, reader: Any, options: Any) -> Any:
    class Flat:
        frames = True

        def __call__(self, row: Arrays, rng: np.random.Generator) -> Arrays:
            return {**row, **({"frame": np.zeros((2, 3))} if "frame" in row else {})}

    return Flat()


def writes_in_place(strength: str, reader: Any, options: Any) -> Any:
    def change(row: Arrays, rng: np.random.Generator) -> Arrays:
        row["values"] += rng.normal(size=len(row["values"]))
        return row

    return change


def draws_elsewhere(strength: str, reader: Any, options: Any) -> Any:
    def change(row: Arrays, rng: np.random.Generator) -> Arrays:
        return {**row, "values": row["values"] + np.float32(np.random.normal())}

    return change


def unsteady_sketch(raws: Any) -> tuple[np.ndarray, np.ndarray]:
    sketches = np.random.default_rng().integers(1, 99, (len(raws), 8)).astype(np.uint8)
    return sketches, np.zeros(len(raws), np.uint8)


class Blends:
    """Mixes each row with the one before it."""

    def __call__(self, row: Arrays, rng: np.random.Generator) -> Arrays:
        return dict(row)

    def mix(self, batch: Arrays, rng: np.random.Generator) -> Mixture:
        values, share = batch["values"], np.float32(rng.random())
        partner = np.roll(np.arange(len(values)), 1)
        mean = share * values + (1 - share) * values[partner]
        return Mixture({"values": mean}, partner, np.full(len(values), share))


class BlendsInPlace(Blends):
    def mix(self, batch: Arrays, rng: np.random.Generator) -> Mixture:
        made = super().mix(batch, rng)
        batch["values"][:] = made.changed["values"]
        return made


class BlendsStrangers(Blends):
    def mix(self, batch: Arrays, rng: np.random.Generator) -> Mixture:
        return replace(super().mix(batch, rng), partner=np.arange(1, 1 + len(batch["values"])))


class BlendsLabels(Blends):
    def mix(self, batch: Arrays, rng: np.random.Generator) -> Mixture:
        made = super().mix(batch, rng)
        return replace(made, changed={**made.changed, "label": batch["label"]})
