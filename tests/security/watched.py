"""What a process and all it starts ask of the system: whom they try to reach, and which files they
make.

Native code is seen too, which no patch of Python's ``socket`` sees. The first of these that this
machine has is used: `strace`; a library of a few functions that a C compiler makes, and that is
loaded before libc (``LD_PRELOAD``). Where there is neither, `watchers` is empty, and only what lies
in watched folders is seen.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SHIM = Path(__file__).with_name("shim.c")
CALLS = (
    "connect,sendto,sendmsg,sendmmsg,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,"
    "link,linkat,symlink,symlinkat,mknod,mknodat"
)
CI = frozenset(
    "CI GITHUB_ACTIONS GITLAB_CI JENKINS_URL TF_BUILD TRAVIS BUILDKITE PYTEST_CURRENT_TEST".split()
)
"""Variables that have some libraries report nothing, so that tests would see what users do not."""


@dataclass(frozen=True)
class Seen:
    """What came of a command that was watched."""

    reached: tuple[str, ...]
    """Addresses and names outside this process's own sockets; loopback too, to be judged by who
    asks."""
    made: tuple[Path, ...]
    """Files, folders and links, also those that are gone again."""

    def outside(self, *folders: Path) -> list[Path]:
        """What was made elsewhere than in these folders, and in those of devices and processes."""
        roots = [*(folder.resolve() for folder in folders), Path("/dev"), Path("/proc")]
        return [path for path in self.made if not any(path.is_relative_to(root) for root in roots)]

    def strangers(self) -> list[str]:
        """Who was asked for other than this machine; a resolver on it asks others."""
        own = ("127.", "::1", "::ffff:127.", "localhost")
        return [
            where
            for where in self.reached
            if not where.startswith(own) or where.endswith(" port 53")
        ]


Watcher = Callable[[Path], tuple[Sequence[str], Mapping[str, str]]]
"""Where to note -> the words before a command and the variables for it."""


def environment(home: Path, **more: str) -> dict[str, str]:
    """The variables of a person whose folders are below ``home``, and who has switched nothing
    off."""
    ours = (
        "MULTIGRAFT",
        "XDG_",
        "HF_",
        "MLFLOW_",
        "ORT_",
        "TORCHINDUCTOR_",
        "DO_NOT_TRACK",
        "TRANSFORMERS_",
    )
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(ours) and name not in CI
    }
    folders = {"HOME": home, "TMPDIR": home / "tmp"}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    places = {name: str(folder) for name, folder in folders.items()}
    return {**kept, **places, "PYTHONDONTWRITEBYTECODE": "1", **more}


def watched(
    command: Sequence[str], *, watcher: str, env: Mapping[str, str], cwd: Path
) -> tuple[subprocess.CompletedProcess[str], Seen]:
    """Run a command to its end; what it said, and what was seen."""
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes"
        before, variables = WATCHERS[watcher](notes)
        done = subprocess.run(
            [*before, *command],
            env={**env, **variables},
            cwd=cwd,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        text = notes.read_text(errors="replace") if notes.exists() else ""
    return done, (_of_strace if watcher == "strace" else _of_shim)(text)


def _strace(notes: Path) -> tuple[Sequence[str], Mapping[str, str]]:
    options = [
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-y",
        "-s",
        "300",
        "-e",
        "signal=none",
        "-e",
        f"trace={CALLS}",
        "-o",
        str(notes),
    ]
    return ["strace", *options], {}


def _preload(notes: Path) -> tuple[Sequence[str], Mapping[str, str]]:
    library = notes.with_name("shim.so")
    compiler = shutil.which("cc") or shutil.which("gcc") or "cc"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SHIM), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return [], {"LD_PRELOAD": str(library), "WATCHED_NOTES": str(notes)}


WATCHERS: Mapping[str, Watcher] = {"strace": _strace, "preload": _preload}


@functools.cache
def watchers() -> tuple[str, ...]:
    """Those that work here: a container may forbid tracing, and a machine may have no compiler."""
    return tuple(name for name in WATCHERS if _works(name))


def _works(name: str) -> bool:
    try:
        done, _ = watched(["true"], watcher=name, env=dict(os.environ), cwd=Path.cwd())
    except (OSError, subprocess.CalledProcessError):
        return False
    return done.returncode == 0


def _of_shim(text: str) -> Seen:
    lines = [line.partition(" ") for line in text.splitlines()]
    reached = [what for kind, _, what in lines if kind == "reach"]
    made = [Path(os.path.normpath(what)) for kind, _, what in lines if kind == "make"]
    return Seen(tuple(reached), tuple(made))


def _of_strace(text: str) -> Seen:
    calls = list(_calls(text))
    reached = [where for call in calls for where in _addresses(call)]
    made = [path for call in calls if "= -1 EEXIST" not in call for path in _paths(call)]
    return Seen(tuple(reached), tuple(made))


def _calls(text: str) -> Iterator[str]:
    """The calls, those that others interrupted put together again."""
    begun: dict[str, str] = {}
    for line in text.splitlines():
        process, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            begun[process] = call.removesuffix("<unfinished ...>")
        elif resumed := re.match(r"<\.\.\. \w+ resumed>", call):
            yield begun.pop(process, "") + call[resumed.end() :]
        else:
            yield call
    yield from begun.values()


def _addresses(call: str) -> Iterator[str]:
    if re.match(r"(connect|send(to|msg|mmsg))\(", call):
        if "systemd.Resolve" in call or "resolve/io.systemd" in call:
            yield "systemd's resolver"
        for host in re.finditer(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"', call):
            port = re.search(r"port=htons\((\d+)\)", call)
            yield f"{host[1] or host[2]} port {port[1] if port else '?'}"


PATH = re.compile(r'(?:AT_FDCWD|\d+)?(?:<([^>]*)>)?(?:, )?"((?:[^"\\]|\\.)*)"')


def _paths(call: str) -> Iterator[Path]:
    """The files that a call makes: the target of a rename or a link, else its only path."""
    name = call.partition("(")[0]
    if name in ("open", "openat") and "O_CREAT" not in call and "O_TMPFILE" not in call:
        return
    if name not in CALLS.split(",")[4:]:
        return
    found = [(where[1], where[2]) for where in PATH.finditer(call.partition("(")[2])]
    if not found:
        return
    folder, path = found[-1]
    yield Path(os.path.normpath(Path(folder or "/") / path))
