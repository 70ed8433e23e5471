"""From a trained run to a bundle: graph, parity, quantisation, gate, card."""

from multigraft.export.pipeline import export_bundle

__all__ = ["export_bundle"]
