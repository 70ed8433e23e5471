"""Choosing: which backbone fits the rows, and how different two domains are, before training."""

from multigraft.choosing.distance import DomainDistance, domain_distance
from multigraft.choosing.ranking import BackboneRanking, ScoredBackbone
from multigraft.choosing.scoring import choose

__all__ = ["BackboneRanking", "DomainDistance", "ScoredBackbone", "choose", "domain_distance"]
