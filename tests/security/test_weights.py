"""Weights of a stranger: no name in them leads anywhere, and no number in them claims memory or
time."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import multigraft_text as text
from helpers.speech_toys import KINDS
from helpers.speech_toys import grow as grow_sound
from helpers.text_toys import grow, origin
from multigraft.contracts.records import Origin
from multigraft.errors import MultigraftError, WeightsError
from multigraft.models.untrusted import budget, harmless_config
from multigraft.system.files import check_tree

Open = Callable[[Path], Any]


def open_text(folder: Path) -> Any:
    where = origin(text.BERT, path=folder)
    return text.BERT.build(where, text.BERT.reader(where, {}))


def open_decoder(folder: Path) -> Any:
    where = origin(text.GPT, path=folder)
    return text.GPT.build(where, text.GPT.reader(where, {}))


def open_sound(folder: Path, kind: str = "wav2vec2") -> Any:
    from dataclasses import replace

    return grow_sound(replace(KINDS[kind], path=folder)).module


OPEN: dict[str, Open] = {"bert": open_text, "gpt": open_decoder, "wav2vec2": open_sound}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights for each kind of network."""
    root = tmp_path_factory.mktemp("saved")
    modules = {
        "bert": grow(text.BERT).module,
        "gpt": grow(text.GPT).module,
        "wav2vec2": grow_sound(KINDS["wav2vec2"]).module,
        "logmel": grow_sound(KINDS["logmel"]).module,
    }
    for name, module in modules.items():
        (root / name).mkdir()
        module.save(root / name, head=None, labels=())
    return root


@pytest.fixture(params=list(OPEN))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def folder(kind: str, saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved / kind, tmp_path / "weights"))


def change(folder: Path, **fields: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **fields}))


def refused(opened: Open, folder: Path, match: str) -> None:
    """It is refused soon, and with little memory."""
    began = time.perf_counter()
    with pytest.raises(MultigraftError, match=match):
        opened(folder)
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize(
    "name",
    [
        "../victim/model.safetensors",
        "{victim}",
        "inner/model.safetensors",
        "..",
        "gone.safetensors",
    ],
)
def test_an_index_names_files_of_its_folder_alone(
    name: str, kind: str, folder: Path, tmp_path: Path
) -> None:
    victim = tmp_path / "victim" / "model.safetensors"
    for place in (victim, folder / "inner" / "model.safetensors"):
        place.parent.mkdir()
        shutil.copyfile(folder / "model.safetensors", place)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    shard = name.format(victim=victim)
    for index in ("model.safetensors.index.json", "pytorch_model.bin.index.json"):
        (folder / index).write_text(
            json.dumps({"metadata": {}, "weight_map": dict.fromkeys(tensors, shard)})
        )
        refused(OPEN[kind], folder, "index.json: names")


def test_a_folder_without_weights_says_what_is_missing(kind: str, folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "training_args.bin").write_bytes(b"x")
    looked = "has no weights; looked for model.safetensors, model.safetensors.index.json, pytorch_"
    refused(OPEN[kind], folder, looked + r".*it holds .*config.json.*training_args.bin")


def test_shards_of_the_folder_itself_are_opened(folder: Path, kind: str) -> None:
    whole = OPEN[kind](folder).state_dict()
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    places = {name: f"model-{index % 2}.safetensors" for index, name in enumerate(names)}
    for shard in set(places.values()):
        chosen = {name: tensors[name] for name in names if places[name] == shard}
        save_file(chosen, folder / shard, metadata={"format": "pt"})
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    again = OPEN[kind](folder).state_dict()
    assert all(torch.equal(whole[name], again[name]) for name in tensors if name in whole)


NAMES: dict[str, Any] = {
    "_attn_implementation": "kernels-community/flash-attn",
    "attn_implementation": "kernels-community/flash-attn",
    "_attn_implementation_internal": "owner/kernel",
    "_experts_implementation": "owner/kernel",
    "experts_implementation": "owner/kernel",
    "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "owner/name--evil.Model"},
    "custom_pipelines": {"text-classification": {"impl": "evil.Pipeline"}},
    "_name_or_path": "owner/name",
    "name_or_path": "owner/name",
    "tokenizer_class": "evil.Tokenizer",
    "per_layer_config": {"0": {"_attn_implementation": "owner/kernel"}},
    "something_new": ["owner/name"],
    "kernel_config": {"owner/kernel": "layer"},
}


@pytest.mark.parametrize("name", NAMES)
def test_names_in_a_configuration_lead_nowhere(name: str, kind: str, folder: Path) -> None:
    calm = OPEN[kind](folder)
    change(folder, **{name: NAMES[name]})
    module = OPEN[kind](folder)
    told = json.dumps(module.model.config.to_dict(), default=str)
    assert not any(word in told for word in ("owner/", "evil", "kernels-community"))
    assert module.model.config._attn_implementation == calm.model.config._attn_implementation
    state = calm.state_dict()
    assert all(
        torch.equal(state[key], value) for key, value in module.state_dict().items() if key in state
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quantization_config", {"quant_method": "bitsandbytes", "load_in_4bit": True}),
        ("transformers_weights", "../victim/model.safetensors"),
    ],
)
def test_what_would_make_it_another_model_is_refused(
    name: str, value: Any, kind: str, folder: Path
) -> None:
    change(folder, **{name: value})
    refused(OPEN[kind], folder, name)


