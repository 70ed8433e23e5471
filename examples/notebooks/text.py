# %% [markdown]
# # Text: which language is a name written in?
#
# *Allemagne*, *Almanya* and *Niemcy* are one country in three languages.
# This notebook trains a small classifier that tells them apart, from rows in a pandas table to a bundle that answers without torch.
# On the way it asks what an experimenter asks: is it better than guessing, is it better than a probe, where is it wrong, and is the difference real?
#
# It takes less than a minute on a processor.

# %% tags=["install"]
# %pip install -q "multigraft[text]" pycountry

# %% [markdown]
# ## Data
#
# `pycountry` brings the names of the world's countries and currencies, translated by volunteers.
# A name that is the same in two languages says nothing, so it is left out.
# Every third *thing* is held out in all languages: whoever has learned *Allemagne* is not asked about *Almanya*.

# %%
import gettext

import pandas as pd
import pycountry

import multigraft as mg

LANGUAGES = {"fr": "French", "tr": "Turkish", "pl": "Polish", "sv": "Swedish"}
THINGS = {"iso3166-1": pycountry.countries, "iso4217": pycountry.currencies}


def translated(domain, code):
    """Things of a domain with their names in a language, where they have one of its own."""
    translate = gettext.translation(domain, pycountry.LOCALES_DIR, [code]).gettext
    pairs = [(thing.name, translate(thing.name)) for thing in THINGS[domain]]
    return [(english, name) for english, name in pairs if name != english]


rows = [
    {"text": name, "label": language, "thing": english}
    for domain in THINGS
    for code, language in LANGUAGES.items()
    for english, name in translated(domain, code)
]
names = pd.DataFrame(rows).drop_duplicates("text", keep=False)
held_out = names["thing"].isin(sorted(names["thing"].unique())[::3])
train, test = names[~held_out], names[held_out]
names.sample(6, random_state=1)

# %% [markdown]
# The labels are not quite balanced: always answering the most frequent one is the baseline that anything has to beat.

# %%
train["label"].value_counts().to_frame("train").join(test["label"].value_counts().rename("test"))

# %% [markdown]
# ## A probe first
#
# The cheapest thing to try is a linear layer on a frozen backbone.
# `bert-tiny` is made from scratch here, so its features are random; what a probe reads from them is which pieces of words a name has, and no more.
# With `backbone={"name": "bert-tiny", "weights": "folder"}` the features would be those of published weights.

# %%
recipe = {
    "task": "text-classification",
    "backbone": "bert-tiny",
    "reader": {"vocabulary": 500, "max_length": 32},
    "data": {"train": train, "test": test},
    "evaluation": {"bootstrap": 200},
}
probe = mg.finetune(recipe, strategy="linear-probe")
probe.evaluate()

# %% [markdown]
# The report has each metric with its interval over the test rows; on the line from 0 to 1 the grey mark is the baseline.
# Pieces of words alone are worth something: the interval lies above the mark.
#
# ## Finetuning
#
# Now the whole network learns, from the same rows.

# %%
run = mg.finetune(recipe, training={"epochs": 5, "learning_rate": 3e-3})
report = run.evaluate(rows="answers.csv")
report

# %% [markdown]
# ## Where is it wrong?
#
# `rows="answers.csv"` kept the answer to every test row.
# The rows with the largest loss are those that the model was sure about, and wrong: here names that are nearly the same in two languages, as *Tadjikistan* and *Tadzjikistan*, and short ones.

# %%
answers = pd.read_csv("answers.csv").assign(text=test["text"].to_numpy())
worst = answers.sort_values("loss", ascending=False)
worst[["text", "expected", "answer", "loss"]].head(8).round(2)

# %% [markdown]
# ## Is the difference real?
#
# Both runs were tested on the same rows, so their difference is taken row by row.
# One seed each says nothing of other seeds; the notes tell so.

# %%
compared = mg.compare([probe, run])
compared

# %% [markdown]
# ## A bundle
#
# `export` writes a folder with an ONNX graph, the tokenizer and the labels.
# The int8 graph is in it only if it keeps the accuracy on held-out rows.

# %%
exported = run.export()
bundle = exported.files["bundle"]
exported

# %%
predictor = mg.load(bundle)
predictor

# %% [markdown]
# Answers are plain data, and make a table.

# %%
asked = ["Szwecja", "Nouvelle-Zélande", "Birleşik Krallık", "Ungern", "złoty polski"]
answered = predictor.predict(asked)
pd.DataFrame(answered, index=asked)[["label", "score"]].round(3)

# %% [markdown]
# ## Without torch
#
# A fresh process that opens the bundle imports no torch: `pip install multigraft` alone is what a deployer needs.

# %%
import subprocess
import sys

script = f"""
import sys
import multigraft as mg
print(mg.load({bundle!r}).predict("Norvège")["label"], "torch" in sys.modules)
"""
fresh = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
label, torch_imported = fresh.stdout.split()
print(f"Norvège: {label}; torch imported: {torch_imported}")

# %% [markdown]
# ## Go on
#
# - `mg.list_runs("runs", sort="value")` lists what was trained here; each run's folder has a `report.html` with curves and confusions.
# - Other strategies: `lora`, `partial`, `gradual-unfreezing`, and more, alone or in a list.
# - The cross-domain notebook asks whether what is learned from countries holds for currencies.

# %%
mg.list_runs("runs", sort="value")
