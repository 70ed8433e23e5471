"""Write peers.json: what statsmodels, baycomp and rliable say to each case.

They are no dependency: ``pip install --no-deps --target FOLDER statsmodels patsy pandas baycomp
rliable arch``, then ``PYTHONPATH=FOLDER:core:tests python -m evaluation.statistics.make_peers``.
"""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import baycomp
from rliable import metrics
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower, TTestPower

from evaluation.statistics import cases

PEERS = Path(__file__).with_name("peers.json")
LIBRARIES = ("statsmodels", "baycomp", "rliable")


def answers(number: int) -> dict[str, Any]:
    """What the peers say to one case."""
    first, other = cases.truths(number)
    table = [[int(((first == a) & (other == b)).sum()) for b in (1, 0)] for a in (1, 0)]
    gaps = cases.splits(number)
    one, two = cases.trainings(number)
    plan = cases.planned(number)
    size = plan["difference"] / plan["deviation"]
    return {
        "holm": multipletests(cases.p_values(number), method="holm")[1].tolist(),
        "mcnemar_exact": float(mcnemar(table, exact=True).pvalue),
        "mcnemar_chi2": float(mcnemar(table, exact=False, correction=True).pvalue),
        "correlated_bayes": list(
            map(float, baycomp.CorrelatedTTest(0 * gaps, gaps, rope=0.005, runs=10).probs())
        ),
        "interquartile_mean": float(metrics.aggregate_iqm(one)),
        "improvement": float(metrics.probability_of_improvement(one, two)),
        "power_paired": float(TTestPower().power(size, plan["n"], 0.05)),
        "power_seeds": float(TTestIndPower().power(size, plan["n"], 0.05)),
        "signed_rank": list(
            map(
                float,
                baycomp.SignedRankTest(
                    0 * gaps[:12], gaps[:12], rope=0.005, nsamples=2000, random_state=number
                ).probs(),
            )
        ),
    }


if __name__ == "__main__":
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    found = {"versions": versions, "cases": [answers(number) for number in range(cases.CASES)]}
    shorter = json.loads(json.dumps(found), parse_float=lambda text: float(f"{float(text):.12g}"))
    PEERS.write_text(json.dumps(shorter, separators=(",", ":")) + "\n", encoding="utf-8")
