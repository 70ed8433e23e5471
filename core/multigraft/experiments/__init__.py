"""Experiments: grids of runs over domains, backbones, strategies and seeds, and what they say."""

from multigraft.experiments.driver import experiment
from multigraft.experiments.opening import Experiment

__all__ = ["Experiment", "experiment"]
