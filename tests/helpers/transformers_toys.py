"""Random models of any type of transformers, saved to a folder with a tokenizer learned there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

import multigraft_text as text
from helpers.text_toys import DOCUMENTS, LABELS, Grown
from multigraft import Origin
from multigraft_text.causal import CausalLanguageModeling
from multigraft_text.reader import TextReader
from multigraft_text.saving import save_tokenizer

PROMPTS = [" ".join(text.split()[:n]) for n, text in zip((1, 2, 4, 6, 3), DOCUMENTS, strict=False)]


def asked(name: str, *, folder: Path | None = None, **options: Any) -> Origin:
    """The origin that a recipe's ``transformers/<name>`` becomes."""
    assert text.TRANSFORMERS.find is not None
    size = text.TRANSFORMERS.find(name)
    assert size is not None
    return Origin(
        backbone=f"transformers/{name}",
        size=name,
        config={**size.config, **options},
        hub=None if folder is not None else size.hub,
        path=folder or size.path,
    )


def grow(origin: Origin, **options: Any) -> Grown:
    """A backbone with its reader, each number of which counts."""
    torch.manual_seed(0)
    family = text.TRANSFORMERS
    learned = {"vocabulary": 320} if origin.scratch else {}
    spec = family.reader(origin, {**learned, **options})
    assert text.TEXT.fit is not None
    spec = text.TEXT.fit(DOCUMENTS, spec)
    module: Any = family.build(origin, spec).eval()
    if origin.scratch:
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    return Grown(family, spec, TextReader(spec), module)


def stock(kind: str, folder: Path, automodel: Any, **config: Any) -> Any:
    """A random model of ``automodel``'s class, saved with the tokenizer of a tiny one of ours."""
    scratch = grow(asked(f"{kind}-tiny", config=config))
    settings = scratch.module.model.config
    settings.num_labels = len(LABELS)
    torch.manual_seed(2)
    model = automodel.from_config(settings).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    save_tokenizer(scratch.spec, folder, writes=False)
    return model


def inputs_of(module: Any, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What of a batch transformers' own model is given."""
    names = {
        "input_ids",
        "attention_mask",
        *(["token_type_ids"] if module.spec["token_types"] else []),
    }
    return {name: batch[name] for name in names}


def writing(kind: str, folder: Path, **config: Any) -> tuple[Any, Any, Any]:
    """A stock language model, its folder opened, and how that writes."""
    model = stock(kind, folder, AutoModelForCausalLM, **config)
    opened = grow(asked(str(folder)))
    objective = CausalLanguageModeling(opened.brief())
    return model, opened, objective.generating(objective.head().eval())


def greedy(model: Any, opened: Any, prompt: str) -> list[int]:
    """The 20 tokens that transformers writes behind a prompt."""
    tokens = opened.reader.prompt(prompt)
    with torch.inference_mode():
        whole = model.generate(
            torch.from_numpy(tokens)[None],
            max_new_tokens=20,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=opened.spec["pad_id"],
        )
    found: list[int] = whole[0, len(tokens) :].tolist()
    return found


def until(tokens: list[int], stop: tuple[int, ...]) -> list[int]:
    """Tokens up to the first that ends a text."""
    ends = [place for place, token in enumerate(tokens) if token in stop]
    return tokens[: ends[0] + 1] if ends else tokens
