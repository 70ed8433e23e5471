# %% [markdown]
# # Several modalities: half a picture and half a sentence
#
# Some rows can only be answered by two senses.
# Here the lower half of each handwritten digit is covered, and a sentence says whether the number is odd and whether it is large: neither alone is enough.
# One recipe trains a network for the pictures and one for the sentences, with one head over both; rows may lack either.
#
# It takes about a minute on a processor.

# %% tags=["install"]
# %pip install -q "multigraft[text,vision]"

# %% [markdown]
# ## Data

# %%
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits

import multigraft as mg

digits = load_digits()
pixels = (digits.images * 255 / 16).round().astype(np.uint8)[..., None]
pixels[:, 4:] = 0  # the lower half is covered
chance = np.random.default_rng(0)


def sentence(number):
    """What is told of a number, in one of several ways."""
    odd = ["it is odd", "an odd one"] if number % 2 else ["it is even", "an even one"]
    large = ["more than four", "rather large"] if number > 4 else ["at most four", "rather small"]
    told = [chance.choice(odd), chance.choice(large)]
    chance.shuffle(told)
    return ", ".join(told)


rows = [
    {"text": sentence(number), "image": picture, "label": str(number)}
    for picture, number in zip(pixels, digits.target, strict=True)
]
train, test = rows[:600], rows[1497:]
pd.DataFrame(rows)[["text", "label"]].head()


# %%
def side_by_side(rows):
    """Their pictures, every pixel eight wide."""
    row = np.hstack([each["image"][..., 0] for each in rows])
    return Image.fromarray(row.repeat(8, axis=0).repeat(8, axis=1))


side_by_side(rows[:12])

# %% [markdown]
# ## Each sense alone
#
# A sentence leaves two or three numbers possible, half a picture mostly one or two.
#
# The same few sentences stand in training and in the test, which is refused unless it is said to be meant: a score on rows that were learned would mean nothing.
# Here it is in the nature of the rows, so `leakage` allows it, for this run alone.


# %%
def only(rows, column):
    """The rows with their label and one of the two values."""
    return [{column: row[column], "label": row["label"]} for row in rows]


training = {"epochs": 5, "learning_rate": 2e-3}
of_text = mg.finetune(
    task="text-classification",
    backbone="bert-tiny",
    data={
        "train": only(train, "text"),
        "test": only(test, "text"),
        "leakage": {"allowed": 1},
    },
    training=training,
)
of_text.evaluate()

# %%
of_image = mg.finetune(
    task="image-classification",
    backbone="resnet-tiny",
    data={"train": only(train, "image"), "test": only(test, "image")},
    training=training,
)
of_image.evaluate()

# %% [markdown]
# ## Both
#
# A mapping of backbones makes a network with a branch for each column.
# One in five training rows lacks its sentence, and `missing: allow` learns from them all the same, so that the model can be asked with either value alone.

# %%
lacking = [{**row, "text": None if chance.random() < 0.2 else row["text"]} for row in train]
run = mg.finetune(
    task="classification",
    backbone={"text": "bert-tiny", "image": "resnet-tiny"},
    data={"train": lacking, "test": test, "missing": "allow"},
    training=training,
)
report = run.evaluate(rows="answers.csv")
report

# %% [markdown]
# The three accuracies side by side, with their intervals: what neither sense knows alone, both know together.

# %%
runs = {"sentence": of_text, "half a picture": of_image, "both": run}
accuracies = {name: each.report.metrics["accuracy"] for name, each in runs.items()}
pd.DataFrame(
    {name: [each.value, each.low, each.high] for name, each in accuracies.items()},
    index=["accuracy", "from", "to"],
).T.round(3)

# %% [markdown]
# ## What is still wrong?
#
# The worst rows: what was told, and the half that was seen.

# %%
answers = pd.read_csv("answers.csv").assign(told=[row["text"] for row in test])
worst = answers.sort_values("loss", ascending=False).head(8)
worst[["told", "expected", "answer", "loss"]].round(2)

# %%
side_by_side([test[place] for place in worst.index])

# %% [markdown]
# ## A bundle, and answers without torch
#
# The bundle has a graph for each branch and a small one for the head; where a value is missing its graph rests.

# %%
exported = run.export()
bundle = exported.files["bundle"]
predictor = mg.load(bundle)
predictor

# %%
one = test[0]
questions = {
    "both": {"text": one["text"], "image": one["image"]},
    "the picture alone": {"image": one["image"]},
    "the sentence alone": {"text": one["text"]},
}
answered = predictor.predict(list(questions.values()), top_k=3)
pd.DataFrame(answered, index=list(questions))[["label", "score"]].round(3)

# %% [markdown]
# The less it is told, the less sure it is, and the score says so.

# %%
import subprocess
import sys

Image.fromarray(one["image"][..., 0]).save("half.png")
script = f"""
import sys
import multigraft as mg
value = {{"text": {one["text"]!r}, "image": "half.png"}}
print(mg.load({bundle!r}).predict(value)["label"], "torch" in sys.modules)
"""
fresh = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
label, torch_imported = fresh.stdout.split()
print(f"answered {label}, written {one['label']}; torch imported: {torch_imported}")

# %% [markdown]
# ## Go on
#
# - `strategy={"text": "linear-probe", "image": "full"}` gives each branch its own.
# - `task={"name": "classification", "fusion": "gated"}` weighs the branches row by row.
# - A branch may be a table of columns, or a sound.
