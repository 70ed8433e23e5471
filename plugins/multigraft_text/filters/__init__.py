"""Filters of texts: what `multigraft prepare` mends, masks and drops. Imports nothing heavy."""

from __future__ import annotations

from multigraft_text.filters.cleaning_records import CLEANING
from multigraft_text.filters.masking_records import MASKING
from multigraft_text.filters.quality_records import QUALITY

FILTERS = (*CLEANING, *QUALITY, *MASKING)
"""All of them, in the order in which they are best applied."""
