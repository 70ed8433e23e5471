"""What is missing is named with the extra that brings it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import multigraft as mg
from multigraft.errors import MissingDependency, did_you_mean, missing_dependency


@pytest.mark.parametrize(
    ("library", "extra"),
    [
        ("timm.models", "vision"),
        ("transformers", "text"),
        ("torch", "all"),
        ("torchaudio", "speech"),
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
