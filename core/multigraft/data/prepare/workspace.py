"""Workspace of a preparation: what is done of it, on the disk, so that it can be gone on with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from multigraft.data.prepare.judging import Judged
from multigraft.data.prepare.tally import Tally
from multigraft.errors import RunError
from multigraft.system.files import new_file, sweep, whole_folder, write_json

FOLDER = ".work"
BEGUN = "begun.json"
ROWS, PLACES, KEYS, FACTS = "rows.arrow", "places.npy", "keys.npy", "facts.json"


@dataclass(frozen=True)
class Workspace:
    """The folder in which a preparation is at work."""

    folder: Path

    def holds_rows(self) -> bool:
        """Whether there is something to go on with."""
        through = self.finished(0) is not None or self.blocks(0) > 0
        return through and (self.folder / BEGUN).is_file()

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Note what is prepared by what. Raises RunError where rows of something else are here."""
        if not self.holds_rows():
            self.discard()
            self.folder.mkdir(parents=True)
            write_json(self.folder / BEGUN, facts)
            return
        sweep(self.folder)
        before = json.loads((self.folder / BEGUN).read_text(encoding="utf-8"))
        if other := [name for name in facts if before.get(name) != facts[name]]:
            raise RunError(
                f"{self.folder.parent}: was begun with another {' and another '.join(other)}; "
                f"go on as it was begun, name another output, or remove {self.folder} to begin anew"
            )

    def discard(self) -> None:
        """Remove all of it; ended in the middle, nothing is gone on with."""
        (self.folder / BEGUN).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def block(self, number: int, block: int) -> Path:
        """The folder of a block that went through a pass."""
        return self.folder / f"pass-{number}" / f"{block:06d}"

    def has(self, number: int, block: int) -> bool:
        """Whether a block went through a pass."""
        return self.block(number, block).is_dir()

    def blocks(self, number: int) -> int:
        """How many blocks went through a pass."""
        folder = self.folder / f"pass-{number}"
        return sum(path.name.isdecimal() for path in folder.iterdir()) if folder.is_dir() else 0

    def write(self, number: int, block: int, judged: Judged, told: Mapping[str, Any]) -> None:
        """Keep a block that went through a pass, whole or not at all."""
        path = self.block(number, block)
        path.parent.mkdir(exist_ok=True)
        with whole_folder(path) as folder:
            with (
                pa.OSFile(str(folder / ROWS), "wb") as file,
                pa.ipc.new_file(file, judged.batch.schema) as writer,
            ):
                writer.write_batch(judged.batch)
            np.save(folder / PLACES, judged.rows)
            if judged.keys is not None:
                np.save(folder / KEYS, judged.keys)
            tallies = {str(step): tally.facts() for step, tally in judged.tallies.items()}
            facts = {**told, "rows": len(judged.rows), "tallies": tallies}
            (folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")

    def facts(self, number: int, block: int) -> dict[str, Any]:
        """What was noted of a block."""
        found: dict[str, Any] = json.loads(
            (self.block(number, block) / FACTS).read_text(encoding="utf-8")
        )
        return found

    def tallies(self, number: int, block: int) -> dict[int, Tally]:
        """The tallies of a block, by the number of the step."""
        found = self.facts(number, block)["tallies"]
        return {int(step): Tally.of(facts) for step, facts in found.items()}

    def rows(self, number: int, block: int) -> tuple[pa.RecordBatch, np.ndarray]:
        """The rows of a block that went through a pass, and their places in the source."""
        folder = self.block(number, block)
        with pa.OSFile(str(folder / ROWS), "rb") as file:
            batch = pa.ipc.open_file(file).get_batch(0)
        return batch, np.load(folder / PLACES)

    def finished(self, number: int) -> dict[str, Any] | None:
        """What was noted when all blocks had gone through a pass; None before."""
        path = self.folder / f"pass-{number}.json"
        if not path.is_file():
            return None
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def finish(self, number: int, facts: Mapping[str, Any]) -> None:
        """Note that all blocks went through a pass."""
        write_json(self.folder / f"pass-{number}.json", facts)

    def join_keys(self, number: int, blocks: int) -> Path:
        """Join the sketches of a pass's blocks to one file, read and written a block at a time."""
        path = self.folder / f"keys-{number}.npy"
        if path.is_file():
            return path
        counts = [self.facts(number, block)["rows"] for block in range(blocks)]
        with new_file(path) as file:
            for block in range(blocks):
                keys = np.load(self.block(number, block) / KEYS)
                if block == 0:
                    shape = (sum(counts), *keys.shape[1:])
                    form = {"descr": keys.dtype.str, "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(file, form)
                file.write(keys.tobytes())
        return path

    def match(self, number: int) -> np.ndarray | None:
        """For each row behind a pass the first one that it is near to, or -1; None before that is
        known. Mapped."""
        path = self.folder / f"match-{number}.npy"
        return np.load(path, mmap_mode="r") if path.is_file() else None

    def keep_match(self, number: int, found: np.ndarray) -> None:
        """Keep what `match` gives."""
        with new_file(self.folder / f"match-{number}.npy") as file:
            np.save(file, found)
        (self.folder / f"keys-{number}.npy").unlink(missing_ok=True)

    def drop_pass(self, number: int) -> None:
        """Remove the blocks of a pass that the next one has gone through; what was noted stays."""
        shutil.rmtree(self.folder / f"pass-{number}", ignore_errors=True)

    def starts(self, number: int, blocks: int) -> Iterator[tuple[int, int]]:
        """For each block of a pass the number of its first row among those left, and the next's."""
        start = 0
        for block in range(blocks):
            stop = start + int(self.facts(number, block)["rows"])
            yield start, stop
            start = stop
