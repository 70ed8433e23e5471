"""The recipe of a run: one frozen model, read from YAML or JSON, all its mistakes told at once."""

from multigraft.recipe.choices import AugmentChoice, BackboneChoice, Choice, Section
from multigraft.recipe.data_fields import Data, Leakage, Split
from multigraft.recipe.fields import Evaluation, Export, Recipe, Training, check, schema
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
