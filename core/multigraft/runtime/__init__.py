"""What a deployer installs: answers from a bundle, without torch."""

from multigraft.runtime.predictor import Predictor, load

__all__ = ["Predictor", "load"]
