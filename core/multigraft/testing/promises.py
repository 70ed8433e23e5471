"""Checks of a plugin, its records and its readers: what, why, and how to mend it."""

from __future__ import annotations

from multigraft.contracts.lazy import Lazy
from multigraft.testing.checks import Check

ENTERING = (
    Check(
        name="admitted",
        of="plugin",
        run=Lazy("multigraft.testing.check_entry:admitted"),
        what="The catalog admits it: no misspelt hook, no wrong record, no name that an in-tree "
        "plugin has.",
        why="a plugin is admitted whole or not at all",
        mend="change what the message names; names of your own are best prefixed with what is "
        "yours",
    ),
    Check(
        name="hooks",
        of="plugin",
        run=Lazy("multigraft.testing.check_entry:hooks"),
        what="It answers hooks by their names, without defaults for their arguments.",
        why="pluggy passes over what it does not know, and never fills an argument that has a "
        "default",
        mend="spell the hook as plugins/README.md does, mark it with @mg.hookimpl, and leave out "
        "the default",
    ),
    Check(
        name="light-import",
        of="plugin",
        run=Lazy("multigraft.testing.check_entry:light_import"),
        what="Its module is imported in 50 ms, multigraft apart, without heavy libraries, network "
        "or traces.",
        why="every command imports every plugin, also those that do not use it",
        mend='register what is heavy as mg.Lazy("my_package.module:name"), '
        "and do nothing at import",
    ),
    Check(
        name="torch-free",
        of="plugin",
        run=Lazy("multigraft.testing.check_entry:torch_free"),
        what="Without torch it is admitted all the same, and its tasks' targets and answers are "
        "found.",
        why="a deployer installs no torch",
        mend="keep what needs torch in modules of its own, behind mg.Lazy",
    ),
)
RECORDS = tuple(
    Check(
        name="record",
        of=kind,
        run=Lazy(f"multigraft.testing.check_names:{kind}"),
        what="Its fields hold what they promise: names, options with help and defaults that pass.",
        why="recipes, error messages and the schema are made from these fields",
        mend="correct the field; plugins/README.md has each one's meaning",
    )
    for kind in ("modality", "backbone", "task", "strategy", "format", "filter", "explainer")
)
FORMATS = (
    Check(
        name="foreign-files",
        of="format",
        run=Lazy("multigraft.testing.check_format:foreign"),
        what="An empty file, and files of another kind, raise, or give columns of one length.",
        why="a person names the wrong file sooner or later, and is told so",
        mend="raise multigraft.errors.DataError with what the file should hold",
    ),
)
EXPLAINING = (
    Check(
        name="units",
        of="modality",
        run=Lazy("multigraft.testing.check_units:units"),
        what="Units have a name and a place each; hiding them keeps shapes and types, and adds up.",
        why="explanations hide units, and gradients are shared out among them",
        mend="let Units.hide change what a unit holds and nothing else, in the place where it is",
    ),
    Check(
        name="weighs",
        of="explainer",
        run=Lazy("multigraft.testing.check_units:weighs"),
        what="It gives a finite weight for each unit, the same again, the largest where the answer "
        "rises most.",
        why="weights are ranked, drawn and compared",
        mend="give mg.Attribution(weights) with one number a unit, positive where it raises the "
        "answer, and draw all chance from subject.seed",
    ),
)
FILTERS = (
    Check(
        name="examples",
        of="filter",
        run=Lazy("multigraft.testing.check_filter:examples"),
        what="What `keeps` makes is kept as it is, and what `drops` makes is dropped or mended.",
        why="they are the examples of its page",
        mend="correct the rule, or the example; `trial` gives options to try them with",
    ),
    Check(
        name="same-verdict",
        of="filter",
        run=Lazy("multigraft.testing.check_filter:steady"),
        what="A value gets the same verdict again, after other values and from another judge.",
        why="a corpus that is prepared in several processes, or gone on with, ends the same",
        mend="keep no state between values, and draw nothing at random",
    ),
    Check(
        name="odd-values",
        of="filter",
        run=Lazy("multigraft.testing.check_filter:odd_values"),
        what="Any value is kept, mended or dropped; nothing but RowError is raised.",
        why="a corpus holds whatever was collected, and one row must not end its preparation",
        mend="give mg.Dropped for what is no value of yours",
    ),
    Check(
        name="sketches",
        of="filter",
        run=Lazy("multigraft.testing.check_filter:sketches"),
        what="Sketches are unsigned integers, a row for each value; equal values have equal ones.",
        why="duplicates are found by them alone",
        mend="let a sketch depend on the value alone, and give zeros for what is no value",
    ),
)
READING = (
    Check(
        name="arrays",
        of="modality",
        run=Lazy("multigraft.testing.check_reader:arrays"),
        what="Rows are named numpy arrays of finite numbers; `fills` names those that vary, and in "
        "which axes.",
        why="rows are stacked to batches and become tensors",
        mend="give arrays of numbers, and name what varies in Reader.fills with the value that "
        "pads it, as mg.Fill(0, {0: 'height', 1: 'width'}) where another axis than the first does",
    ),
    Check(
        name="same-value-same-arrays",
        of="modality",
        run=Lazy("multigraft.testing.check_reader:steady"),
        what="A value gives the same arrays again, after other values and beside other readers.",
        why="a resumed run, the cache and a bundle count on it",
        mend="keep no state between calls, draw nothing at random, and give new arrays each time",
    ),
    Check(
        name="reader-from-json",
        of="modality",
        run=Lazy("multigraft.testing.check_reader:json_spec"),
        what="The reader is built again from the JSON of its spec, and reads the same.",
        why="runs and bundles keep a reader as its spec",
        mend="put everything that reading depends on into spec(), and nothing that is not JSON",
    ),
    Check(
        name="reader-threads",
        of="modality",
        run=Lazy("multigraft.testing.check_reader:threads"),
        what="Threads that read at once get what one gets.",
        why="training reads ahead in threads, and a server reads requests side by side",
        mend="use no shared buffers or fields while reading",
    ),
    Check(
        name="row-errors",
        of="modality",
        run=Lazy("multigraft.testing.check_reader:errors"),
        what="Bad values give RowError with what is wrong, and nothing else.",
        why="a RowError says in the reader's own words what is wrong; of anything else only its "
        "type is told",
        mend="check the value at the start of read, and raise mg.RowError from what a library "
        "raises",
    ),
    Check(
        name="reader-torch-free",
        of="modality",
        run=Lazy("multigraft.testing.check_reader:torch_free"),
        what="A process without torch reads the same arrays.",
        why="the bundle's reader is the training's, on a machine without torch",
        mend="keep the reader's module free of torch and what needs it",
    ),
    Check(
        name="windows",
        of="modality",
        run=Lazy("multigraft.testing.check_reader:windows"),
        what="Windows of a value have the arrays of a row.",
        why="they are computed in batches with rows",
        mend="make each window as read makes a row",
    ),
    Check(
        name="augment",
        of="modality",
        run=Lazy("multigraft.testing.check_reader:augment"),
        what="An augmentation follows from its generator alone, leaves its row, and passes on "
        "targets.",
        why="a resumed run draws the same, a cached row is used again, and a task's targets are in "
        "the row",
        mend="draw from rng only, change a copy, and give back the arrays that are not yours",
    ),
    Check(
        name="mixing",
        of="modality",
        run=Lazy("multigraft.testing.check_mixing:mixes"),
        what="An augmentation that mixes rows follows from its generator alone, leaves its batch, "
        "and says how much of which row is in each.",
        why="a resumed run mixes the same, and a row's loss is its shares of two targets",
        mend="draw from rng only, mix copies of the reader's arrays, and leave targets to the "
        "engine",
    ),
    Check(
        name="likeness",
        of="modality",
        run=Lazy("multigraft.testing.check_reader:likeness"),
        what="Sketches are unsigned integers, a row for each value; equal values have equal ones.",
        why="leaks between training and test are found by them",
        mend="give zeros for what the reader would refuse, and let a sketch depend on the value "
        "alone",
    ),
    Check(
        name="preview",
        of="modality",
        run=Lazy("multigraft.testing.check_reader:preview"),
        what="A preview is a file of its kind, of at most 256 kB; of bad values it raises nothing "
        "but RowError.",
        why="pages of prepared corpora show it, and stay small",
        mend="give a mg.Preview of fewer pixels or seconds, and RowError for what the reader "
        "would refuse",
    ),
    Check(
        name="unit",
        of="modality",
        run=Lazy("multigraft.testing.check_reader:unit"),
        what="The unit is a name and a positive number.",
        why="training.batch_budget is given in it",
        mend='give a pair as ("seconds", 16000.0)',
    ),
)
