"""The answers that core brings, by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from multigraft.contracts.answers import Answers, Named
from multigraft.contracts.records import Task
from multigraft.contracts.types import Spec
from multigraft.errors import BundleError
from multigraft.runtime.answers.classification import Classification
from multigraft.runtime.answers.detection import Detection
from multigraft.runtime.answers.embedding import Embedding
from multigraft.runtime.answers.embeddings import Embeddings
from multigraft.runtime.answers.extraction import Extraction
from multigraft.runtime.answers.multilabel import MultiLabel
from multigraft.runtime.answers.outputs import Outputs
from multigraft.runtime.answers.regression import Regression
from multigraft.runtime.answers.segmentation import Segmentation
from multigraft.runtime.answers.tagging import Tagging
from multigraft.runtime.answers.texts import Caption, Summary, Text, Translation
from multigraft.runtime.answers.transcription import Transcription
from multigraft.system.about import __version__

ANSWERS: Mapping[Named, Callable[[Spec], Answers]] = {
    "caption": Caption,
    "classification": Classification,
    "detection": Detection,
    "embedding": Embedding,
    "embeddings": Embeddings,
    "extraction": Extraction,
    "multilabel": MultiLabel,
    "outputs": Outputs,
    "regression": Regression,
    "segmentation": Segmentation,
    "summary": Summary,
    "tagging": Tagging,
    "text": Text,
    "transcription": Transcription,
    "translation": Translation,
}


def name_of(task: Task, served: Collection[str]) -> str | None:
    """The name of a task's answers; None where they are its plugin's own.

    Of a task that does not say, they are the embedding that its graph gives, or else all outputs.
    """
    if task.answers is None:
        return "embedding" if "embedding" in served else "outputs"
    return task.answers if isinstance(task.answers, str) else None


def make_answers(task: Task, targets: Spec, served: Collection[str] = ()) -> Answers:
    """What makes answers for a task, bound to what its targets are."""
    name = name_of(task, served)
    if name is None and callable(task.answers):
        return task.answers(targets)
    return named_answers(str(name), targets)


def named_answers(name: str, targets: Spec) -> Answers:
    """Core's answers of that name. Raises BundleError where a later version brought them."""
    for known, make in ANSWERS.items():
        if known == name:
            return make(targets)
    raise BundleError(
        f"answers with {name!r}, which multigraft {__version__} does not know (it knows "
        f"{', '.join(ANSWERS)}); install the multigraft that exported it"
    )
