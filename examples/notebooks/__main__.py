"""Make the notebooks from their scripts: ``python examples/notebooks``."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = sorted(path for path in HERE.glob("*.py") if path.name != Path(__file__).name)


def notebook_of(script: str) -> str:
    """The notebook of a script in the percent format, the same bytes each time."""
    import jupytext

    notebook = jupytext.reads(script, fmt="py:percent")
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    python = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": python, "language_info": {"name": "python"}}
    return jupytext.writes(notebook, fmt="ipynb") + "\n"


if __name__ == "__main__":
    for path in SCRIPTS:
        made = notebook_of(path.read_text(encoding="utf-8"))
        path.with_suffix(".ipynb").write_text(made, encoding="utf-8")
