"""The tables of docs/plugins/testing.md, as the code has them."""

from __future__ import annotations

from conformance.faults.table import FAULTS
from multigraft.testing.table import CHECKS


def checks_table() -> str:
    """Every check, what is tried, and why."""
    rows = [
        (f"`{check.name}`", check.of, check.what, check.why)
        for check in CHECKS
        if check.name != "record"
    ]
    record = next(check for check in CHECKS if check.name == "record")
    rows.insert(4, ("`record`", "every record", record.what, record.why))
    return _table(("check", "of", "what is tried", "why it matters"), rows)


def faults_table() -> str:
    """Every faulty plugin, and what catches it."""
    rows = [(fault.name, f"`{fault.check}`", f"`{fault.says}`") for fault in FAULTS]
    return _table(("fault", "caught by", "the finding says"), rows)


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
