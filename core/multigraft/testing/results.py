"""Check results: an outcome for each check of each record, and findings for those that failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class Finding:
    """One thing that a plugin does against its contract."""

    what: str
    where: str
    """The function that was tried, or the line that raised."""
    why: str
    """Why it matters."""
    mend: str
    """What to do about it."""

    def __str__(self) -> str:
        return f"{self.what}\n  where: {self.where}\n  why:   {self.why}\n  mend:  {self.mend}"


@dataclass(frozen=True)
class Outcome:
    """Outcome of one check of one record."""

    check: str
    record: str
    """As ``backbone tcn``."""
    state: State
    seconds: float = 0.0
    reason: str = ""
    """Why it was skipped."""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """Every outcome of one plugin."""

    plugin: str
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        """Tell whether nothing failed."""
        return not any(outcome.state == "failed" for outcome in self.outcomes)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Findings to be mended, in the order of the checks."""
        return tuple(finding for outcome in self.outcomes for finding in outcome.findings)

    def count(self, state: State) -> int:
        """Count the checks that ended so."""
        return sum(outcome.state == state for outcome in self.outcomes)

    def text(self) -> str:
        """The findings for a person; one line where there are none."""
        counts = ", ".join(
            f"{self.count(state)} {state}" for state in ("passed", "failed", "skipped")
        )
        return "\n\n".join([f"plugin {self.plugin!r}: {counts}", *self._failures()])

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "plugin": self.plugin,
            "passed": self.passed,
            "outcomes": [asdict(outcome) for outcome in self.outcomes],
        }

    def _failures(self) -> Sequence[str]:
        return [
            f"{outcome.check} of {outcome.record}: {finding}"
            for outcome in self.outcomes
            for finding in outcome.findings
        ]
