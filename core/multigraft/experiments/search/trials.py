"""Trials of searches, handed to an engine as cells are: drawn when a worker is free for one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from multigraft.experiments.cells import PlannedRun
from multigraft.experiments.records import Record
from multigraft.experiments.search.optuna_study import Asked, OptunaStudy
from multigraft.experiments.search.outcome import Tried, tried
from multigraft.experiments.search.pruning import TrialPlace
from multigraft.experiments.search.studies import PlannedStudy
from multigraft.experiments.values import Combination

Make = Callable[[PlannedStudy, Combination], PlannedRun]
Read = Callable[[str], Record | None]
"""The record of a run that ended, by its key."""


@dataclass(eq=False)
class Course:
    """A study under way."""

    planned: PlannedStudy
    study: OptunaStudy
    trials: int
    left: list[int] = field(default_factory=list)
    """Trials that were begun before a kill."""
    next: tuple[Asked, PlannedRun] | None = None
    """Drawn, and not yet given to a worker."""
    running: dict[str, tuple[Asked, PlannedRun]] = field(default_factory=dict)

    @property
    def remaining(self) -> int:
        """How many trials are still to end."""
        return max(self.trials - self.study.begun(), 0) + len(self.left) + len(self.busy)

    @property
    def busy(self) -> list[str]:
        """The keys of runs that were drawn and have not ended."""
        return [*self.running, *([] if self.next is None else [self.next[1].key])]


class Trials:
    """Hands out trials, of the first study first; has what `Turns` has for cells."""

    def __init__(
        self, courses: Sequence[Course], make: Make, read: Read, told: Callable[[Tried], None]
    ) -> None:
        self._courses = courses
        self._make = make
        self._read = read
        self._told = told
        for each in courses:
            each.left = each.study.unfinished()

    def take(self) -> PlannedRun | None:
        """The next trial that may be trained now; None where none may."""
        for course in self._courses:
            self._draw(course)
            if course.next is not None and self._free(course.next[1]):
                asked, run = course.next
                course.next, course.running[run.key] = None, (asked, run)
                return run
        return None

    def ended(self, key: str) -> None:
        """A trial's run has ended, well or not: its study is told."""
        course = self._course(key)
        asked, run = course.running.pop(key)
        self._tell(course, asked, run)

    def again(self, key: str) -> None:
        """A trial's run was cut short and is to be taken up first."""
        course = self._course(key)
        asked, _ = course.running.pop(key)
        course.left.insert(0, asked.number)

    @property
    def left(self) -> int:
        """How many wait or are being trained."""
        return sum(each.remaining for each in self._courses)

    def place(self, key: str) -> TrialPlace:
        """Where the worker that is given a run finds its trial."""
        course = self._course(key)
        return course.study.place(course.running[key][0].number)

    def _draw(self, course: Course) -> None:
        """Draw the next trial of a study; those whose run is there already end at once.

        Where trials take turns, the next one is drawn when the last has ended: it is to know.
        """
        if course.next is not None and self._read(course.next[1].key) is not None:
            self._tell(course, *course.next)  # another of the same run has ended meanwhile
            course.next = None
        waits = any(run.turn is not None for _, run in course.running.values())
        while course.next is None and not waits:
            if course.left:
                asked = course.study.ask(course.planned.base, course.left.pop(0))
            elif course.study.begun() < course.trials:
                asked = course.study.ask(course.planned.base)
            else:
                return
            run = self._make(course.planned, asked.drawn)
            if self._read(run.key) is None:
                course.next = asked, run
            else:
                self._tell(course, asked, run)

    def _free(self, run: PlannedRun) -> bool:
        """Whether neither the same run is being trained, nor one of its turn."""
        every = [each for course in self._courses for _, each in course.running.values()]
        turns = {each.turn for each in every} - {None}
        return run.turn not in turns and run.key not in {each.key for each in every}

    def _tell(self, course: Course, asked: Asked, run: PlannedRun) -> None:
        found = tried(course.planned.name, run.key, asked, self._read(run.key))
        value = found.goodness if found.state == "complete" else None
        self._told(found)  # before its study: what a kill leaves between the two is told again
        course.study.tell(
            asked.number,
            value if value is not None and value > -math.inf else None,
            pruned=found.state == "pruned",
        )

    def _course(self, key: str) -> Course:
        return next(each for each in self._courses if key in each.running)
