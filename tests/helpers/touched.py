"""Print the tests that a change touches: those named after the changed modules, else their room's.

``python tests/helpers/touched.py`` looks at what is not committed yet, or where all is, at the last
commit.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
CORE, PACKAGES = PurePosixPath("core/multigraft"), PurePosixPath("plugins")


def changed() -> list[str]:
    """The files that differ from the last commit, new ones included; else those it changed."""
    open_work = _git("status", "--porcelain", "--untracked-files=all", "--no-renames")
    if open_work:
        return [line[3:] for line in open_work]
    return _git("diff", "--name-only", "HEAD~1", "HEAD")


def touched_by(files: Iterable[str], root: Path = ROOT) -> list[str]:
    """The test files and folders for changed files, each once, those inside another left out."""
    found = {path for file in files for path in _touched(PurePosixPath(file), root)}
    return sorted(str(path) for path in found if not found & set(path.parents))


def _touched(file: PurePosixPath, root: Path) -> Iterator[PurePosixPath]:
    if file.suffix == ".md" or file.parts[0] == "examples":
        yield PurePosixPath("tests/docs")
    elif file.parts[0] == "tests" and file.name.startswith("test_"):
        yield from [file] if (root / file).exists() else []
    elif file.is_relative_to(CORE):
        yield from _of_module(file.relative_to(CORE), root)
    elif file.is_relative_to(PACKAGES) and file.parts[1].startswith("multigraft_"):
        yield PurePosixPath("tests", file.parts[1].removeprefix("multigraft_"))
    elif file.parts[0] == "benchmarks":
        yield PurePosixPath("tests/benchmarks")


def _of_module(module: PurePosixPath, root: Path) -> Iterator[PurePosixPath]:
    room = PurePosixPath("tests", *module.parts[:1])
    named = sorted((root / "tests").rglob(f"test_{module.stem}.py"))
    own = [PurePosixPath(path.relative_to(root).as_posix()) for path in named]
    inside = [path for path in own if len(module.parts) == 1 or path.is_relative_to(room)]
    if inside:
        yield from inside
    elif (root / room).is_dir():
        yield room


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


if __name__ == "__main__":
    print("\n".join(touched_by(changed())))
