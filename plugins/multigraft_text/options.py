"""Options that several records of text have; importing them imports no torch."""

from __future__ import annotations

from multigraft import Option

POOLINGS = ("mean", "cls", "max", "lasttoken")
"""Of tokens to one vector, by sentence-transformers' names."""
OWN = "own"

NOT_POOLED = {
    "backbone.pooling": "it reads each token by itself, and nothing is pooled: leave it out"
}
"""`Task.refused` of tasks that do not read a text as one vector."""

DROPOUT = Option(
    default=0.1, low=0, high=0.9, help="inside the network; unset: as the weights have it"
)
POOLING = Option(
    default=None,
    types=(str,),
    choices=(*POOLINGS, OWN),
    help="how the tokens of a text become one vector; own: as transformers' classifier of the "
    "type does it, a BERT by its pooler; unset: as the folder of the weights says (1_Pooling), "
    "mean for a BERT without a trained pooler, else own",
)
