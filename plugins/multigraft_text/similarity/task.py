"""The record of sentence similarity; importing it imports no torch."""

from __future__ import annotations

from multigraft import Lazy, Option, Task
from multigraft_text.options import POOLINGS

SENTENCE_SIMILARITY = Task(
    name="sentence-similarity",
    stage="finetune",
    modalities=("text",),
    columns=("pair",),
    rows=Lazy("multigraft_text.similarity.pairs:pair_rows"),
    targets=Lazy("multigraft_text.similarity.pairs:pair_spec"),
    samples=Lazy("multigraft_text.similarity.pairs:pair_samples"),
    objective=Lazy("multigraft_text.similarity.objective:SentenceSimilarity"),
    row_objective=Lazy("multigraft_text.similarity.paired_rows:PairedRows"),
    answers="embedding",
    refused={
        "task.pooling": "how texts are pooled is said in one place: backbone: {pooling: ...}",
        "backbone.pooling=own": "embeddings are pooled of the tokens' vectors; allowed: "
        f"{', '.join(POOLINGS)}",
    },
    options={
        "temperature": Option(
            default=0.05,
            low=0.001,
            high=10,
            help="cosines are divided by it, of in-batch negatives and of cosent",
        ),
        "symmetric": Option(
            default=False, help="let each positive find its text too, where rows are pairs"
        ),
        "score_loss": Option(
            default="cosine",
            choices=("cosine", "cosent"),
            help="of pairs with scores; cosine: the squared error; cosent: the order of the pairs",
        ),
        "score_scale": Option(
            default=1.0, low=1e-9, high=1e9, help="scores are divided by it, as 5 of 0 to 5"
        ),
    },
)
