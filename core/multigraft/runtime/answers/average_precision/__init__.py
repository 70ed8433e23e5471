"""COCO's average precision (Lin et al. 2014), as pycocotools computes it: which of a picture's
detections found an object, and precision and recall of all pictures' together.

What is kept of a picture has one shape whatever it shows, so that a bootstrap over pictures draws
from it; what a resample needs of all pictures, their order by score, is computed once.
"""
