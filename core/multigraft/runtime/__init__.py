"""What a deployer installs: answers from a bundle, without torch."""

from multigraft.runtime.gallery import Gallery
from multigraft.runtime.loading import load
from multigraft.runtime.predictor import Predictor

__all__ = ["Gallery", "Predictor", "load"]
