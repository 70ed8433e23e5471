"""Annotations of pictures as rows: COCO, Pascal VOC and YOLO files. Torch-free."""
