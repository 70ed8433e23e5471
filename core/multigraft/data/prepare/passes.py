"""Passes over a corpus: blocks are judged side by side, then duplicates are found among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from multigraft.contracts.display import Display
from multigraft.data.prepare.duplicates import KeyFile, find_duplicates
from multigraft.data.prepare.first_rows import refuse_missing_columns
from multigraft.data.prepare.judging import file_of, judge_block, open_pass, raw_cells
from multigraft.data.prepare.plan import Pass, Plan, Step
from multigraft.data.prepare.reading import Block, Sources
from multigraft.data.prepare.tally import Example, Tally, draw, shown, summed
from multigraft.data.prepare.workers import in_workers
from multigraft.data.prepare.workspace import Workspace
from multigraft.errors import DataError

INSTEAD = "kept instead, row {row:,}: {value}"
DUPLICATE = "near an earlier row"


@dataclass(frozen=True)
class _Job:
    """A block that is to be judged; of later passes its rows lie in the workspace."""

    number: int
    block: Block | None = None
    first: int = 0
    matched: np.ndarray | None = None
    """[rows behind the pass before] the row that each is a duplicate of, or -1."""


@dataclass(frozen=True)
class Passes:
    """Takes a corpus through the steps of a plan, in a workspace."""

    plan: Plan
    work: Workspace
    sources: Sources
    workers: int
    display: Display

    def run(self) -> int:
        """Go through all that is not done yet; the number of blocks."""
        blocks = 0
        for each in self.plan.passes:
            facts = self.work.finished(each.number) or self._finished(each, blocks)
            blocks = int(facts["blocks"])
            if each.number:
                self.work.drop_pass(each.number - 1)
            if each.duplicates is not None and self.work.match(each.number) is None:
                self._match(each, each.duplicates, blocks)
        return blocks

    def _finished(self, given: Pass, blocks: int) -> dict[str, Any]:
        """Take all blocks through a pass, and note what came of it."""
        names = ", ".join(step.name for step in given.steps) or "reading"
        self.display.begin(f"pass {given.number + 1}: {names}")
        jobs = self._read(given) if given.number == 0 else self._again(given, blocks)
        work = partial(_worker, given, self.work, self.plan.recipe.examples)
        for rows in in_workers(work, jobs, self.workers):
            self.display.advance(rows)
        facts = self._facts(given.number)
        self.work.finish(given.number, facts)
        return facts

    def _facts(self, number: int) -> dict[str, Any]:
        """What came of all blocks of a pass."""
        blocks = self.work.blocks(number)
        notes = (note for b in range(blocks) for note in self.work.facts(number, b)["notes"])
        tallies = summed(
            (self.work.tallies(number, block) for block in range(blocks)),
            self.plan.recipe.examples,
        )
        if number == 0 and not sum(tally.seen for tally in tallies.values()):
            raise DataError(f"{self.plan.recipe.source}: holds no rows")
        return {
            "blocks": blocks,
            "notes": list(dict.fromkeys(notes)),
            "tallies": {str(step): tally.facts() for step, tally in sorted(tallies.items())},
        }

    def _read(self, given: Pass) -> Iterator[_Job]:
        """The blocks of the source, without those that are done already."""
        first = 0
        for number, block in enumerate(self.sources.blocks()):
            if not first:
                refuse_missing_columns(self.plan, block)
            if not self.work.has(given.number, number):
                yield _Job(number, block, first)
            first += block.batch.num_rows

    def _again(self, given: Pass, blocks: int) -> Iterator[_Job]:
        """The blocks of the pass before that are not done already, with the duplicates in them."""
        matched = self.work.match(given.number - 1)
        for number, (start, stop) in enumerate(self.work.starts(given.number - 1, blocks)):
            if not self.work.has(given.number, number):
                some = None if matched is None else np.array(matched[start:stop])
                yield _Job(number, matched=some)

    def _match(self, given: Pass, step: Step, blocks: int) -> None:
        """Find the duplicates behind a pass, count them, and show some."""
        self.display.begin(step.name)
        if blocks == 0:
            self.work.keep_match(given.number, np.zeros(0, np.int64))
            return
        keys = KeyFile(self.work.join_keys(given.number, blocks))
        found = find_duplicates(keys, step.likeness().near)
        tally = Tally(seen=len(found))
        if duplicates := int((found >= 0).sum()):
            what = "equal to an earlier row" if step.likeness().near >= 1 else DUPLICATE
            tally.dropped[what] = duplicates
            tally.examples["dropped"] = self._pairs(given, step, found, blocks)
        noted = self.work.finished(given.number)
        assert noted is not None
        noted["tallies"][str(step.number)] = tally.facts()
        self.work.finish(given.number, noted)
        self.work.keep_match(given.number, found)

    def _pairs(self, given: Pass, step: Step, found: np.ndarray, blocks: int) -> list[Example]:
        """Examples of duplicates: those that come first in the draw, with what stays of each."""
        rows = np.flatnonzero(found >= 0)
        draws = np.array([draw(step.number, row) for row in rows.tolist()])
        chosen = rows[np.argsort(draws, kind="stable")[: self.plan.recipe.examples]]
        asked = {int(row) for row in chosen} | {int(found[row]) for row in chosen}
        values = {row: each for row, *each in self._values(given.number, step, asked, blocks)}
        examples = []
        for row in chosen.tolist():
            place, value, file = values[row]
            first, stays, other = values[int(found[row])]
            told = INSTEAD.format(row=first + 1, value=shown(stays))
            instead = {"row": first, "value": shown(stays), "file": other}
            drawn = draw(step.number, row)
            examples.append(Example(place, shown(value), told, drawn, file, instead))
        return examples

    def _values(
        self, number: int, step: Step, asked: set[int], blocks: int
    ) -> Iterator[tuple[int, int, Any, str]]:
        """Each row asked for with its place in the source, its value, and the file that it is."""
        for block, (start, stop) in enumerate(self.work.starts(number, blocks)):
            mine = sorted(row for row in asked if start <= row < stop)
            if mine:
                batch, places = self.work.rows(number, block)
                cells = raw_cells(batch, step.column)
                folder = (
                    self.work.facts(number, block)["folder"] if step.modality.suffixes else None
                )
                for row in mine:
                    value = cells[row - start]
                    yield row, int(places[row - start]), value, file_of(value, folder)


def _worker(given: Pass, work: Workspace, examples: int) -> Callable[[_Job], int]:
    """The function of one process: judge a block, keep what is left, tell how many rows it saw."""
    opened = open_pass(given)

    def judge(job: _Job) -> int:
        if job.block is None:
            batch, rows = work.rows(given.number - 1, job.number)
            if job.matched is not None:
                stays = np.flatnonzero(job.matched < 0)
                batch, rows = batch.take(pa.array(stays)), rows[stays]
            facts = work.facts(given.number - 1, job.number)
            told = {name: facts[name] for name in ("name", "folder", "notes")}
            bad: dict[int, str] = {}
        else:
            batch, bad = job.block.batch, dict(job.block.bad)
            rows = np.arange(job.first, job.first + batch.num_rows)
            told = {"name": job.block.name, "folder": job.block.folder}
            told["notes"] = list(job.block.notes)
        judged = judge_block(opened, batch, rows, bad=bad, folder=told["folder"], examples=examples)
        work.write(given.number, job.number, judged, told)
        return len(rows)

    return judge
