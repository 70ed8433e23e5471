"""The table of contents of the kit: every check, in the order in which they are made."""

from __future__ import annotations

from multigraft.testing.checks import Check
from multigraft.testing.promises import ENTERING, READING, RECORDS

CHECKS: tuple[Check, ...] = (*ENTERING, *RECORDS, *READING)
