"""Model card: what a bundle is, what it was measured at, and how to call it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from multigraft.contracts.records import Modality
from multigraft.contracts.types import Arrays
from multigraft.export.card_programs import code_block, elsewhere, main_file
from multigraft.export.markdown import cell, code, prose, scalar
from multigraft.runtime.bundle import Bundle, Generation, Port, Precision
from multigraft.system.terminal import escaped_json

MANY = {
    "multilabel": "any",
    "detection": "objects",
    "segmentation": "pixels",
    "tagging": "spans",
}
"""What of labels is answered, where it is not one."""
_WRITING = (
    'print(predictor.generate("The", max_new_tokens=40)["text"])',
    'for piece in predictor.stream("The", method="sample", temperature=0.8, top_p=0.9, seed=1):',
    '    print(piece, end="", flush=True)',
)


def model_card(bundle: Bundle, modality: Modality, *, sample: Arrays) -> str:
    """The text of ``README.md``. ``sample`` is one batch whose shapes stand in the examples."""
    sections = [
        _front_matter(bundle),
        _what_it_is(bundle),
        _measured(bundle),
        _ports(bundle),
        _python(bundle, modality),
        *([] if bundle.branches else elsewhere(bundle, sample)),
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(bundle: Bundle) -> str:
    task, modality = scalar(bundle.task), scalar(bundle.modality)
    return f"---\nlibrary_name: onnx\npipeline_tag: {task}\ntags: [multigraft, {modality}]\n---"


def _what_it_is(bundle: Bundle) -> str:
    lines = [f"# {prose(bundle.task)} with {prose(bundle.backbone)}", ""]
    lines.append(
        f"An ONNX bundle for {prose(bundle.modality)}, exported by multigraft {bundle.multigraft}."
    )
    if bundle.generation is not None:
        does = "writes a text about a value" if bundle.generation.memory else "continues a text"
        lines += [f"It {does}, one token after another.", "", _writing(bundle.generation)]
    if labels := bundle.targets.get("labels"):
        many = MANY.get(str(bundle.named), "one")
        lines.append(f"It answers {many} of {len(labels)} labels: {_first(labels)}.")
    elif bundle.named == "regression":
        lines.append(f"It answers numbers: {_first(bundle.targets.get('names', ()))}.")
    if bundle.facts:
        lines += ["", "## How it was trained", "", *_listed(bundle.facts)]
    return "\n".join(lines)


def _first(names: Sequence[Any]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return ", ".join(code(str(name)) for name in names[:20]) + more


def _writing(generation: Generation) -> str:
    """How the decoder is called, for whoever calls it without multigraft."""
    fixed = any(port.growing is None for port in generation.cache)
    encoder = (
        " What it takes as `memory` the encoder's graph gives, once a value, from what the reader "
        f"gives; every text begins with {', '.join(map(str, generation.start))}."
        if generation.memory
        else ""
    )
    never = f" Never written: {', '.join(map(str, generation.suppress))}."
    return (
        f"Its graph is one step of a decoder of {generation.vocabulary} tokens that holds "
        f"{generation.max_length}: it reads a prompt with an empty past"
        f"{' (zeros where it does not grow)' if fixed else ''}, or one token with the "
        f"past that the step before gave as `present`. {code(str(generation.kept))} chooses the "
        "new tokens whose logits are given. Texts end at "
        f"{', '.join(map(str, generation.stop)) or 'no token of its own'}; {generation.pad} pads, "
        f"on the left.{encoder}{never if generation.suppress else ''}{_longer(generation)}"
    )


def _longer(generation: Generation) -> str:
    """What becomes of a value that is longer than the encoder's row."""
    if not generation.memory:
        return ""
    if generation.whole:
        return (
            " A value longer than the reader's limit is refused, since none was measured; "
            '`long="truncate"` writes about its beginning.'
        )
    return " Of a value longer than the reader's limit the beginning is read, and `cut` says so."


def _listed(facts: Mapping[str, Any]) -> list[str]:
    return [f"- {prose(name)}: {_value(value)}" for name, value in facts.items()]


