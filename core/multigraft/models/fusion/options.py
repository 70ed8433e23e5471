"""Options of tasks that learn from several branches; importing them imports no torch."""

from __future__ import annotations

from collections.abc import Mapping

from multigraft.contracts.records import Option

CONCAT, GATED, CROSS = "concat", "gated", "cross-attention"
HIDES = "modality_dropout"
FUSION_OPTIONS: Mapping[str, Option] = {
    "fusion": Option(
        default=CONCAT,
        choices=(CONCAT, GATED, CROSS),
        help="of several branches: their vectors side by side, their sum with learned weights for "
        "each row, or what each asks of all positions of all",
    ),
    HIDES: Option(
        default=0.0,
        low=0.0,
        high=0.9,
        help="of several branches: the probability that one which a row has is hidden in training; "
        "one is always left",
    ),
}
