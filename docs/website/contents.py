"""Table of contents of the site: which page stands in which part of the sidebar, and in which
order."""

from __future__ import annotations

START = "README"
PARTS: dict[str, tuple[str, ...]] = {
    "Start": (
        "docs/quickstart",
        "docs/notebooks",
        "docs/data",
        "docs/preparing",
        "docs/filters",
        "docs/backbones",
        "docs/strategies",
    ),
    "Tasks": (
        "docs/tasks/classification",
        "docs/tasks/regression",
        "docs/tasks/token-classification",
        "docs/tasks/question-answering",
        "docs/tasks/sentence-similarity",
        "docs/tasks/text-to-text",
        "docs/tasks/summarization",
        "docs/tasks/translation",
        "docs/tasks/object-detection",
        "docs/tasks/semantic-segmentation",
        "docs/tasks/automatic-speech-recognition",
        "docs/tasks/tables",
        "docs/tasks/contrastive",
        "docs/tasks/captioning",
        "docs/pretraining",
        "docs/branches",
        "docs/tokenizers",
    ),
    "Compare": ("docs/choosing", "docs/comparing", "docs/experiments"),
    "Run and ship": (
        "docs/predicting",
        "docs/explaining",
        "docs/serving",
        "docs/web",
        "docs/speed",
        "docs/reliability",
        "docs/security",
        "benchmarks/README",
    ),
    "Extend": (
        "plugins/README",
        "docs/plugins/tutorial",
        "docs/plugins/hooks",
        "docs/plugins/encoder-decoders",
        "docs/plugins/callbacks",
        "docs/plugins/testing",
        "docs/plugins/publishing",
        "examples/ssru_plugin/README",
    ),
    "Reference": (
        "reference/commands",
        "reference/recipe",
        "reference/catalogue",
        "reference/python",
        "docs/glossary",
        "CHANGELOG",
    ),
    "Internals": (
        "docs/internals/README",
        "docs/internals/top",
        "docs/internals/contracts",
        "docs/internals/system",
        "docs/internals/plugins",
        "docs/internals/recipe",
        "docs/internals/runtime",
        "docs/internals/models",
        "docs/internals/data",
        "docs/internals/evaluation",
        "docs/internals/runs",
        "docs/internals/training",
        "docs/internals/export",
        "docs/internals/testing",
        "docs/internals/choosing",
        "docs/internals/experiments",
        "docs/internals/cli",
        "CONTRIBUTING",
    ),
}
"""Pages by their path in the repository, without the ending; those in ``reference`` are made."""
MADE = "reference"
ELSEWHERE = ("docs/README", "plugins/template/")
"""Not on the site: the list that its sidebar replaces, and what new plugins begin with."""


def pages() -> tuple[str, ...]:
    """Every page of the site that lies in the repository."""
    listed = (page for part in PARTS.values() for page in part)
    return (START, *(page for page in listed if not page.startswith(f"{MADE}/")))


def sidebar() -> str:
    """The parts as hidden tables of contents, in MyST's words."""
    return "\n".join(
        "\n".join([f"```{{toctree}}\n:hidden:\n:caption: {part}\n", *listed, "```\n"])
        for part, listed in PARTS.items()
    )
