"""Statistics of evaluation: intervals, paired differences, ranks, Bayesian comparison, power.

Functions of numpy arrays, without torch. Scores are arrays [systems, seeds, rows], or parts of one:
a number for each row of each seed of each system, the larger the better unless said otherwise. What
comes back names its method (`Estimate`, `Ranks`, `Belief`).
"""

from __future__ import annotations

from multigraft.evaluation.statistics.aggregates import (
    interquartile_mean,
    probability_of_improvement,
)
from multigraft.evaluation.statistics.averages import Block, average_difference, average_of
from multigraft.evaluation.statistics.bayes import Belief, correlated_bayes, signed_rank_bayes
from multigraft.evaluation.statistics.bootstrap import (
    FEW,
    SHARED,
    Summary,
    interval_of,
    intervals,
    measured,
    metric_draws,
    paired_bootstrap,
    percentile,
    quantiles,
    resamples,
    usual_count,
)
from multigraft.evaluation.statistics.estimate import Estimate
from multigraft.evaluation.statistics.families import holm
from multigraft.evaluation.statistics.means import (
    hierarchical_bootstrap,
    over_both,
    over_rows,
    over_seeds,
    student,
)
from multigraft.evaluation.statistics.paired import (
    corrected_t,
    mcnemar,
    paired_difference,
    permutation_test,
)
from multigraft.evaluation.statistics.power import needed, power, smallest_difference
from multigraft.evaluation.statistics.ranks import Ranks, friedman
from multigraft.evaluation.statistics.systems import (
    Standing,
    System,
    compare_systems,
    difference_of,
    estimate_of,
    system_of,
)

__all__ = [
    "FEW",
    "SHARED",
    "Belief",
    "Block",
    "Estimate",
    "Ranks",
    "Standing",
    "Summary",
    "System",
    "average_difference",
    "average_of",
    "compare_systems",
    "corrected_t",
    "correlated_bayes",
    "difference_of",
    "estimate_of",
    "friedman",
    "hierarchical_bootstrap",
    "holm",
    "interquartile_mean",
    "interval_of",
    "intervals",
    "mcnemar",
    "measured",
    "metric_draws",
    "needed",
    "over_both",
    "over_rows",
    "over_seeds",
    "paired_bootstrap",
    "paired_difference",
    "percentile",
    "permutation_test",
    "power",
    "probability_of_improvement",
    "quantiles",
    "resamples",
    "signed_rank_bayes",
    "smallest_difference",
    "student",
    "system_of",
    "usual_count",
]