def test_an_adapter_is_no_model(kind: str, folder: Path, tmp_path: Path) -> None:
    base = {"base_model_name_or_path": str(tmp_path), "peft_type": "LORA"}
    (folder / "adapter_config.json").write_text(json.dumps(base))
    refused(OPEN[kind], folder, "holds an adapter")


CLAIMS: dict[str, list[dict[str, Any]]] = {
    "bert": [
        {"num_hidden_layers": 10**7},
        {"num_hidden_layers": 50_000},
        {"hidden_size": 2**20, "num_attention_heads": 2},
        {"vocab_size": 10**10},
        {"intermediate_size": 10**9},
        {"max_position_embeddings": 10**9},
        {"num_labels": 10**12},
        {"hidden_size": 1e300},
    ],
    "gpt": [{"n_layer": 10**7}, {"n_positions": 10**6}, {"n_embd": 2**20}, {"n_inner": 10**10}],
    "wav2vec2": [
        {"num_hidden_layers": 10**7},
        {"conv_dim": [10**6] * 7},
        {"num_conv_pos_embeddings": 99_999},
        {"hidden_size": 2**20},
    ],
}


@pytest.mark.parametrize(
    ("name", "claim"), [(name, claim) for name, claims in CLAIMS.items() for claim in claims]
)
def test_a_network_is_not_built_larger_than_its_weights(
    name: str, claim: dict[str, Any], saved: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(saved / name, tmp_path / "weights"))
    change(folder, **claim)
    refused(OPEN[name], folder, "larger network|at most|cannot be used")


SMALLEST: dict[str, list[dict[str, Any]]] = {
    "bert": [
        {"num_hidden_layers": -1},
        {"num_hidden_layers": 0},
        {"num_attention_heads": -2},
        {"num_attention_heads": 0},
        {"hidden_size": 0},
        {"max_position_embeddings": 0},
        {"max_position_embeddings": -1},
        {"vocab_size": -3},
        {"layer_norm_eps": float("nan")},
        {"layer_norm_eps": -1.0},
        {"initializer_range": float("inf")},
        {"hidden_dropout_prob": 1.5},
        {"pad_token_id": -2},
    ],
    "gpt": [
        {"n_layer": -1},
        {"n_layer": 0},
        {"n_head": -2},
        {"n_positions": 0},
        {"attn_pdrop": -0.1},
    ],
    "wav2vec2": [
        {"num_hidden_layers": -1},
        {"layerdrop": 9},
        {"conv_kernel": [10, 3, 0]},
        {"conv_stride": [5, -2]},
        {"mask_time_prob": float("nan")},
    ],
}


@pytest.mark.parametrize(
    ("name", "claim"), [(name, claim) for name, claims in SMALLEST.items() for claim in claims]
)
def test_a_number_that_no_network_has_is_refused(
    name: str, claim: dict[str, Any], saved: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(saved / name, tmp_path / "weights"))
    change(folder, **claim)
    with pytest.raises(WeightsError, match=rf"config\.json: {next(iter(claim))} is .* needed"):
        OPEN[name](folder)


def test_token_ids_that_mean_none_are_taken(saved: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved / "bert", tmp_path / "weights"))
    change(folder, pad_token_id=-1, sparse_pred_ignore_index=-100, label2id={"unknown": -1})
    assert open_text(folder) is not None


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("bert", {"num_attention_heads": 7}),
        ("bert", {"hidden_act": "none"}),
        ("bert", {"chunk_size_feed_forward": 7}),  # shows in a step alone
        ("bert", {"initializer_range": -1.0}),
        ("gpt", {"activation_function": "none"}),
        ("gpt", {"n_head": 3}),
        ("wav2vec2", {"hidden_act": "none"}),
        ("wav2vec2", {"num_conv_pos_embedding_groups": 7}),
    ],
)
def test_what_building_raises_names_the_folder(
    name: str, claim: dict[str, Any], saved: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(saved / name, tmp_path / "weights"))
    change(folder, **claim)
    with pytest.raises(WeightsError, match="weights"):
        OPEN[name](folder)


@pytest.mark.parametrize(
    ("name", "key", "block"),
    [
        ("bert", "num_hidden_layers", "encoder.layer.1"),
        ("gpt", "n_layer", "h.1"),
        ("wav2vec2", "num_hidden_layers", "encoder.layers.1"),
    ],
)
def test_layers_of_the_files_are_not_left_out(
    name: str, key: str, block: str, saved: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(saved / name, tmp_path / "weights"))
    layers = json.loads((folder / "config.json").read_text())[key]
    assert layers > 1
    change(folder, **{key: 1})
    with pytest.raises(WeightsError, match=rf"no place for \(.*{block}"):
        OPEN[name](folder)


