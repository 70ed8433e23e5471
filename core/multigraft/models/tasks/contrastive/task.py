"""The record of contrastive learning; importing it imports no torch."""

from __future__ import annotations

from multigraft.contracts.lazy import Lazy
from multigraft.contracts.records import Option, Task

INFO_NCE, SIGLIP = "infonce", "siglip"


def contrastive_task(name: str) -> Task:
    """A task that learns two branches of any modalities as a dual encoder."""
    return Task(
        name=name,
        stage="finetune",
        modalities=(),
        several=True,
        dual=True,
        objective=Lazy("multigraft.models.tasks.contrastive.objective:Contrastive"),
        row_objective=Lazy("multigraft.models.tasks.contrastive.pair_rows:PairRows"),
        answers="embeddings",
        epochs=10.0,
        options={
            "loss": Option(
                default=None,
                types=(str,),
                choices=(INFO_NCE, SIGLIP),
                help="infonce: each value is to find its own among the batch's, both ways, as in "
                "CLIP; siglip: each pair is told to belong together or not; unset: as the weights "
                "of a dual encoder were trained, else infonce",
            ),
            "width": Option(
                default=None,
                types=(int,),
                low=1,
                high=65536,
                help="of the embeddings, which both branches share; unset: as the weights of a "
                "dual encoder have it, else 512",
            ),
            "temperature": Option(
                default=None,
                types=(float, int),
                low=0.01,
                high=100,
                help="cosines are divided by it at first, and then by what is learned, of at least "
                "0.01; unset: as the weights of a dual encoder have it, else 0.07, or 0.1 of "
                "siglip, as their papers have it",
            ),
        },
    )
