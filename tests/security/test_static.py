"""No line of ours runs what it reads: calls that could are not in the tree at all."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "core").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])
BUILTINS = {"eval", "exec", "compile", "__import__"}
MODULES = {
    "dill",
    "joblib",
    "cloudpickle",
    "shelve",
    "marshal",
    "pty",
    "requests",
    "httpx",
    "urllib3",
}
REPORTING = {"onnxruntime"}
"""Libraries that report by themselves once they are imported: opened by
multigraft/system/libraries.py alone."""
PARTS = {"urllib.request", "http.client", "xmlrpc.client", "ftplib", "smtplib"}
SERVING = "runtime/serving/"
"""The one room that opens a socket: to be called on, never to call."""
OS = {
    "system",
    "popen",
    "execv",
    "execve",
    "execvp",
    "spawnv",
    "spawnl",
    "posix_spawn",
    "startfile",
}
CAUGHT = "UnpicklingError"
"""The one name of pickle's that may be used: an error to be caught."""
YAML = {"load", "load_all", "full_load", "unsafe_load"}


def findings(source: str, name: str = "x.py") -> list[str]:
    """The forbidden calls in a source, each with its line."""
    return [f"{name}:{node.lineno}: {what}" for node, what in _findings(ast.parse(source), name)]


def _findings(tree: ast.AST, name: str) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((node, what) for what in _imports(node))
        elif isinstance(node, ast.Attribute) and _owner(node) == "pickle" and node.attr != CAUGHT:
            yield node, f"pickle.{node.attr}"
        elif isinstance(node, ast.Call):
            yield from ((node, what) for what in _call(node, name))


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    names = (
        [node.module or ""]
        if isinstance(node, ast.ImportFrom)
        else [each.name for each in node.names]
    )
    yield from (
        name for name in names if name.partition(".")[0] in MODULES | REPORTING or name in PARTS
    )
    if isinstance(node, ast.ImportFrom) and node.module == "pickle":
        yield from (f"pickle.{each.name}" for each in node.names if each.name != CAUGHT)


def _call(node: ast.Call, file: str) -> Iterator[str]:
    owner, called = _owner(node.func), _called(node.func)
    keywords = {each.arg: each.value for each in node.keywords if each.arg}
    if isinstance(node.func, ast.Name) and called in BUILTINS:
        yield called
    if (owner == "os" and called in OS) or (owner == "tempfile" and called == "mktemp"):
        yield f"{owner}.{called}"
    if owner == "socket" and (
        called == "create_connection" or (called == "socket" and SERVING not in file)
    ):
        yield f"socket.{called}"
    if owner == "yaml" and (
        called in YAML or (called == "safe_load" and not file.endswith("yamltext.py"))
    ):
        yield f"yaml.{called}: read it with multigraft.system.yaml_text"
    if owner == "torch" and (
        called == "save" or (called == "load" and not _is(keywords.get("weights_only"), True))
    ):
        yield f"torch.{called}"
    if (
        called == "load_state_dict"
        and isinstance(node.func, ast.Name)
        and not _is(keywords.get("weights_only"), True)
    ):
        yield "load_state_dict of a file"
    if (
        called == "from_pretrained"
        and (owner or "").startswith("Auto")
        and "trust_remote_code" not in keywords
    ):
        yield f"{owner}.from_pretrained without trust_remote_code=False"
    for argument in ("shell", "allow_pickle", "trust_remote_code"):
        if argument in keywords and not _is(keywords[argument], False):
            yield argument
    if "weights_only" in keywords and not _is(keywords["weights_only"], True):
        yield "weights_only"


def _owner(node: ast.expr) -> str | None:
    """``torch`` of ``torch.load``."""
    return (
        node.value.id
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        else None
    )


def _called(node: ast.expr) -> str:
    return (
        node.attr
        if isinstance(node, ast.Attribute)
        else node.id
        if isinstance(node, ast.Name)
        else ""
    )


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_nothing_that_is_read_can_run(file: Path) -> None:
    assert not findings(file.read_text(encoding="utf-8"), file.relative_to(ROOT).as_posix())


@pytest.mark.parametrize(
    "source",
    [
        *(
            "import onnxruntime",
            "from onnxruntime.quantization import QuantType",
            "import dill",
            "from pickle import loads",
            "import pickle\npickle.load(f)",
            "eval('1')",
            "exec(x)",
        ),
        *(
            "import os\nos.system('x')",
            "subprocess.run(x, shell=True)",
            "subprocess.run(x, shell=chosen)",
        ),
        *(
            "yaml.load(x)",
            "yaml.safe_load(x)",
            "torch.load(p)",
            "torch.load(p, weights_only=False)",
            "torch.save(x, p)",
        ),
        *(
            "np.load(p, allow_pickle=True)",
            "AutoModel.from_pretrained(x)",
            "f(trust_remote_code=True)",
        ),
        *(
            "load_state_dict(path)",
            "socket.socket()",
            "from urllib.request import urlopen",
            "tempfile.mktemp()",
        ),
        *("__import__(name)", "compile(x, y, 'exec')"),
    ],
)
def test_the_search_finds_what_it_is_for(source: str) -> None:
    assert findings(source)


@pytest.mark.parametrize(
    "source",
    [
        *(
            "from pickle import UnpicklingError",
            "import pickle\ntry: f()\nexcept pickle.UnpicklingError: pass",
        ),
        *(
            "model.eval()",
            "module.load_state_dict(state)",
            "torch.load(p, weights_only=True)",
            "re.compile(x)",
        ),
        *(
            "AutoModel.from_pretrained(x, trust_remote_code=False)",
            "subprocess.run([x])",
            "torch.compile(model)",
        ),
    ],
)
def test_the_search_leaves_the_harmless_alone(source: str) -> None:
    assert not findings(source)


def test_the_security_page_names_tests_that_are_there() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    for folder, name in re.findall(r"(tests/[\w/]*?/)?\b(test_\w+\.py)", page):
        assert list(ROOT.glob(f"{folder or 'tests/**/'}{name}")), name
