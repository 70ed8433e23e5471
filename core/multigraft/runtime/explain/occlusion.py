"""Occlusion (Zeiler & Fergus 2014, section 4.2): what the answer loses without each unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from multigraft.contracts.explaining import Attribution, Subject
from multigraft.runtime.explain.subject import one_each


def occlusion(subject: Subject, options: Mapping[str, Any]) -> Attribution:
    """The explained number of the row less that of the row with one unit hidden: U + 1 rows."""
    del options
    count = subject.count
    whole = np.zeros((1, count), dtype=bool)
    found = subject.scores(np.concatenate([whole, one_each(count)]))
    return Attribution(found[0] - found[1:])
