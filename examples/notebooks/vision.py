# %% [markdown]
# # Vision: handwritten digits, from arrays to a bundle
#
# scikit-learn brings 1,797 digits that 13 people wrote, 8 by 8 pixels each.
# This notebook trains a small residual network on them, looks at what it gets wrong, and exports it.
#
# It takes less than a minute on a processor.

# %% tags=["install"]
# %pip install -q "multigraft[vision]"

# %% [markdown]
# ## Data
#
# Pictures may be files in folders, Pillow's pictures, or arrays `[rows, height, width, channels]` beside their labels, as here.

# %%
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import multigraft as mg

digits = load_digits()
pixels = (digits.images * 255 / 16).round().astype(np.uint8)[..., None]
labels = digits.target_names[digits.target].astype(str)
train, test = slice(0, 500), slice(1400, 1797)


def side_by_side(pictures):
    """Pictures in a row, every pixel eight wide."""
    row = np.hstack([picture[..., 0] for picture in pictures])
    return Image.fromarray(row.repeat(8, axis=0).repeat(8, axis=1))


side_by_side(pixels[:12])

# %% [markdown]
# The set does not say who wrote which digit, but keeps the order in which they came in.
# So the last 397 are the test: they are likelier to be of other hands than 397 drawn at random.
#
# ## What is easy?
#
# Before any network, a logistic regression on the 64 pixels.

# %%
flat = pixels.reshape(len(pixels), -1) / 255
regression = LogisticRegression(max_iter=1000).fit(flat[train], labels[train])
print(f"logistic regression on pixels: {regression.score(flat[test], labels[test]):.3f}")

# %% [markdown]
# ## A probe
#
# `resnet-tiny` from scratch, frozen: its random filters with a linear layer on top.

# %%
recipe = {
    "task": "image-classification",
    "backbone": "resnet-tiny",
    "data": {"train": (pixels[train], labels[train]), "test": (pixels[test], labels[test])},
    "evaluation": {"bootstrap": 200},
}
probe = mg.finetune(recipe, strategy="linear-probe")
probe.evaluate()

# %% [markdown]
# ## Finetuning

# %%
run = mg.finetune(recipe, training={"epochs": 6, "batch_size": 16, "learning_rate": 2e-3})
report = run.evaluate(rows="answers.csv")
report

# %% [markdown]
# The interval is over the 397 test rows.
# Where two intervals overlap a difference may still be real, since both models answered the same rows: that is what `compare` looks at.

# %%
compared = mg.compare([probe, run])
compared

# %% [markdown]
# ## What does it get wrong?
#
# The pictures with the largest loss, with what they are and what the network said.

# %%
answers = pd.read_csv("answers.csv")
worst = answers.sort_values("loss", ascending=False).head(8)
worst[["expected", "answer", "loss"]].T

# %%
side_by_side(pixels[test][worst.index])

# %% [markdown]
# Most are digits that people would have to look at twice, too.
#
# ## A bundle, and answers without torch

# %%
exported = run.export()
bundle = exported.files["bundle"]
predictor = mg.load(bundle)
predictor

# %%
answered = predictor.predict(pixels[test][:5], top_k=2)
pd.DataFrame(answered).round(3)

# %% [markdown]
# A fresh process that opens the bundle imports no torch.

# %%
import subprocess
import sys

Image.fromarray(pixels[1500, ..., 0]).save("digit.png")
script = f"""
import sys
import multigraft as mg
print(mg.load({bundle!r}).predict("digit.png")["label"], "torch" in sys.modules)
"""
fresh = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
label, torch_imported = fresh.stdout.split()
print(f"answered {label}, written {labels[1500]}; torch imported: {torch_imported}")

# %% [markdown]
# ## Go on
#
# - `backbone="timm/resnet18"` and any other name of timm, with weights from a folder or a hub.
# - `mg.pretrain(task="image-contrastive", ...)` learns from pictures without labels; its run is another recipe's `weights`.
# - `training={"augment": "light"}` moves and crops the pictures while they are learned; digits must not be mirrored, so `{"name": "light", "flip": False}`.
