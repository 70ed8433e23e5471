"""Detectors of transformers (RT-DETR and its successors) as backbones that bring their own
head."""
