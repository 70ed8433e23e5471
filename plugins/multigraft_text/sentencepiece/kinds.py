"""How T5, XLM-R, mBART, DeBERTa and SigLIP number the pieces of their SentencePiece file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tokenizers import Regex, normalizers

from multigraft.errors import WeightsError
from multigraft_text.sentencepiece.conversion import Layout
from multigraft_text.sentencepiece.model_file import PieceModel

FAIRSEQ = ("<s>", "<pad>", "</s>", "<unk>")
"""What stands in front of the pieces of models that were trained with fairseq."""
SENTINELS = {"t5": 100, "mt5": 0}
"""Of each kind, where its settings do not say."""
MOST_SENTINELS = 1000
PUNCTUATION = r"[!-/:-@\[-`{-~]"
"""Python's `string.punctuation`."""
Settings = Mapping[str, Any]


def t5(model: PieceModel, settings: Settings, kind: str) -> Layout:
    """T5 counts its sentinels from the last id down; mT5 has them among its pieces. Raises
    WeightsError for a number of them that no T5 has."""
    count = settings.get("extra_ids", SENTINELS[kind])
    if not isinstance(count, int) or not 0 <= count <= MOST_SENTINELS:
        raise WeightsError(
            f"tokenizer_config.json: extra_ids is {count!r}; a number from 0 to {MOST_SENTINELS} "
            "is needed"
        )
    sentinels = [f"<extra_id_{number}>" for number in reversed(range(count))]
    return Layout(
        pieces=[*model.pieces, *((token, 0.0) for token in sentinels)],
        unknown=model.unknown,
        special=[*model.control, *sentinels],
        single="$A </s>",
        pair="$A </s> $B </s>",
    )


def xlm_roberta(model: PieceModel, settings: Settings, kind: str) -> Layout:
    """Fairseq's four, the pieces behind SentencePiece's three, a mask."""
    del settings, kind
    return _fairseq(model, (), "<s> $A </s>", "<s> $A </s> </s> $B </s>")


def mbart(model: PieceModel, settings: Settings, kind: str) -> Layout:
    """The same with the languages before the mask: 25, named behind a text, or 50, before it."""
    del kind
    from transformers.models.mbart.tokenization_mbart import FAIRSEQ_LANGUAGE_CODES as FEW
    from transformers.models.mbart50.tokenization_mbart50 import FAIRSEQ_LANGUAGE_CODES as MANY

    source = settings.get("src_lang") or "en_XX"
    if str(settings.get("tokenizer_class")).startswith("MBart50"):
        return _fairseq(model, tuple(MANY), f"{source} $A </s>", f"{source} $A $B </s>")
    return _fairseq(model, tuple(FEW), f"$A </s> {source}", f"$A $B </s> {source}")


def deberta(model: PieceModel, settings: Settings, kind: str) -> Layout:
    """The pieces as they are, and a mask behind them. Raises WeightsError for settings that change
    texts before."""
    del kind
    if asked := [name for name in ("do_lower_case", "split_by_punct") if settings.get(name)]:
        raise WeightsError(
            f"tokenizer_config.json: {asked[0]} is not converted; copy the tokenizer.json that "
            "belongs to these weights beside it"
        )
    return Layout(
        pieces=[*model.pieces, ("[MASK]", 0.0)],
        unknown=model.unknown,
        special=[*model.control, "[MASK]"],
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        mask="[MASK]",
    )


def siglip(model: PieceModel, settings: Settings, kind: str) -> Layout:
    """The pieces as they are, of texts in lower case and without ASCII's punctuation, as
    transformers' tokenizer makes them first."""
    del kind
    lower = [normalizers.Lowercase()] if settings.get("do_lower_case", True) else []
    return Layout(
        pieces=model.pieces,
        unknown=model.unknown,
        special=model.control,
        single="$A </s>",
        pair="$A </s> $B </s>",
        first=[
            *lower,
            normalizers.Replace(Regex(PUNCTUATION), ""),
            normalizers.Replace(Regex(r"\s+"), " "),
        ],
    )


def _fairseq(model: PieceModel, languages: tuple[str, ...], single: str, pair: str) -> Layout:
    behind = (*languages, "<mask>")
    return Layout(
        pieces=[
            *((token, 0.0) for token in FAIRSEQ),
            *model.pieces[3:],
            *((token, 0.0) for token in behind),
        ],
        unknown=FAIRSEQ.index("<unk>"),
        special=[*FAIRSEQ, *behind],
        single=single,
        pair=pair,
        mask="<mask>",
    )


KINDS: Mapping[str, tuple[str, Callable[[PieceModel, Settings, str], Layout]]] = {
    "t5": ("spiece.model", t5),
    "mt5": ("spiece.model", t5),
    "xlm-roberta": ("sentencepiece.bpe.model", xlm_roberta),
    "mbart": ("sentencepiece.bpe.model", mbart),
    "deberta-v2": ("spm.model", deberta),
    **dict.fromkeys(("siglip", "siglip_text_model"), ("spiece.model", siglip)),
}
"""By model type: the file, and its layout."""
