"""The table of faults: a plugin that does one thing wrong, the check that catches it, and what that
says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import multigraft as mg
from conformance.faults import (
    decoders,
    entering,
    explaining,
    levels,
    networks,
    patches,
    readers,
    tagging,
    tasks,
    watching,
    writing,
)
from conformance.faults.good import Plugin
from helpers.residual_network import building


@dataclass(frozen=True)
class Fault:
    """One thing done wrong."""

    name: str
    check: str
    says: str
    """A part of the finding."""
    plugin: object
    """The plugin, or the source of its module."""


def _read(name: str, check: str, says: str, reader: Any, **fields: Any) -> Fault:
    return Fault(name, check, says, Plugin(modality={"reader": reader, **fields}))


def _net(name: str, check: str, says: str, net: Any) -> Fault:
    return Fault(name, check, says, Plugin(backbone={"build": building(net)}))


def _built(name: str, check: str, says: str, build: Any) -> Fault:
    return Fault(name, check, says, Plugin(backbone={"build": build}))


def _task(name: str, check: str, says: str, **fields: Any) -> Fault:
    return Fault(name, check, says, Plugin(task=fields))


def _strategy(name: str, check: str, says: str, plan: Any, **options: mg.Option) -> Fault:
    return Fault(
        name, check, says, Plugin(strategies=(mg.Strategy(name="odd", plan=plan, options=options),))
    )


ENTERING = (
    Fault(
        "a name that is taken",
        "admitted",
        "is already registered",
        Plugin(modality={"name": "text"}),
    ),
    Fault("a misspelt hook", "admitted", "register_backbone", entering.Misspelt()),
    Fault("a hook without its marker", "admitted", "is not marked", entering.Unmarked()),
    Fault(
        "a class in the place of a record",
        "admitted",
        "did you forget its ()?",
        entering.GivesClass(),
    ),
    Fault(
        "an unmarked function that misses a hook's name", "hooks", "is no hook", entering.Missed()
    ),
    Fault(
        "a default for a hook's argument", "hooks", "pluggy never fills it", entering.WithDefault()
    ),
    Fault("torch at import", "light-import", "imports torch", entering.TORCH_AT_IMPORT),
    Fault("a slow import", "light-import", "50 are allowed", entering.SLOW_IMPORT),
    Fault(
        "a network call at import",
        "light-import",
        "asks the network for",
        entering.NETWORK_AT_IMPORT,
    ),
    Fault(
        "a seed set at import", "light-import", "Python's random numbers", entering.SEEDS_AT_IMPORT
    ),
    Fault(
        "an environment variable set at import",
        "light-import",
        "the environment variables",
        entering.ENVIRONMENT_AT_IMPORT,
    ),
    Fault(
        "torch behind answers", "torch-free", "torch is not installed", entering.TORCH_IN_ANSWERS
    ),
    Fault(
        "an option whose default is refused",
        "record",
        "would be refused",
        Plugin(modality={"options": {"rate": mg.Option(default=-1, low=0, help="a rate")}}),
    ),
    Fault("a modality without samples", "record", "no samples", Plugin(modality={"samples": None})),
    Fault(
        "a modality that nobody has",
        "record",
        "unknown modality",
        Plugin(backbone={"modality": "smell"}),
    ),
    Fault(
        "a file format that gives uneven columns",
        "foreign-files",
        "columns of different lengths",
        entering.Uneven(),
    ),
    Fault(
        "a filter without a source",
        "record",
        "where its rule comes from",
        entering.Judging(entering.drops_b, source=""),
    ),
    Fault(
        "a filter that drops nothing",
        "examples",
        "stays as it is",
        entering.Judging(entering.keeps_all),
    ),
    Fault(
        "a filter that drops what it keeps",
        "examples",
        "which it says it keeps, is dropped",
        entering.Judging(entering.drops_b, keeps=lambda: "b"),
    ),
    Fault(
        "a filter that says a number as why",
        "examples",
        "whose why and told are no texts",
        entering.Judging(entering.counts),
    ),
    Fault(
        "a filter that remembers",
        "same-verdict",
        "one thing, and then another",
        entering.Judging(entering.once),
    ),
    Fault(
        "a filter that takes all for texts",
        "odd-values",
        "raised AttributeError",
        entering.Judging(entering.strict),
    ),
    Fault(
        "sketches with a sign",
        "sketches",
        "of int64",
        entering.Judging(None, likeness=entering.signed),
    ),
)
EXPLAINING = (
    _read("hiding that shortens a row", "units", "changes the shape", explaining.Shortening),
    _read("hiding that does not add up", "units", "does not add up", explaining.Averaging),
    _read("hiding that hides nothing", "units", "changes nothing", explaining.HidingNothing),
    _read("places of another kind", "units", "4] are needed", explaining.Elsewhere),
    Fault(
        "an explainer that draws without the seed",
        "weighs",
        "other weights the second time",
        entering.Explains(explaining.drawing),
    ),
    Fault(
        "an explainer whose weights are upside down",
        "weighs",
        "the largest weight",
        entering.Explains(explaining.upside_down),
    ),
    Fault(
        "an explainer with too few weights",
        "weighs",
        "weights [1] for 6 units",
        entering.Explains(explaining.too_few),
    ),
)
READERS = (
    _read("a reader that draws at random", "same-value-same-arrays", "read again", readers.Drawing),
    _read(
        "a buffer shared by all rows", "same-value-same-arrays", "given before", readers.OneBuffer
    ),
    _read("a reader that counts", "same-value-same-arrays", "read again", readers.Counting),
    _read(
        "state shared by all readers",
        "same-value-same-arrays",
        "a second reader",
        readers.SharedSettings,
    ),
    _read(
        "a reader that is not thread-safe", "reader-threads", "read by 4 threads", readers.Unguarded
    ),
    _read("a setting missing in spec", "reader-from-json", "reads differently", readers.Forgetful),
    _read("a spec that is no JSON", "reader-from-json", "is not JSON", readers.NoJson),
    _read(
        "TypeError in the place of RowError", "row-errors", "raised TypeError", readers.WrongError
    ),
    _read("a bad value read as if it were right", "row-errors", "was read as if", readers.Lenient),
    _read("a RowError that says nothing", "row-errors", "says nothing", readers.Silent),
    _read("arrays that are not finite", "arrays", "are not finite", readers.NotFinite),
    _read("text among the arrays", "arrays", "which no tensor can be", readers.Objects),
    _read(
        "an array that varies without padding",
        "arrays",
        "does not say what pads it",
        readers.Unfilled,
    ),
    _read("an axis that varies without a name", "arrays", "all of its axes", readers.HalfFilled),
    _read("an axis of two lengths", "arrays", "the axis 'time' of one row", readers.TwoLengths),
    _read("a length of nothing", "arrays", "a whole number from 1", readers.ZeroLength),
    Fault("torch in the reader", "reader-torch-free", "torch is blocked", entering.TORCH_IN_READER),
    Fault(
        "a reader that asks the network", "arrays", "example.invalid", entering.NETWORK_IN_READER
    ),
    _read(
        "an augmentation that writes into its row",
        "augment",
        "writes into the row",
        readers.Reader,
        augment=readers.writes_in_place,
    ),
    _read(
        "an augmentation with chance of its own",
        "augment",
        "gives another row",
        readers.Reader,
        augment=readers.draws_elsewhere,
    ),
    _read(
        "an augmentation whose frame leads nowhere",
        "augment",
        "gives no frame",
        readers.Reader,
        augment=readers.loses_its_frame,
    ),
    _read(
        "an augmentation that drops a task's targets",
        "augment",
        "it does not give back a task's targets",
        readers.Reader,
        augment=tagging.forgetful,
    ),
    _read(
        "a mixture that writes into its batch",
        "mixing",
        "writes into the batch",
        readers.Reader,
        augment=lambda strength, reader, options: readers.BlendsInPlace(),
    ),
    _read(
        "rows mixed with rows that are not there",
        "mixing",
        "a row of the batch",
        readers.Reader,
        augment=lambda strength, reader, options: readers.BlendsStrangers(),
    ),
    _read(
        "a mixture of targets",
        "mixing",
        "no array of the reader",
        readers.Reader,
        augment=lambda strength, reader, options: readers.BlendsLabels(),
    ),
    _read(
        "a sketch that draws at random",
        "likeness",
        "different sketches",
        readers.Reader,
        likeness=mg.Likeness(sketch=readers.unsteady_sketch, near=0.9),
    ),
    _read(
        "a preview that is no picture",
        "preview",
        "is no image/png",
        readers.Reader,
        preview=lambda raw: mg.Preview("image/png", b"GIF89a"),
    ),
    _read(
        "windows of other arrays than a row",
        "windows",
        "other arrays than a row",
        readers.OddWindows,
    ),
    _read(
        "a unit without a number",
        "unit",
        "how many of Reader.length",
        readers.Reader,
        unit=lambda spec: ("s", 0),
    ),
)
NETWORKS = (
    _built("a module that is no backbone", "builds", "lacks width", networks.lacks_members),
    _net("no word on the head's bias", "builds", "head_bias is None", networks.Handless),
    _net("weights that do not follow the seed", "builds", "differs", networks.Unseeded),
    _built("a network call in build", "builds", "asked the network", networks.asks_network),
    _net("a wrong width", "features", "[3, 8] is needed", networks.Wide),
    _net("a mask of numbers", "features", "torch.bool is needed", networks.CountedMask),
    _net("positions that do not lie a hop apart", "features", "follow from hop 2", networks.Hops),
    _net("a row for each position", "features", "pooled has the shape", networks.NotPooled),
    _net("features that are not finite", "features", "are not finite", networks.NotFinite),
    _net(
        "features that do not depend on the row",
        "features",
        "the same pooled features",
        networks.Blind,
    ),
    _net("a mask that counts the padding", "padding", "real positions", networks.FullMask),
    _net("padding in the pooled features", "padding", "pooled lies", networks.SeesPadding),
    _net(
        "padding that spreads to other positions",
        "padding",
        "from what the row",
        networks.SpreadsPadding,
    ),
    Fault(
        "a level of other channels than it says",
        "levels",
        "follows from Level(channels=7",
        levels.Plugin(levels.Narrower),
    ),
    Fault("a level that loses cells", "levels", "maps[1] has the shape", levels.Plugin(levels.Cut)),
    Fault(
        "levels that nobody can ask for",
        "levels",
        "no pyramid = False",
        levels.Plugin(levels.Unasked),
    ),
    Fault("levels from coarse to fine", "levels", "finest first", levels.Plugin(levels.Coarsest)),
    _net("dropout in evaluation mode", "steady-forward", "at another seed", networks.AlwaysDrops),
    _net(
        "a forward that writes into the batch",
        "steady-forward",
        "into the batch",
        networks.WritesInput,
    ),
    _net(
        "a buffer that counts in evaluation mode",
        "steady-forward",
        "changes 'seen'",
        networks.Remembers,
    ),
    _net("blocks in the wrong order", "blocks", "not in the order", networks.Misordered),
    _net("blocks that run in another order", "blocks", "the blocks run as", networks.RunsBackwards),
    _net("blocks that leave most of it out", "blocks", "follow the last block", networks.Uncovered),
    _net("a single block", "blocks", "there are 1 blocks", networks.OneBlock),
    _net(
        "a block that writes over another's output", "blocks", "written over", networks.Overwriting
    ),
    _net("patches of no picture", "patches", "no array of a batch", patches.Elsewhere),
    Fault(
        "patches that have seen the hidden ones",
        "patches",
        "changes with the pixels",
        Plugin(backbone=patches.looking(patches.LooksAcross)),
    ),
    Fault(
        "patches in an order of their own",
        "patches",
        "in another order",
        Plugin(backbone=patches.looking(patches.Unordered)),
    ),
    _net("a layer that is detached", "gradients", "layers.0.linear", networks.Detached),
    _net("a parameter that nothing uses", "gradients", "'never'", networks.Idle),
    _net("a skip connection around the blocks", "replay", "is not replayed", networks.Skipping),
    _net("a pickle beside the weights", "save-load", "extra.dat", networks.Pickled),
    _net("weights written by torch.save", "save-load", "model.pt", networks.TorchSaved),
    _net("weights that are rounded", "save-load", "come back changed", networks.Rounded),
    _built(
        "weights that are not read back", "save-load", "come back changed", networks.loses_weights
    ),
    Fault(
        "a reader that forgets what the weights were made with",
        "saved-reader",
        "reads differently",
        Plugin(backbone={"reader": networks.forgets_scale}),
    ),
    _net("weights that change in forward", "strategies", "though the plan says", networks.Drifting),
    _net("features that int8 cannot tell apart", "int8", "cosine", networks.Fine),
    _net("a branch on a tensor's value", "graph", "cannot make a graph", networks.Branching),
    _net("a graph that is another network", "graph", "does not answer as", networks.WrongInGraph),
)
WATCHING = (
    Fault("an observer that raises", "watches", "ZeroDivisionError", watching.Raising()),
    Fault("an observer that changes the model", "watches", "other weights", watching.Meddling()),
)
TASKS = (
    _task("a metric that is no number", "trains", "'surprise' is nan", objective=tasks.NoNumber),
    _task("a share beyond 1", "trains", "lies between 0 and 1", objective=tasks.BeyondOne),
    _task(
        "chance of its own in prepare",
        "chance",
        "for the same generator",
        objective=tasks.GlobalChance,
    ),
    _task(
        "a view that writes into the row",
        "chance",
        "writes into the row",
        objective=tasks.WritesRow,
    ),
    _task("one loss for the whole batch", "losses", "[6] is needed", objective=tasks.Summed),
    _task("a loss without a gradient", "losses", "no gradient", objective=tasks.Cut),
    _task("state between the steps", "resumes", "other weights", objective=tasks.Stateful),
    _task("an answer that is no JSON", "answers", "no JSON", answers=tasks.NumpyAnswer),
    _task("an answer that is no dict", "answers", "a dict is needed", answers=tasks.ListAnswer),
    _task("answers that remember", "figures", "in evaluation, and", answers=tasks.Remembers),
    _task(
        "other figures without torch",
        "figures",
        "by row_objective",
        row_objective=tasks.HalfAsRight,
    ),
    _task("windows without joining", "asked-windows", "joins is not", answers=tasks.Unjoined),
    _task("scores of no fixed shape", "scores", "of one shape", answers=tasks.RaggedScores),
    _task(
        "scores of what JSON does not keep",
        "scores",
        "for an answer that was JSON",
        answers=tasks.UnplainScores,
    ),
    _task(
        "a metric of answers that one row does not have",
        "scores",
        "'mean_rank' is nan",
        answers=tasks.NoScoreOfOne,
    ),
    Fault(
        "an answer for the padding",
        "answers",
        "beside longer ones than alone",
        tagging.tagging(answers=tagging.PaddedTags),
    ),
    Fault(
        "a step that forgets what was read",
        "writes",
        "read token by token",
        writing.Plugin(writing.Forgets),
    ),
    Fault(
        "a step that reads the padding of a prompt",
        "writes",
        "behind padding",
        writing.Plugin(writing.ReadsPadding),
    ),
    Fault(
        "a state under other names",
        "writes",
        "does not give '0'",
        writing.Plugin(writing.Renames),
    ),
    Fault(
        "a decoder that takes each token for the first",
        "decoder",
        "read token by token",
        decoders.Plugin(decoders.Forgets),
    ),
    Fault(
        "a memory under other names",
        "decoder",
        "remember does not give 'mask'",
        decoders.Plugin(decoders.Misremembers),
    ),
    Fault(
        "a decoder whose texts never end",
        "decoder",
        "lacks a memory, a start or a stop",
        decoders.Plugin(decoders.Endless),
    ),
    Fault(
        "a decoder that loops over its tokens",
        "decoder-graph",
        "cannot make a graph",
        decoders.Plugin(decoders.Loops),
    ),
    Fault(
        "targets shifted onto what the reader puts around a value",
        "places",
        "it is another position's",
        tagging.tagging(objective=tagging.Shifted),
    ),
    Fault(
        "an answer for what the reader puts around a value",
        "places",
        "its answer depends on",
        tagging.tagging(objective=tagging.NamesTheFrame),
    ),
    Fault(
        "answers that join windows of one length",
        "joined-windows",
        "no answer can be made",
        tagging.tagging(answers=tagging.OfOneSize),
    ),
    Fault(
        "answers that join windows with their padding",
        "joined-windows",
        "to another answer than alone",
        tagging.tagging(answers=tagging.JoinedWithPadding),
    ),
    Fault(
        "targets that an augmentation leaves behind",
        "augmented-targets",
        "there are other tags than positions",
        tagging.tagging({"augment": tagging.shortened}, objective=tagging.OfTheUnchanged),
    ),
    _strategy(
        "a strategy that forgets a parameter", "learns", "for other parameters", tasks.by_one_name
    ),
    _strategy("a strategy under which nothing learns", "learns", "nothing learns", tasks.nothing),
    _strategy(
        "an option that fails at its bound",
        "plans",
        "ZeroDivisionError",
        tasks.at_its_bound,
        every=mg.Option(default=2, low=0, help="how many blocks share a rate"),
    ),
    _strategy("a plan changed in place", "plans", "changes the plan", tasks.in_place),
)
FAULTS = (*ENTERING, *EXPLAINING, *READERS, *NETWORKS, *TASKS, *WATCHING)
