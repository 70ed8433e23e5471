"""Table of checks: every check of the kit, in the order in which they are made."""

from __future__ import annotations

from multigraft.testing.checks import Check
from multigraft.testing.promises import (
    ENTERING,
    EXPLAINING,
    FILTERS,
    FORMATS,
    READING,
    RECORDS,
)
from multigraft.testing.promises_of_models import COMPUTING, STEERING, TEACHING, WATCHING

CHECKS: tuple[Check, ...] = (
    *ENTERING,
    *RECORDS,
    *FORMATS,
    *FILTERS,
    *READING,
    *EXPLAINING,
    *COMPUTING,
    *TEACHING,
    *STEERING,
    *WATCHING,
)
