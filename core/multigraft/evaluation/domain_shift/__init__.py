"""Domain shift: how different two sets of features are, and how to weigh one like the other.

Functions of numpy arrays, without torch.
"""

from __future__ import annotations

from multigraft.evaluation.domain_shift.density_ratio import density_ratio, effective_rows
from multigraft.evaluation.domain_shift.two_sample import DomainTest, domain_test

__all__ = ["DomainTest", "density_ratio", "domain_test", "effective_rows"]
