"""The task of object detection as it is registered."""

from __future__ import annotations

from multigraft import Lazy, Option, Task

OBJECT_DETECTION = Task(
    name="object-detection",
    stage="finetune",
    modalities=("image",),
    columns=("objects",),
    stratify="objects",
    labels_in=Lazy("multigraft_vision.detection.rows:object_labels"),
    reader={"places": True},
    levels=True,
    rows=Lazy("multigraft_vision.detection.rows:object_rows"),
    targets=Lazy("multigraft_vision.detection.rows:object_spec"),
    samples=Lazy("multigraft_vision.detection.rows:object_samples"),
    objective=Lazy("multigraft_vision.detection.choice:object_detection"),
    row_objective=Lazy("multigraft_vision.detection.object_rows:ObjectRows"),
    answers="detection",
    learning_rate=1e-3,
    epochs=24,
    batch_size=16,
    options={
        "width": Option(
            default=128,
            choices=(32, 64, 96, 128, 192, 256),
            help="channels of the neck and the towers",
        ),
        "depth": Option(default=2, low=1, high=8, help="convolutions in each tower"),
        "finest": Option(
            default=8,
            choices=(4, 8, 16, 32),
            help="the stride of the finest level; 4 for objects of few pixels",
        ),
    },
)
