"""The recipe of a run: one frozen model, read from YAML or JSON, with every mistake told at
once."""

from multigraft.recipe.choices import AugmentChoice, BackboneChoice, Choice, Section
from multigraft.recipe.fields import (
    Data,
    Evaluation,
    Export,
    Leakage,
    Recipe,
    Split,
    Training,
    check,
    schema,
)
from multigraft.recipe.text import assign, read_mapping

__all__ = [
    "AugmentChoice",
    "BackboneChoice",
    "Choice",
    "Data",
    "Evaluation",
    "Export",
    "Leakage",
    "Recipe",
    "Section",
    "Split",
    "Training",
    "assign",
    "check",
    "read_mapping",
    "schema",
]
