"""What is missing is named with the extra that brings it."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

import multigraft as mg
from multigraft.errors import (
    BundleError,
    DataError,
    MissingDependency,
    MultigraftError,
    OutOfMemory,
    RowError,
    RunError,
    WeightsError,
    did_you_mean,
    import_failure,
    missing_dependency,
    out_of_memory,
    refused_as,
)


@pytest.mark.parametrize(
    ("library", "extra"),
    [
        ("timm.models", "vision"),
        ("transformers", "text"),
        ("torch", "all"),
        ("torchaudio", "speech"),
        ("imagecodecs", "tiff"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(library: str, extra: str) -> None:
    error = missing_dependency(ModuleNotFoundError(name=library))
    assert (
        str(error) == f"{library.split('.', maxsplit=1)[0]} is not installed  ->  "
        f'pip install "multigraft[{extra}]"'
    )


def test_other_import_errors_are_left_alone() -> None:
    assert missing_dependency(ModuleNotFoundError(name="my_package.typo")) is None
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        mg.Lazy("no_such_package.module:function")()


WITHOUT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {'torch', 'transformers', 'timm', 'torchaudio', 'torchvision'}:
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Refuse())
"""


@pytest.mark.parametrize("code", ["mg.finetune", "mg.Engine", "mg.Run"])
def test_a_deployers_installation_says_what_training_needs(code: str) -> None:
    script = (
        f"{WITHOUT}\nimport multigraft as mg\ntry:\n    {code}\nexcept mg.MultigraftError as "
        "e: print(e)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert 'pip install "multigraft[all]"' in done.stdout, done.stderr


def test_the_command_line_says_it_too() -> None:
    script = (
        f"{WITHOUT}\nsys.argv = ['multigraft', 'finetune', '--task', 'text-classification',"
        " '--backbone', 'bert-tiny', '--data', 'x.csv']\nfrom multigraft.cli import "
        "main\nsys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert 'torch is not installed  ->  pip install "multigraft[all]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_dependency_is_our_error() -> None:
    assert issubclass(MissingDependency, mg.MultigraftError)


def test_the_allowed_names_of_a_message_are_few_and_short() -> None:
    names = [f"class {number}" for number in range(4000)] + ["7" * 5000]
    assert did_you_mean("clas 77", names).startswith("did you mean 'class 7")
    assert did_you_mean("other", names).endswith(" and 3,981 more")
    assert len(did_you_mean("other", names)) < 1000
    assert len(did_you_mean("7" * 4999, ["7" * 5000])) < 200


class PanicException(BaseException):
    """As Rust's libraries raise it: a class of that name, and no Exception."""


class Fail(Exception):
    """As onnxruntime raises it: a class of that name, and no RuntimeError."""


class OutOfMemoryError(RuntimeError):
    """As torch raises it on an accelerator."""


def _caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def _then(first: Exception, error: Exception) -> Exception:
    """An error that was raised while another was handled."""
    error.__context__ = first
    return error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("could not create a primitive"),
        RuntimeError("could not execute a primitive"),
        RuntimeError("could not create a memory object"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("unable to mmap 4096 bytes from file <x>: Cannot allocate memory (12)"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ImportError("x.so: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
        OutOfMemoryError(),
        SystemError("error return without exception set"),
        Fail("[ONNXRuntimeError] : 1 : FAIL : Failed to allocate memory for requested buffer"),
        OutOfMemory("memory ran out"),
        OSError("cannot load library 'x.so': x.so: failed to map segment from shared object"),
        _then(OSError("x.so: cannot allocate memory"), OSError("cannot load library 'x'")),
        _then(ImportError("x.so: failed to map segment"), ImportError("no x here")),
        _caused(WeightsError("w: cannot be used"), MemoryError()),
        _caused(RunError("r"), _caused(WeightsError("w"), ImportError("failed to map segment"))),
        PanicException("ThreadPoolBuildError { kind: IOError(Os { code: 11, kind: WouldBlock }) }"),
    ],
    ids=repr,
)
def test_what_libraries_say_where_an_allocation_fails_is_recognised(error: BaseException) -> None:
    assert out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(
            "could not create a primitive descriptor for the LSTM forward propagation primitive."
        ),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        OSError(errno.ENOSPC, "No space left on device"),
        ImportError("No module named 'x'"),
        ValueError("out of memory"),
        SystemError("<built-in function f> returned NULL without setting an exception"),
        Fail("[ONNXRuntimeError] : 1 : FAIL : Gather: index out of bounds"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "out of memory.csv"),
        _then(MemoryError(), ValueError("odd")),
        _then(ImportError("no x here"), ImportError("no y either")),
        WeightsError("memory ran out"),
        _caused(WeightsError("w: cannot be used"), ValueError("out of memory")),
        _caused(RowError("claims a terabyte"), MemoryError()),
        PanicException("index out of bounds"),
    ],
    ids=str,
)
def test_what_is_not_known_to_be_computed_is_not_short_of_memory(error: BaseException) -> None:
    assert not out_of_memory(error)


UNMAPPED = ImportError("_x.so: failed to map segment from shared object")


@pytest.mark.parametrize("kind", [BundleError, DataError, RunError, WeightsError])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "MemoryError"),
        (UNMAPPED, str(UNMAPPED)),
        (SystemError("error return without exception set"), "error return without exception set"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "[Errno 12] Cannot allocate memory"),
        (ImportError(f"PLEASE READ THIS\n\n  {UNMAPPED}\n"), str(UNMAPPED)),
        (
            _caused(WeightsError("w: are not what they say"), RuntimeError("std::bad_alloc")),
            "w: are not what they say",
        ),
    ],
    ids=repr,
)
def test_memory_that_ran_out_beside_a_file_is_not_told_as_a_broken_file(
    kind: type[MultigraftError], error: Exception, said: str
) -> None:
    with pytest.raises(OutOfMemory) as caught, refused_as(kind, "a.csv: cannot be read"):
        raise error
    assert not isinstance(caught.value, kind)  # nobody takes it for damage and goes on without
    told = f"a.csv: cannot be read: memory ran out ({said}); let this process have more"
    assert str(caught.value) == told
    with pytest.raises(OutOfMemory) as again, refused_as(RunError, "a run: cannot be used"):
        raise caught.value
    assert again.value is caught.value


@pytest.mark.parametrize("error", [ValueError("odd"), SystemError("odd"), ImportError("odd")])
def test_what_is_broken_is_told_as_broken(error: Exception) -> None:
    with pytest.raises(DataError, match=r"^a\.csv: cannot be read: odd$"):  # noqa: SIM117
        with refused_as(DataError, "a.csv: cannot be read"):
            raise error


def test_a_row_may_ask_for_too_much_but_an_import_is_no_rows_fault() -> None:
    with pytest.raises(RowError, match=r"cannot be decoded: memory ran out \(MemoryError\)"):  # noqa: SIM117
        with refused_as(RowError, "cannot be decoded"):
            raise MemoryError
    with pytest.raises(OutOfMemory, match="failed to map segment"), refused_as(RowError, "row"):
        raise UNMAPPED


def test_a_module_that_found_no_room_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(name: str) -> None:
        raise UNMAPPED

    monkeypatch.delitem(vars(mg), "finetune", raising=False)
    monkeypatch.setattr("importlib.import_module", fails)
    with pytest.raises(OutOfMemory, match=r"memory ran out \(_x\.so: failed to map segment"):
        _ = mg.finetune
    other = ImportError("cannot import name 'x'")
    assert import_failure(other) is other
