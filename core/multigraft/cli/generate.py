"""``generate``: continue texts with a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from multigraft.cli.bundle import BundleFolder, FromStdin, OnePrecision, held
from multigraft.cli.inputs import Input, gather
from multigraft.cli.shell import AsJson, Shell
from multigraft.errors import RowError

if TYPE_CHECKING:
    from multigraft.runtime import Predictor
    from multigraft.runtime.generation.options import Asked


class Method(StrEnum):
    """Decoding method: how the next token is chosen."""

    GREEDY = "greedy"
    BEAM = "beam"
    SAMPLE = "sample"


Prompts = Annotated[
    list[str] | None,
    typer.Argument(metavar="PROMPTS...", help="Texts to continue. - reads a line each from stdin."),
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option(
        "--max-new-tokens",
        min=1,
        help="At most so many a text; unset: as the bundle says, else 64.",
        show_default=False,
    ),
]
HowChosen = Annotated[
    Method | None,
    typer.Option(
        "--method",
        help="The likeliest token, the likeliest text found, or drawn ones; unset: as the bundle "
        "says, else greedy.",
        show_default=False,
    ),
]
Beams = Annotated[
    int | None,
    typer.Option(min=1, help="For beam: how many texts are kept. [4]"),
]
LengthPenalty = Annotated[
    float | None,
    typer.Option("--length-penalty", help="For beam: more of it favours long texts. [1.0]"),
]
Temperature = Annotated[
    float | None, typer.Option(help="For sample: below 1 is less daring. [1.0]")
]
TopK = Annotated[
    int | None, typer.Option("--top-k", min=1, help="For sample: draw among so many tokens.")
]
TopP = Annotated[
    float | None,
    typer.Option("--top-p", help="For sample: draw among the likeliest of this probability."),
]
RepetitionPenalty = Annotated[
    float | None,
    typer.Option("--repetition-penalty", help="Above 1: say less often what was said. [1.0]"),
]
NoRepeatNgram = Annotated[
    int | None,
    typer.Option(
        "--no-repeat-ngram", min=0, help="So many tokens in a row are not written twice. [0: any]"
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option("--batch-size", min=1, help="Prompts that are continued together. [32]"),
]
Seed = Annotated[
    int | None, typer.Option(min=0, help="For sample: the same seed, the same text. [0]")
]
Stop = Annotated[list[str] | None, typer.Option(help="A text that ends the writing. Repeatable.")]


def generate(
    shell: Shell,
    bundle: BundleFolder,
    prompts: Prompts = None,
    *,
    max_new_tokens: MaxNewTokens = None,
    method: HowChosen = None,
    beams: Beams = None,
    length_penalty: LengthPenalty = None,
    temperature: Temperature = None,
    top_k: TopK = None,
    top_p: TopP = None,
    repetition_penalty: RepetitionPenalty = None,
    no_repeat_ngram: NoRepeatNgram = None,
    seed: Seed = None,
    stop: Stop = None,
    batch_size: BatchSize = None,
    stdin: FromStdin = False,
    precision: OnePrecision = None,
    as_json: AsJson = False,
) -> None:
    """Continue texts with a bundle that generates; needs no torch.

    One prompt is continued as you watch; several are written together, each in its own paragraph.
    """
    if not prompts and not stdin:
        raise typer.BadParameter(
            "no prompts: give texts as arguments, or --stdin to read a line each"
        )
    from multigraft.plugins.catalog import Catalog
    from multigraft.runtime import load

    catalog = Catalog()
    wanted = None if precision is None else precision.value
    predictor = load(held(bundle), precision=wanted, catalog=catalog)
    values = _texts(gather(prompts or [], predictor.modality, stdin=stdin))
    asked = {
        "max_new_tokens": max_new_tokens,
        "method": None if method is None else method.value,
        "beams": beams,
        "length_penalty": length_penalty,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "repetition_penalty": repetition_penalty,
        "no_repeat_ngram": no_repeat_ngram,
        "seed": seed,
        "stop": stop or None,
        "batch_size": batch_size,
    }
    _write(shell, predictor, values, asked, as_json=as_json)


def _texts(prompts: Sequence[Input]) -> list[str]:
    """What is to be continued. Raises RowError for a row of a table that holds no text."""
    for prompt in prompts:
        if prompt.error:
            raise RowError(f"{prompt.shown}: {prompt.error}")
    return [prompt.value for prompt in prompts]


def _write(
    shell: Shell, predictor: Predictor, values: list[str], asked: dict[str, Any], *, as_json: bool
) -> None:
    if as_json:
        answers = predictor.generate(values, **asked)
        pairs = zip(values, answers, strict=True)
        shell.say_json([{"input": value, "answer": answer} for value, answer in pairs])
    elif len(values) == 1 and _streams(predictor, asked):
        for piece in predictor.stream(values[0], **asked):
            shell.say_piece(piece)
        shell.say("")
    else:
        answers = predictor.generate(values, **asked)
        shell.say("\n\n".join(answer["text"] for answer in answers))
        if cut := sum("cut" in answer for answer in answers):
            shell.warn(f"{cut} of {len(answers)} texts are longer than the model takes: cut off")


def _streams(predictor: Predictor, asked: dict[str, Any]) -> bool:
    """Whether a prompt is continued as one watches; beam search knows its text at the end alone,
    and an answer alone tells that the text which it is about was cut off."""
    writer = predictor.writer
    if writer is None or writer.ports.memory:
        return False
    return writer.settings(cast("Asked", asked)).method != Method.BEAM
