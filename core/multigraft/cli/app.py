"""Command table: every command, in the order a person meets them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Annotated

import typer

from multigraft.cli import (
    bench,
    bundle,
    cache,
    check,
    choose,
    compare,
    demo_command,
    doctor,
    doubts,
    evaluate,
    experiment,
    explain,
    generate,
    new_plugin,
    plugins,
    prepare,
    rank,
    recipes,
    rerun,
    search,
    serve,
    train,
    transcribe,
    web,
)
from multigraft.cli.shell import command
from multigraft.system.about import __version__
from multigraft.system.environment import TRACE, WANTED

EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 wrong recipe or usage, 130 interrupted (143 by SIGTERM). "
    "Every command takes --quiet (warnings only) and --debug (show the traceback)."
)
FINETUNE = "Grow a head onto a backbone and train it on your rows."
PRETRAIN = "Train a backbone on rows without labels, or go on training one."
TRAINING = "Train and measure"
SHIPPING = "Ship"
LOOKING = "Look around"


def build() -> typer.Typer:
    """Assemble the app. Two calls share nothing."""
    app = typer.Typer(
        help="Pretrain, finetune, evaluate and ship models for text, vision and speech.",
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    app.command("finetune", help=FINETUNE, rich_help_panel=TRAINING)(
        command(train.trainer("finetune"))
    )
    app.command("pretrain", help=PRETRAIN, rich_help_panel=TRAINING)(
        command(train.trainer("pretrain"))
    )
    app.command("choose", rich_help_panel=TRAINING)(command(choose.choose))
    app.command("distance", rich_help_panel=TRAINING)(command(choose.distance))
    app.command("resume", rich_help_panel=TRAINING)(command(train.resume))
    app.command("rerun", rich_help_panel=TRAINING)(command(rerun.rerun))
    app.command("evaluate", rich_help_panel=TRAINING)(command(evaluate.evaluate))
    app.command("explain", rich_help_panel=TRAINING)(command(explain.explain))
    app.command("doubts", rich_help_panel=TRAINING)(command(doubts.doubts))
    app.command("compare", rich_help_panel=TRAINING)(command(compare.compare))
    app.command("runs", rich_help_panel=TRAINING)(command(compare.runs))
    app.add_typer(experiment.build(), rich_help_panel=TRAINING)
    app.command("prepare", rich_help_panel=TRAINING)(command(prepare.prepare))
    app.command("export", rich_help_panel=SHIPPING)(command(bundle.export))
    app.command("predict", rich_help_panel=SHIPPING)(command(bundle.predict))
    app.command("search", rich_help_panel=SHIPPING)(command(search.search))
    app.command("generate", rich_help_panel=SHIPPING)(command(generate.generate))
    app.command("rank", rich_help_panel=SHIPPING)(command(rank.rank))
    app.command("transcribe", rich_help_panel=SHIPPING)(command(transcribe.transcribe))
    app.command("bench", rich_help_panel=SHIPPING)(command(bench.bench))
    app.command("serve", rich_help_panel=SHIPPING)(command(serve.serve))
    app.command("web", rich_help_panel=SHIPPING)(command(web.web))
    app.add_typer(recipes.build(), rich_help_panel=LOOKING)
    app.command("schema", rich_help_panel=LOOKING)(command(recipes.schema))
    app.command("plugins", rich_help_panel=LOOKING)(command(plugins.plugins))
    app.command("check-plugin", rich_help_panel=LOOKING)(command(check.check_plugin))
    app.command("new-plugin", rich_help_panel=LOOKING)(command(new_plugin.new_plugin))
    app.command("doctor", rich_help_panel=LOOKING)(command(doctor.doctor))
    app.command("cache", rich_help_panel=LOOKING)(command(cache.cache))
    app.command("demo", rich_help_panel=LOOKING)(command(demo_command.demo))
    return app


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"multigraft {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
    names: Annotated[
        str | None,
        typer.Option(
            "--plugins", help="Load only these, as text,vision ('' for none).", show_default=False
        ),
    ] = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="Show every hook call and who answered.")
    ] = False,
) -> None:
    del version
    settings = {WANTED: names, TRACE: "1" if trace else None}
    given = {name: value for name, value in settings.items() if value is not None}
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)  # worker processes and libraries of ours read it too
    context.call_on_close(partial(_put_back, before))


def _put_back(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
