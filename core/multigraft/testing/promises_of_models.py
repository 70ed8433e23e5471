"""Checks of backbones, tasks and strategies: what, why, and how to mend it."""

from __future__ import annotations

from multigraft.contracts.lazy import Lazy
from multigraft.testing.checks import Check

COMPUTING = (
    Check(
        name="builds",
        of="backbone",
        run=Lazy("multigraft.testing.check_forward:built"),
        what="`build` gives a module with the members of a backbone, the same twice at one seed.",
        why="the engine asks a module for nothing else, and a run follows from its seed",
        mend="add what is missing, and draw weights from torch's generator only",
    ),
    Check(
        name="features",
        of="backbone",
        run=Lazy("multigraft.testing.check_forward:features"),
        what="`pooled`, `sequence` and `mask` have the promised shapes and types, and tell rows "
        "apart; positions are as many as `hop` and `field` say, where it has them.",
        why="every head is built for [B, width], every loss needs numbers, and the times of words "
        "are counted in hops",
        mend="give mg.Features with float32 [B, width] and [B, T, width], and a bool mask [B, T] "
        "of (n - field) // hop + 1 positions for a row of n units",
    ),
    Check(
        name="levels",
        of="backbone",
        run=Lazy("multigraft.testing.check_levels:levels"),
        what="Its pyramid has the maps that `levels` promises, [B, channels, ceil(H / stride), "
        "ceil(W / stride)], at an odd size too; `pooled` stays what it is.",
        why="heads are built for the channels before a forward pass, and masks and boxes are laid "
        "on the cells",
        mend="say in levels what forward gives where pyramid is set, and complete a map whose "
        "convolutions lost its edge",
    ),
    Check(
        name="padding",
        of="backbone",
        run=Lazy("multigraft.testing.check_forward:padding"),
        what="A row in a padded batch gives what it gives alone.",
        why="an answer must not depend on which rows happen to stand beside it",
        mend="mask the padding wherever positions meet: attention, convolution, normalisation and "
        "pooling",
    ),
    Check(
        name="steady-forward",
        of="backbone",
        run=Lazy("multigraft.testing.check_forward:steady"),
        what="In evaluation mode forward draws nothing, keeps nothing, and leaves its batch as it "
        "was.",
        why="evaluation, replay and the exported graph compute it again and must get the same",
        mend="draw only where self.training, keep no buffers, and write into no input",
    ),
    Check(
        name="blocks",
        of="backbone",
        run=Lazy("multigraft.testing.check_forward:blocks"),
        what="`blocks` are two or more parts in the order they run, each once, and cover the "
        "network.",
        why="strategies freeze and unfreeze by their order; replay keeps what the last frozen one "
        "gave",
        mend="list the module's parts from input to output, and write into no block's output",
    ),
    Check(
        name="patches",
        of="backbone",
        run=Lazy("multigraft.testing.check_patches:patches"),
        what="Computed alone, some patches see nothing of the others; all of them, in any order, "
        "give the whole sequence.",
        why="a masked autoencoder that sees what is hidden has nothing to learn",
        mend="drop the hidden patches behind the position embedding and before the first block, "
        "and let no layer before read across patches",
    ),
    Check(
        name="gradients",
        of="backbone",
        run=Lazy("multigraft.testing.check_learning:gradients"),
        what="A gradient reaches every parameter: from the features, from a task, or with an "
        "option set.",
        why="a parameter without one never learns, and says nothing about it",
        mend="use the parameter in forward without detach or no_grad, or remove it",
    ),
    Check(
        name="strategies",
        of="backbone",
        run=Lazy("multigraft.testing.check_learning:strategies"),
        what="Under every strategy it takes two steps; what learns moves, and nothing else does.",
        why="a recipe combines any backbone with any strategy",
        mend="keep parameters of blocks inside them, as nn.Parameter of ordinary layers",
    ),
    Check(
        name="save-load",
        of="backbone",
        run=Lazy("multigraft.testing.check_saving:saved"),
        what="What `save` writes comes back bit for bit, buffers too, and holds no pickle.",
        why="runs, bundles and further trainings start from that folder, which may come from a "
        "stranger",
        mend="write state_dict() with safetensors, and load it with strict=True",
    ),
    Check(
        name="saved-reader",
        of="backbone",
        run=Lazy("multigraft.testing.check_saving:own_reader"),
        what="The saved folder alone says how its rows are read.",
        why="weights are opened without the recipe that made them",
        mend="let Backbone.reader look into origin.path, or not depend on what was saved",
    ),
    Check(
        name="replay",
        of="backbone",
        run=Lazy("multigraft.testing.check_learning:replay"),
        what="Trainings that replay frozen blocks end as those that compute them, at several "
        "depths.",
        why="frozen blocks are computed once per row instead of once per epoch",
        mend="call each block once, and read nothing behind it but what it gave",
    ),
    Check(
        name="graph",
        of="backbone",
        run=Lazy("multigraft.testing.check_onnx:graph"),
        what="Its ONNX graph answers as it does: a row, a batch, beside padding, at other lengths.",
        why="a bundle serves the graph",
        mend="use operators that torch.onnx can export, and no Python branch on a tensor's size or "
        "value",
    ),
    Check(
        name="int8",
        of="backbone",
        run=Lazy("multigraft.testing.check_onnx:int8"),
        what="Its int8 graph gives features that point the same way.",
        why="int8 is tried at every export, in the way that `quantization` says",
        mend='choose "dynamic" for matrix products, "static" for convolutions, '
        '"none" where neither works',
    ),
    Check(
        name="decoder",
        of="backbone",
        run=Lazy("multigraft.testing.check_decoder:decodes"),
        what="A task takes its decoder, whose memory and state have the shapes of `writing`; a "
        "text read token by token gives the logits of reading it at once.",
        why="it is trained on whole texts, and writes a token a step",
        mend="hand all that the next token needs from step to step, under the names of writing",
    ),
    Check(
        name="decoder-graph",
        of="backbone",
        run=Lazy("multigraft.testing.check_decoder:decoder_graph"),
        what="Its encoder and its step become ONNX graphs that give the same logits, in steps and "
        "at once.",
        why="a bundle writes with the graphs, and is refused where they differ",
        mend="write a step over any number of tokens without a loop over them, and branch on no "
        "tensor's size or value",
    ),
)
WATCHING = (
    Check(
        name="watches",
        of="plugin",
        run=Lazy("multigraft.testing.check_observers:watches"),
        what="A training that its observers watch ends as one that they do not, and they do not "
        "raise.",
        why="an observer that raises is switched off, and one that changes the model spoils a "
        "resumed run",
        mend="read what step_end and epoch_end are given, and set run.stop at the most",
    ),
)
TEACHING = (
    Check(
        name="losses",
        of="task",
        run=Lazy("multigraft.testing.check_task:losses"),
        what="The loss is a finite sum and a weight for each row, with a gradient for all of the "
        "head.",
        why="batches of any size and split must add up to the same mean",
        mend="give mg.RowLoss of two [B] tensors, the first with a gradient, the second without",
    ),
    Check(
        name="chance",
        of="task",
        run=Lazy("multigraft.testing.check_task:chance"),
        what="`view` and `prepare` follow from their generator alone, and leave what they are "
        "given.",
        why="a resumed run draws the same only then, and read rows are used again",
        mend="draw from rng only, and change copies",
    ),
    Check(
        name="trains",
        of="task",
        run=Lazy("multigraft.testing.check_task:trains"),
        what="A tiny training and its evaluation give finite metrics in their range, `monitor` "
        "among them.",
        why="the best checkpoint is chosen by `monitor`, and a report shows the rest",
        mend="give every name of summarise a finite number, also on few rows",
    ),
    Check(
        name="resumes",
        of="task",
        run=Lazy("multigraft.testing.check_task:resumes"),
        what="A training that is interrupted ends with the bits of one that is not.",
        why="a run may be killed at any time",
        mend="keep no state between calls of the objective, and draw from rng only",
    ),
    Check(
        name="answers",
        of="task",
        run=Lazy("multigraft.testing.check_answers:answers"),
        what="Its bundle answers values with dicts that are JSON, beside longer values as alone.",
        why="a server sends them as they are, and puts strangers' values into one batch",
        mend="turn numpy numbers into Python's in Answers.answer, leave out what is not finite, "
        "and what pads",
    ),
    Check(
        name="places",
        of="task",
        run=Lazy("multigraft.testing.check_positions:placed"),
        what="Targets and answers leave out positions that the reader gives alike for every value.",
        why="what stands around a value, as [CLS], is no part of it: it has no tag, and names no "
        "person",
        mend="give such positions a target that the loss ignores, serve which positions are a "
        "value's, and answer for those alone",
    ),
    Check(
        name="joined-windows",
        of="task",
        run=Lazy("multigraft.testing.check_positions:joined"),
        what="Answers that join make one answer of windows of different length, the same beside "
        "others as alone.",
        why="a long value is cut into windows, the last one shorter than the others",
        mend="use of each window's outputs as much as its row has, and set joins only where "
        "several are looked at",
    ),
    Check(
        name="scores",
        of="task",
        run=Lazy("multigraft.testing.check_answers:scored"),
        what="Scores of answers have one shape for every row, from the JSON of an answer as from "
        "itself, and finite metrics.",
        why="they are kept in arrays, resampled for intervals, and computed again from a bundle",
        mend="count in arrays of a fixed size, read an answer's plain fields, and give numbers "
        "where nothing was counted",
    ),
    Check(
        name="figures",
        of="task",
        run=Lazy("multigraft.testing.check_answers:figures"),
        what="Evaluation answers every held-out row as the bundle does, and gives the figures of "
        "the bundle's answers.",
        why="what is judged is what people get",
        mend="let an answer follow from its windows and the targets alone, and keep nothing "
        "between calls",
    ),
    Check(
        name="asked-windows",
        of="task",
        run=Lazy("multigraft.testing.check_answers:asked_windows"),
        what="A value that is cut is answered from as many windows as were asked for.",
        why="a caller chooses between windows and cutting off, and evaluation must do what is "
        "usual",
        mend="set joins beside windows, and make the answer of all windows that are given",
    ),
    Check(
        name="augmented-targets",
        of="task",
        run=Lazy("multigraft.testing.check_positions:augmented"),
        what="Rows that were augmented with their targets have a loss.",
        why="`training.augment` changes read rows, in which the targets stand beside the value",
        mend="let the targets follow what view finds in the row, or refuse the modality",
    ),
    Check(
        name="writes",
        of="task",
        run=Lazy("multigraft.testing.check_writing:writes"),
        what="A text read token by token, and behind padding, gives the logits of reading it at "
        "once.",
        why="a bundle writes a token a step, prompts of different length beside one another",
        mend="hand all that the next token needs from step to step, and leave out what the mask "
        "does",
    ),
)
STEERING = (
    Check(
        name="learns",
        of="strategy",
        run=Lazy("multigraft.testing.check_strategy:learns"),
        what="Every small backbone takes two steps under it; what learns moves, and nothing else "
        "does.",
        why="a recipe combines any strategy with any backbone",
        mend="decide by blocks and rules, not by names that one network has",
    ),
    Check(
        name="plans",
        of="strategy",
        run=Lazy("multigraft.testing.check_strategy:plans"),
        what="It gives a new plan that follows from the one before, at the bounds of every option.",
        why="strategies of a list are applied one after another, again when a run resumes",
        mend="return plan.change(...), and raise mg.RecipeError for options that do not fit",
    ),
)
