"""Errors, classed by what the person has to do about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches


class MultigraftError(Exception):
    """Anything this package raises on purpose; its text is meant for the person at the keyboard."""


class RecipeError(MultigraftError):
    """A recipe that cannot be run. Holds every problem found, not the first."""

    def __init__(self, problems: Sequence[str], *, source: str = "recipe") -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"{source}: {count} {'problem' if count == 1 else 'problems'}"
        super().__init__("\n".join([head, *(f"  {problem}" for problem in self.problems)]))


class UnknownName(MultigraftError):
    """A name that no plugin registered."""


class PluginError(MultigraftError):
    """A plugin that broke its contract, named with what it did."""


class MissingDependency(MultigraftError):
    """A library that is not installed, named with the extra that brings it."""


class RowError(MultigraftError):
    """One value that cannot be read. Raised without its place; the data room adds file and row.

    ``column`` names the cell where it is another than the raw value's.
    """

    def __init__(self, message: str, *, column: str | None = None) -> None:
        super().__init__(message)
        self.column = column


class DataError(MultigraftError):
    """Data that cannot be trained on as it is: its columns, its splits, or too many bad rows."""


class WeightsError(MultigraftError):
    """Weights that are missing, unsafe to open, or of another architecture."""


class RunError(MultigraftError):
    """A run folder that cannot be opened, continued or exported."""


class ExportError(MultigraftError):
    """A graph that could not be made, or that does not answer as the model does."""


class BundleError(MultigraftError):
    """A bundle that is incomplete, changed, or asks for what is not here."""


class GenerationError(MultigraftError):
    """A text that cannot be written as asked: a wrong setting, or a prompt that leaves no room."""


class PredictError(MultigraftError, ValueError):
    """A value that cannot be answered as asked: a wrong setting, or one of no use to the task."""


@contextmanager
def refused_as(kind: type[MultigraftError], what: str) -> Iterator[None]:
    """Turn whatever a library raises about files from outside into ``kind``; ours pass as they are.

    For the places alone where a stranger's files are opened: libraries share no base for "this is
    broken".
    """
    try:
        yield
    except MultigraftError:
        raise
    except Exception as error:
        raise kind(f"{what}: {first_line(error)}") from error


ANY = (Exception, SystemExit)
"""What others' code may raise: ``sys.exit`` is no Exception, and would end a command silently."""


def first_line(error: BaseException) -> str:
    """Shorten an error to the first line of what it says."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return said if len(said) <= 300 else said[:297] + "..."


class ServeError(MultigraftError):
    """A server that may not, or cannot, start as it was asked to."""


EXTRAS = {
    "transformers": "text",
    "timm": "vision",
    "torchvision": "vision",
    "torchaudio": "speech",
    "pycountry": "demo",
    "espeakng_loader": "demo",
    "fastapi": "serve",
    "starlette": "serve",
    "uvicorn": "serve",
    "python_multipart": "serve",
    "prometheus_client": "serve",
    "tensorboard": "track",
    "mlflow": "track",
    "sqlalchemy": "track",
    "alembic": "track",
}
"""Libraries that one extra brings; `TRAINING` ones come with each of text, vision and speech."""
TRAINING = {
    *("torch", "datasets", "pyarrow", "safetensors", "torchmetrics", "sklearn", "peft"),
    *("psutil", "onnx", "onnxscript", "jinja2"),
}


def missing_dependency(error: ModuleNotFoundError) -> MissingDependency | None:
    """Name the extra to install where one of ours is missing; None for any other error."""
    library = (error.name or "").partition(".")[0]
    extra = EXTRAS.get(library, "all" if library in TRAINING else None)
    if extra is None:
        return None
    return MissingDependency(f'{library} is not installed  ->  pip install "multigraft[{extra}]"')


MANY, LISTED, LONGEST = 500, 20, 80
"""Names compared at most; names listed; characters of one that are shown."""


def did_you_mean(found: str, allowed: Iterable[str]) -> str:
    """The end of an "unknown name" sentence: the nearest allowed name, or the allowed ones.

    >>> did_you_mean("bert-tny", ["bert-tiny", "gpt-tiny"])
    "did you mean 'bert-tiny'?"
    >>> did_you_mean("x", ["b", "a"])
    'allowed: a, b'
    """
    names = sorted(allowed)
    near = get_close_matches(found[:LONGEST], _comparable(found, names), n=1, cutoff=0.7)
    if near:
        return f"did you mean {shown(near[0])}?"
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    listed = ", ".join(_cut(name) for name in names[:LISTED])
    return "allowed: " + (listed + more if names else "nothing is registered")


def _comparable(found: str, names: Sequence[str]) -> list[str]:
    """Names worth a comparison: of many, those that begin alike, nearest in length; no long one."""
    if len(names) > MANY:
        alike = [name for name in names if name[:2].casefold() == found[:2].casefold()]
        names = sorted(alike, key=lambda name: abs(len(name) - len(found)))[:MANY]
    return [name for name in names if len(name) <= LONGEST]


def shown(text: str) -> str:
    """A text in quotes, cut where it is longer than a message should be.

    >>> shown("a"), shown("7" * 5000)[-30:]
    ("'a'", "7777777...' (5,000 characters)")
    """
    return repr(text) if len(text) <= LONGEST else f"{_cut(text)!r} ({len(text):,} characters)"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."
