# %% [markdown]
# # Across domains: does what was learned here hold there?
#
# A model is trained on one kind of rows and used on another.
# How much is lost, is it the strategy or luck, and would a model of the target's own have been better?
# An *experiment* answers with a grid: every source, every strategy, several seeds, each tested on every domain.
#
# It takes about a minute on a processor.

# %% tags=["install"]
# %pip install -q "multigraft[text]" pycountry

# %% [markdown]
# ## Domains
#
# Names of countries, of currencies and of scripts, each written in four languages: which language is it?
# The labels are the same everywhere, the words are not.

# %%
import gettext
from pathlib import Path

import pandas as pd
import pycountry

import multigraft as mg

LANGUAGES = {"fr": "French", "tr": "Turkish", "pl": "Polish", "sv": "Swedish"}
DOMAINS = {
    "countries": ("iso3166-1", pycountry.countries),
    "currencies": ("iso4217", pycountry.currencies),
    "scripts": ("iso15924", pycountry.scripts),
}


def names_of(domain):
    """A table of names with their languages; those that two languages share are left out."""
    catalog, things = DOMAINS[domain]
    rows = []
    for code, language in LANGUAGES.items():
        translate = gettext.translation(catalog, pycountry.LOCALES_DIR, [code]).gettext
        rows += [
            {"text": translate(thing.name), "label": language, "thing": thing.name}
            for thing in things
            if translate(thing.name) != thing.name
        ]
    return pd.DataFrame(rows).drop_duplicates("text", keep=False)


tables = {domain: names_of(domain) for domain in DOMAINS}
pd.concat({domain: table.sample(3, random_state=0) for domain, table in tables.items()})

# %% [markdown]
# Each domain gets a file to learn from and one to be tested on; every third thing is held out in all languages.

# %%
Path("names").mkdir(exist_ok=True)
for domain, table in tables.items():
    held_out = table["thing"].isin(sorted(table["thing"].unique())[::3])
    table[~held_out].to_csv(f"names/{domain}.csv", index=False)
    table[held_out].to_csv(f"names/{domain}-test.csv", index=False)

# %% [markdown]
# ## The grid
#
# Every combination of `vary` is a run; runs that differ by their seed alone are taken together.
# The same call goes on where it was stopped, and computes nothing twice.

# %%
grid = {
    "domains": {
        domain: {"train": f"names/{domain}.csv", "test": f"names/{domain}-test.csv"}
        for domain in DOMAINS
    },
    "recipe": {
        "task": "text-classification",
        "backbone": "bert-tiny",
        "reader": {"vocabulary": 500, "max_length": 32},
        "training": {"epochs": 6, "learning_rate": 3e-3},
        "evaluation": {"bootstrap": 100},
    },
    "vary": {
        "data": ["countries", "currencies"],
        "strategy": ["linear-probe", "full"],
        "seed": [0, 1],
    },
    "test_on": "all",
}
experiment = mg.experiment(grid, output="experiments/names")
experiment

# %% [markdown]
# Each matrix has what was learned from in its lines and what was tested on in its columns, with 95% intervals over rows and seeds.
# The best of a column is what learned from the domain itself: its own names are the easiest.
# Elsewhere a good part holds, and finetuning stays above the probe; names of scripts are what neither source has seen.
#
# ## What is lost on the way

# %%
lost = pd.DataFrame(
    [
        {
            "learned from": each.source,
            "tested on": each.target,
            "strategy": each.group.name,
            "accuracy": each.estimate.value,
            "minus its own model": each.over_own and each.over_own.value,
            "from": each.over_own and each.over_own.low,
            "to": each.over_own and each.over_own.high,
        }
        for each in experiment.transfers()
    ]
)
lost.round(3)

# %% [markdown]
# Where the whole interval of *minus its own model* lies below nothing, the loss is no luck.
# Two seeds that differ say little of a third, so some intervals are wide and reach over nothing, whatever the mean is.
#
# ## Every figure as a table
#
# `rows()` is what `results.parquet` holds: a line for each run, domain and metric.

# %%
figures = pd.DataFrame(experiment.rows())
accuracy = figures[figures["metric"] == "accuracy"]
accuracy.pivot_table(index=["data", "strategy"], columns="domain", values="value").round(3)

# %% [markdown]
# ## The best, as a bundle
#
# Cells are ordinary runs: they can be opened, compared, looked at and exported.

# %%
own = accuracy[(accuracy["domain"] == "countries") & (accuracy["data"] == "countries")]
best = own.sort_values("value", ascending=False).iloc[0]
run = mg.open_run(experiment.folder / "cells" / best["cell"])
run

# %%
exported = run.export()
predictor = mg.load(exported.files["bundle"])
asked = ["Szwecja", "Nouvelle-Zélande", "Birleşik Krallık", "Tyskland"]
pd.DataFrame(predictor.predict(asked), index=asked)[["label", "score"]].round(3)

# %% [markdown]
# ## Go on
#
# - `experiments/names/report.html` has the matrices as heat maps and every interval as a line.
# - Three seeds or more, before a backbone or a strategy is called better.
# - `vary` takes any field of a recipe: `backbone`, `training.learning_rate`, `data.limit` for curves over training rows.
