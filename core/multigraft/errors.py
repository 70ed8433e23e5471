"""Errors, classed by what the person has to do about them."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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


class ColumnsError(RowError):
    """A row without a column that its task needs.

    ``names`` shows how ours may be called in a file, as ``{"source": "en"}``; what to write for
    them depends on where the row comes from.
    """

    def __init__(self, lack: str, names: Mapping[str, str], *, column: str | None = None) -> None:
        pairs = ", ".join(f"{ours}: {theirs}" for ours, theirs in names.items())
        super().__init__(f"{lack}: data.columns maps names, as {{{pairs}}}", column=column)
        self.lack, self.names = lack, names

    def said(self, naming: Callable[[Mapping[str, str]], str]) -> str:
        """The same with what to write in the words of ``naming``."""
        return f"{self.lack}: name it, as {naming(self.names)}"


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


class OutOfMemory(MultigraftError, MemoryError):
    """Memory that ran out, whatever was at work: the files that were open may well be whole."""


SAYS = re.compile(
    r"DefaultCPUAllocator|can(?:no|')t allocate memory|out of memory|bad_alloc|bad allocation"
    r"|failed to allocate memory|unable to mmap|failed to map segment|can't start new thread"
    r"|ThreadPoolBuildError"
    r"|^could not (?:create|execute) a (?:primitive|memory(?: object)?)$",
    re.IGNORECASE | re.MULTILINE,
)
"""What libraries say where an allocation fails, or a thread finds no room for its stack.

oneDNN says no more than what it could not make; what it cannot compute is a "primitive descriptor".
"""
LOST = "error return without exception set"
"""What Python says where it found no room for the MemoryError either, as in an import."""
NATIVE = ("OutOfMemoryError", "PanicException", "Fail", "RuntimeException")
"""Errors of torch, Rust and onnxruntime by their names, which need none of them.

A panic is no Exception, and onnxruntime's are no RuntimeError.
"""


def out_of_memory(error: BaseException) -> bool:
    """Tell a failed allocation, on an accelerator or on the CPU, from other errors.

    The one place that decides it, for each of torch, oneDNN, C++, Rust, onnxruntime and the loader.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == NATIVE[0]:
        return True
    behind = _behind(error)
    if behind is not None and out_of_memory(behind):
        return True
    if isinstance(error, SystemError):
        return str(error) == LOST
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    speaks = isinstance(error, RuntimeError) or type(error).__name__ in NATIVE
    return (speaks or _loads(error)) and SAYS.search(str(error)) is not None


def _behind(error: BaseException) -> BaseException | None:
    """The error that one stands for: what an error of ours was raised from, or the first try of a
    library that then looked for another file to load.

    A row's error is the row's: a header that claims a terabyte ends in one too.
    """
    if isinstance(error, MultigraftError):
        return None if isinstance(error, RowError) else error.__cause__
    return error.__context__ if _loads(error) else None


def _loads(error: BaseException) -> bool:
    """Tell what an import raises, or the loader of a library: an OSError without a number."""
    return isinstance(error, ImportError) or (isinstance(error, OSError) and error.errno is None)


def memory_told(error: BaseException) -> str:
    """A line about memory that ran out, with as little of it as a line takes."""
    if isinstance(error, OutOfMemory):
        return str(error)
    lines = str(error).splitlines()  # numpy explains for a page before it quotes the loader
    said = next((line.strip() for line in lines if SAYS.search(line)), first_line(error))
    return f"memory ran out ({said[:300]}); let this process have more"


def as_ours(error: BaseException, kind: type[MultigraftError], what: str) -> MultigraftError:
    """What was raised about ``what``, as ``kind``, or as `OutOfMemory` where memory ran out.

    A RowError stays one, except for an import that found no room: no row can be at fault there.
    """
    if not out_of_memory(error):
        return kind(f"{what}: {first_line(error)}")
    importing = isinstance(error, ImportError | SystemError)
    told = RowError if issubclass(kind, RowError) and not importing else OutOfMemory
    return told(f"{what}: {memory_told(error)}")


def _hides_shortage(error: MultigraftError) -> bool:
    """Tell an error that calls something broken though it was memory that ran out."""
    return not isinstance(error, OutOfMemory) and out_of_memory(error)


@contextmanager
def refused_as(kind: type[MultigraftError], what: str) -> Iterator[None]:
    """Turn whatever a library raises about files from outside into ``kind``; ours pass as they are.

    For the places alone where a stranger's files are opened: libraries share no base for "this is
    broken". Memory that ran out meanwhile says nothing about a file: it becomes `OutOfMemory`.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, MultigraftError) and not _hides_shortage(error):
            raise
        raise as_ours(error, kind, what) from error


ANY = (Exception, SystemExit)
"""What others' code may raise: ``sys.exit`` is no Exception, and would end a command silently."""


def first_line(error: BaseException) -> str:
    """Shorten an error to the first line of what it says, and the next where that one announces it.

    >>> first_line(ValueError("in field 'a':\\n\\n  no number\\n  at all"))
    "in field 'a': no number"
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = (lines or [type(error).__name__])[0]
    said = f"{said} {lines[1]}" if said.endswith(":") and lines[1:] else said
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
    "tifffile": "tiff",
    "imagecodecs": "tiff",
    "openpyxl": "excel",
    "ftfy": "prepare",
    "py3langid": "prepare",
    "tensorboard": "track",
    "mlflow": "track",
    "sqlalchemy": "track",
    "alembic": "track",
    "optuna": "search",
    "ray": "ray",
}
"""Libraries that one extra brings; `TRAINING` ones come with each of text, vision and speech."""
TRAINING = {
    *("torch", "datasets", "pyarrow", "safetensors", "sklearn", "scipy"),
    *("peft", "psutil", "onnx", "onnxscript", "jinja2"),
}


def missing_dependency(error: ModuleNotFoundError) -> MissingDependency | None:
    """Name the extra to install where one of ours is missing; None for any other error."""
    library = (error.name or "").partition(".")[0]
    extra = EXTRAS.get(library, "all" if library in TRAINING else None)
    if extra is None:
        return None
    return MissingDependency(f'{library} is not installed  ->  pip install "multigraft[{extra}]"')


def import_failure(error: BaseException) -> BaseException:
    """Say what a person can do about a module of ours that could not be imported.

    The extra to install, or more memory; ``error`` itself where it is neither.
    """
    if isinstance(error, ModuleNotFoundError):
        return missing_dependency(error) or error
    return OutOfMemory(memory_told(error)) if out_of_memory(error) else error


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
