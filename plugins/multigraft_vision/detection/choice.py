"""Which head detects: the backbone's own, or one on its pyramid."""

from __future__ import annotations

from multigraft import Brief
from multigraft.errors import RecipeError
from multigraft_vision.detection.objective import ObjectDetection
from multigraft_vision.detection.task import OBJECT_DETECTION


def object_detection(brief: Brief) -> ObjectDetection:
    """The objective for a run's backbone. Raises RecipeError for options of a head that it does not
    get."""
    if not hasattr(brief.backbone, "detection_head"):
        return ObjectDetection(brief)
    from multigraft_vision.detr.objective import SetDetection

    options = OBJECT_DETECTION.options
    if given := [name for name in options if brief.options[name] != options[name].default]:
        raise RecipeError(
            [
                f"task.{given[0]}: shapes a head on a pyramid, and the backbone brings its own; "
                "leave it out"
            ]
        )
    return SetDetection(brief)
