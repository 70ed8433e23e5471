"""Examine a plugin: every check of every record by itself, so that no fault hides another."""

from __future__ import annotations

import os
import tempfile
import time
import traceback
import warnings
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from multigraft.contracts.records import Record
from multigraft.errors import ANY, MissingDependency, MultigraftError, did_you_mean, first_line
from multigraft.system.cache import FOLDER
from multigraft.testing.checks import Check, Skipped
from multigraft.testing.no_network import no_network
from multigraft.testing.results import Finding, Outcome, State, Verdict
from multigraft.testing.table import CHECKS
from multigraft.testing.workbench import OF_KIND, Bench, Subject, find_plugin, place_of

ADMITTED = "admitted"
"""The check without which there is nothing else to try."""


@dataclass(frozen=True)
class Case:
    """One check of one record; the record of a plugin's own checks is None."""

    check: Check
    record: Record | None

    @property
    def subject(self) -> str:
        """Subject of a check, as ``backbone tcn``."""
        return "plugin" if self.record is None else f"{self.check.of} {self.record.name}"


class Examination:
    """A plugin on the bench. Use it in a ``with`` statement, or `examine`.

    ``checks`` are the names of those to make; unset, all. Raises UnknownName for a plugin or a
    check that does not exist.
    """

    def __init__(self, plugin: object, *, checks: Collection[str] | None = None) -> None:
        wanted = {check.name for check in CHECKS} if checks is None else {ADMITTED, *checks}
        for name in sorted(wanted - {check.name for check in CHECKS}):
            raise MultigraftError(
                f"no check {name!r}: {did_you_mean(name, [c.name for c in CHECKS])}"
            )
        self.plugin = find_plugin(plugin)
        self._checks = [check for check in CHECKS if check.name in wanted]
        self._stack = ExitStack()
        self._folder = self._stack.enter_context(
            tempfile.TemporaryDirectory(prefix="multigraft-check-", ignore_cleanup_errors=True)
        )
        self.bench = Bench(self.plugin, Path(self._folder))
        admission = Case(next(check for check in CHECKS if check.name == ADMITTED), None)
        self.admission = self.run(admission)
        self.cases = (
            (admission, *self._cases()) if self.admission.state == "passed" else (admission,)
        )
        """What can be tried: where the plugin is not admitted, that alone."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def run(self, case: Case) -> Outcome:
        """Make one check. What it raises is a finding."""
        started = time.perf_counter()
        with self._alone() as asked:
            problems, reason = self._tried(case)
        if asked:
            names = ", ".join(dict.fromkeys(asked))
            problems.append((f"it asked the network for {names}", self._place(case)))
        state: State = "failed" if problems else "skipped" if reason else "passed"
        return Outcome(
            check=case.check.name,
            record=case.subject,
            state=state,
            seconds=time.perf_counter() - started,
            reason=reason if state == "skipped" else "",
            findings=tuple(
                Finding(what=what, where=where, why=case.check.why, mend=case.check.mend)
                for what, where in problems
            ),
        )

    def _tried(self, case: Case) -> tuple[list[tuple[str, str]], str]:
        """What is wrong, each with its place; and why nothing could be tried."""
        problems: list[tuple[str, str]] = []
        try:
            for what in case.check.run(Subject(case.record, self.bench)):
                problems.append((what, self._place(case)))
        except (Skipped, MissingDependency) as skipped:
            return problems, str(skipped)
        except ANY as error:
            problems.append(
                (f"raised {type(error).__name__}: {first_line(error)}", _line_of(error))
            )
        return problems, ""

    def _place(self, case: Case) -> str:
        """The function behind a record; of a plugin's own checks, its module."""
        for name in (
            "build",
            "reader",
            "objective",
            "plan",
            "read",
            "judge",
            "likeness",
            "explain",
        ):
            if callable(getattr(case.record, name, None)):
                return place_of(getattr(case.record, name))
        return self.plugin.module or self.plugin.name

    def verdict(self) -> Verdict:
        """Every check."""
        rest = [self.run(case) for case in self.cases[1:]]
        return Verdict(self.plugin.name, (self.admission, *rest))

    def _cases(self) -> Iterator[Case]:
        own = [check for check in self._checks if check.of == "plugin" and check.name != ADMITTED]
        yield from (Case(check, None) for check in own)
        for kind in OF_KIND:
            for record in self.bench.records(kind):
                yield from (Case(check, record) for check in self._checks if check.of == kind)

    @contextmanager
    def _alone(self) -> Iterator[list[str]]:
        """Without a network, with a cache of its own, and with other people's warnings unsaid."""
        before = os.environ.get(FOLDER)
        os.environ[FOLDER] = str(self.bench.room("cache"))
        try:
            with no_network() as asked, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield asked
        finally:
            if before is None:
                os.environ.pop(FOLDER, None)
            else:
                os.environ[FOLDER] = before


def examine(plugin: object, *, checks: Collection[str] | None = None) -> Verdict:
    """Make every check (or the named ones) of an installed plugin, or of a plugin object.

    Raises UnknownName where no plugin of that name is installed; never for what is found.
    """
    with Examination(plugin, checks=checks) as examination:
        return examination.verdict()


def check_plugin(plugin: object, *, checks: Collection[str] | None = None) -> Verdict:
    """`examine` for a test: raises AssertionError with the findings where there are any."""
    verdict = examine(plugin, checks=checks)
    if not verdict.passed:
        raise AssertionError(verdict.text())
    return verdict


def _line_of(error: BaseException) -> str:
    """The innermost line outside of this package's own files, or of all, that raised."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = str(Path(__file__).parent.parent)
    outside = [frame for frame in frames if not frame.filename.startswith((ours, "<"))]
    frame = next((f for f in reversed(outside) if "site-packages" not in f.filename), None)
    frame = frame or (outside or frames)[-1]
    return f"{frame.filename}:{frame.lineno} in {frame.name}"