HEADS = {
    "bert": ("BertForMaskedLM", "BertForPreTraining", "BertForSequenceClassification", "BertModel"),
    "gpt": ("GPT2LMHeadModel", "GPT2ForSequenceClassification", "GPT2DoubleHeadsModel"),
    "wav2vec2": ("Wav2Vec2ForCTC", "Wav2Vec2ForPreTraining", "Wav2Vec2ForSequenceClassification"),
}


@pytest.mark.parametrize(
    ("name", "made"), [(name, made) for name, each in HEADS.items() for made in each]
)
def test_heads_and_buffers_are_left_out(name: str, made: str, saved: Path, tmp_path: Path) -> None:
    import transformers

    folder = Path(shutil.copytree(saved / name, tmp_path / "weights"))
    config = transformers.AutoConfig.from_pretrained(folder)
    model = getattr(transformers, made)(config)
    prefix = "" if made == "BertModel" else f"{model.base_model_prefix}."
    old = {
        "bert": ("embeddings.position_ids", "embeddings.token_type_ids"),
        "gpt": ("h.0.attn.bias", "h.1.attn.masked_bias"),
    }
    state = model.state_dict() | {prefix + key: torch.zeros(1) for key in old.get(name, ())}
    model.save_pretrained(folder, state_dict=state)
    file = folder / "model.safetensors"
    tensors = load_file(file) | {prefix + key: torch.zeros(1) for key in old.get(name, ())}
    save_file(tensors, file, metadata={"format": "pt"})
    assert OPEN[name](folder) is not None


@pytest.mark.parametrize(
    "claim",
    [
        {"depth": 10**7},
        {"width": 10**6},
        {"width": 16_384, "depth": 200},
        {"mels": "x"},
        {"sample_rate": 0},
    ],
)
def test_a_log_mel_encoder_is_bounded_too(
    claim: dict[str, Any], saved: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(saved / "logmel", tmp_path / "weights"))
    open_sound(folder, "logmel")
    change(folder, **claim)
    refused(lambda path: open_sound(path, "logmel"), folder, "describes no encoder|larger network")


def test_a_picture_s_network_is_bounded_too(tmp_path: Path) -> None:
    import multigraft_vision as vision

    family = next(
        record for record in vision.register_backbones() if "resnet-tiny" in _names(record)
    )
    config = family.sizes["tiny"].config
    where = Origin(backbone="resnet-tiny", size="tiny", config=config, path=None, hub=None)
    spec = family.reader(where, {})
    family.build(where, spec).save(tmp_path, head=None, labels=())
    opened = Origin(backbone="resnet-tiny", size="tiny", config=config, path=tmp_path, hub=None)
    assert family.build(opened, family.reader(opened, {})) is not None
    for changed in (
        {"model_args": {"checkpoint_path": "/etc/passwd"}},
        {"architecture": "resnet152"},
    ):
        change(tmp_path, **changed)
        refused(lambda _: family.build(opened, family.reader(opened, {})), tmp_path, "holds")


def _names(family: Any) -> set[str]:
    return {f"{family.name}-{size}" for size in family.sizes}


@pytest.mark.parametrize("key", ["vocab_file", "special_tokens_map_file", "tokenizer_file"])
def test_a_tokenizer_s_settings_open_no_other_file(key: str, saved: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved / "bert", tmp_path / "weights"))
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").unlink()
    words = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    secret = tmp_path / "secret"
    secret.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hunter2"]) + "\n")
    settings = {"tokenizer_class": "BertTokenizer", key: str(secret)}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    spec = text.BERT.reader(origin(text.BERT, path=folder), {})
    assert "hunter2" not in json.dumps(spec)
    assert set(words) <= set(spec["tokenizer.json"]["model"]["vocab"])


def test_weights_links_lead_to_their_folder_or_the_hub_s_blobs(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    snapshot = tmp_path / "models--owner--name" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    blob = tmp_path / "models--owner--name" / "blobs" / "0123"
    blob.parent.mkdir()
    blob.write_text("{}")
    (snapshot / "config.json").symlink_to(blob)
    check_tree(snapshot, links=True)
    (snapshot / "vocab.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match=r"vocab\.txt is a link out of the folder"):
        check_tree(snapshot, links=True)


def test_words_are_kept_where_an_architecture_has_settings() -> None:
    config = {
        "act": "gelu",
        "rope_theta": 1e4,
        "rope_scaling": {"type": "linear"},
        "x": "y",
        "_z": 3,
    }
    kept = harmless_config(config, {"act"})
    assert kept == {"act": "gelu", "rope_theta": 1e4, "rope_scaling": {"type": "linear"}}


def test_a_budget_moves_no_chance_and_leaves_no_trace(tmp_path: Path) -> None:
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    with budget(tmp_path):
        torch.nn.Linear(8, 8)
    with pytest.raises(WeightsError, match="larger network"), budget(tmp_path):
        torch.nn.Linear(10**5, 10**5)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.nn.Linear(10**4, 10**4)  # afterwards everything may be built again
