"""Conformance kit: test whether a plugin keeps its contracts, and say how to mend what does not.

>>> from multigraft.testing import check_plugin                              # doctest: +SKIP
>>> check_plugin("series")                                                   # doctest: +SKIP
"""

from multigraft.testing.examination import Examination, check_plugin, examine
from multigraft.testing.results import Finding, Outcome, Verdict

__all__ = ["Examination", "Finding", "Outcome", "Verdict", "check_plugin", "examine"]