def _value(value: Any) -> str:
    """A fact: a plain word or number as it is, anything else as code."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if re.fullmatch(r"[\w.-]+", text, re.ASCII) else code(text)


def _measured(bundle: Bundle) -> str:
    lines = [
        "## What it was measured at",
        "",
        "| precision | metric on held-out rows | points lost | other answers | size | "
        + ("one token | of 32 rows |" if bundle.generation else "one row | 32 rows |"),
        "|---|---|---|---|---|---|---|",
        *(_precision(name, entry) for name, entry in bundle.precisions.items()),
        "",
        f"{code(bundle.default)} is used unless another one is asked for. Times are of the "
        "exporting machine.",
        *(f"\n{prose(note)}" for note in bundle.notes),
        *(
            _floats(name, entry)
            for name, entry in bundle.precisions.items()
            if entry.accepted and entry.floats
        ),
    ]
    return "\n".join(lines)


def _precision(name: str, entry: Precision) -> str:
    name = prose(name)
    shown = name if entry.accepted else f"{name} (refused, not included)"
    metric = (
        "not measured" if entry.value is None else f"{prose(str(entry.metric))} {entry.value:.4f}"
    )
    if entry.low is not None and entry.high is not None:
        metric += f" [{entry.low:.4f}, {entry.high:.4f}]"
    changed = "-" if entry.changed is None else f"{entry.changed} of {entry.rows}"
    if entry.same_tokens is not None:
        changed += f" ({entry.same_tokens:.1%} of the tokens alike)"
    alone, batch = (_milliseconds(entry.latency.get(rows)) for rows in (1, 32))
    size = f"{entry.size / 1e6:.2f} MB"
    return f"| {shown} | {metric} | {_lost(entry)} | {changed} | {size} | {alone} | {batch} |"


def _lost(entry: Precision) -> str:
    if entry.lost is None:
        return "-"
    between = "" if entry.lost_low is None else f" [{entry.lost_low:.2f}, {entry.lost_high:.2f}]"
    return f"{entry.lost:.2f}{between}"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} ms"


def _floats(name: str, entry: Precision) -> str:
    return f"\nIn {prose(name)} these layers stay float: {', '.join(map(code, entry.floats))}."


def _ports(bundle: Bundle) -> str:
    rows = [("input", port) for port in bundle.inputs] + [
        ("output", port) for port in bundle.outputs
    ]
    return "\n".join(
        [
            "## The graphs" if _apart(bundle) else "## The graph",
            "",
            *_branches(bundle),
            "| | name | type | shape |",
            "|---|---|---|---|",
            *(
                f"| {side} | {cell(port.name)} | {prose(port.dtype)} | {_shape(port)} |"
                for side, port in rows
            ),
            "",
            "Every step after reading is inside. What reading does is `reader` in `bundle.json`:",
            "",
            "```json",
            escaped_json(json.dumps(bundle.reader, indent=2, ensure_ascii=False)).replace(
                "`", "\\u0060"
            ),
            "```",
        ]
    )


def _apart(bundle: Bundle) -> bool:
    """Whether each branch has a graph: where texts are written, one reads all of them."""
    return bool(bundle.branches) and bundle.generation is None


def _branches(bundle: Bundle) -> list[str]:
    """What each graph is, where there are several."""
    if not _apart(bundle):
        return []
    graphs = bundle.precisions[bundle.default].graphs
    return [
        *(
            f"- {code(graphs[name])} reads {code(name)} ({prose(branch.modality)}, "
            f"{prose(branch.backbone)}), its inputs called without {code(name + '.')} in front."
            for name, branch in bundle.branches.items()
        ),
        f"- {code(main_file(bundle))} reads what those give, zeros where a row lacks a branch, and "
        "answers.",
        "",
    ]


def _shape(port: Port) -> str:
    return prose("[" + ", ".join(str(size) for size in port.shape) + "]")


def _python(bundle: Bundle, modality: Modality) -> str:
    suffixes = modality.suffixes
    value: Any = _example(modality)
    if modality.branches:
        value = {name: _example(each) for name, each in modality.branches.items()}
    needed = [f"modality.{name}" for name in bundle.branches] or ["modality"]
    needed += ["task"] if bundle.named is None else []
    owners = [bundle.owners[part] for part in needed if part in bundle.owners]
    plugins = sorted({owner.distribution for owner in owners if owner.distribution})
    return code_block(
        "From Python (no torch needed)",
        "python",
        f"# pip install {' '.join(dict.fromkeys(['multigraft', *plugins]))}",
        "import multigraft as mg",
        "",
        'predictor = mg.load("bundle")',
        *(_written(bundle, suffixes) or [f"print(predictor.predict({value!r}))"]),
        *(f"# may be asked: {name}, to {_line(asks.help)}" for name, asks in bundle.asks.items()),
    )


def _example(modality: Modality) -> str:
    return f"example{modality.suffixes[0]}" if modality.suffixes else "an example"


def _line(text: str) -> str:
    """A plugin's words on one line of a block of code, which they do not end."""
    return " ".join(text.replace("`", "'").split())


def _written(bundle: Bundle, suffixes: tuple[str, ...]) -> list[str]:
    """How to let it write; nothing where it answers in one step."""
    if bundle.generation is None:
        return []
    value = f"example{suffixes[0]}" if suffixes and bundle.generation.memory else "The"
    return [line.replace('"The"', json.dumps(value)) for line in _WRITING]
