"""What both kinds of backbone owe the engine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import multigraft_speech as speech
from helpers.speech_toys import Grown, grow, origin, sounds
from multigraft import BackboneModule, MultigraftError
from multigraft.contracts.records import Backbone
from multigraft.errors import WeightsError

FAMILIES = speech.register_backbones()


def test_is_a_backbone(grown: Grown) -> None:
    features = grown.module(grown.batch(sounds()))
    width = grown.module.width
    assert isinstance(grown.module, BackboneModule)
    assert features.pooled.shape == (3, width)
    assert features.sequence.shape[::2] == (3, width)
    assert features.mask.shape == features.sequence.shape[:2]
    assert features.mask.sum(1).tolist() == sorted(features.mask.sum(1).tolist(), reverse=True)


def test_a_padded_row_gives_what_it_gives_alone(grown: Grown) -> None:
    with torch.no_grad():
        together = grown.module(grown.batch(sounds()))
        for index, sound in enumerate(sounds()):
            alone = grown.module(grown.batch([sound]))
            frames = alone.sequence.shape[1]
            assert together.mask[index].sum() == frames
            torch.testing.assert_close(
                together.pooled[index], alone.pooled[0], atol=2e-5, rtol=1e-4
            )
            torch.testing.assert_close(
                together.sequence[index, :frames], alone.sequence[0], atol=1e-4, rtol=1e-4
            )
            torch.testing.assert_close(
                together.maps[-1][index, :, :frames], alone.maps[-1][0], atol=1e-4, rtol=1e-4
            )


def test_padding_holds_whatever_stands_there(grown: Grown) -> None:
    batch = grown.batch(sounds())
    rubbish = torch.where(batch["attention_mask"].bool(), batch["input_values"], torch.tensor(3.0))
    with torch.no_grad():
        clean = grown.module(batch).pooled
        torch.testing.assert_close(grown.module({**batch, "input_values": rubbish}).pooled, clean)


def test_every_parameter_learns_or_is_a_mask_vector(grown: Grown) -> None:
    grown.module.train()
    grown.module(grown.batch(sounds())).pooled.square().sum().backward()
    idle = {name for name, weight in grown.module.named_parameters() if weight.grad is None}
    assert idle <= {"model.masked_spec_embed"}


def test_blocks_run_in_their_order_once(grown: Grown) -> None:
    ran: list[int] = []
    for index, block in enumerate(grown.module.blocks):
        block.register_forward_pre_hook(lambda *_, index=index: ran.append(index))
    grown.module(grown.batch(sounds()))
    assert ran == list(range(len(grown.module.blocks)))


def test_a_silent_row_stays_finite(grown: Grown) -> None:
    silent = [sounds()[0] * 0, sounds()[1]]
    assert grown.module(grown.batch(silent)).pooled.isfinite().all()


def test_training_follows_torchs_generator(grown: Grown) -> None:
    grown.module.train()
    batch = grown.batch(sounds())
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(grown.module(batch).pooled)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_saved_weights_come_back_bit_for_bit(grown: Grown, tmp_path: Path) -> None:
    state = torch.get_rng_state()
    grown.module.save(tmp_path, head=None, labels=())
    assert torch.equal(state, torch.get_rng_state())
    again = grow(origin(grown.family, path=tmp_path))
    assert again.spec == grown.spec
    want = grown.module.state_dict()
    assert again.module.state_dict().keys() == want.keys()
    for name, value in again.module.state_dict().items():
        assert torch.equal(value, want[name]), name
    batch = grown.batch(sounds())
    assert torch.equal(again.module(batch).pooled, grown.module(batch).pooled)


def test_a_saved_head_does_not_disturb(grown: Grown, tmp_path: Path) -> None:
    grown.module.save(tmp_path, head=nn.Linear(grown.module.width, 2), labels=("no", "yes"))
    again = grow(origin(grown.family, path=tmp_path))
    batch = grown.batch(sounds())
    assert torch.equal(again.module(batch).pooled, grown.module(batch).pooled)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
class TestWeights:
    def test_a_file_is_no_folder(self, family: Backbone, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match="is no folder"):
            grow(origin(family, path=tmp_path / "weights.bin"))

    def test_an_empty_folder(self, family: Backbone, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match=r"config\.json"):
            grow(origin(family, path=tmp_path))

    def test_a_broken_file(self, family: Backbone, tmp_path: Path) -> None:
        grown = grow(origin(family))
        grown.module.save(tmp_path, head=None, labels=())
        (tmp_path / "model.safetensors").write_bytes(b"not a tensor")
        with pytest.raises(WeightsError, match=str(tmp_path)):
            grow(origin(family, path=tmp_path))

    def test_weights_of_another_rate_are_refused(self, family: Backbone, tmp_path: Path) -> None:
        grow(origin(family)).module.save(tmp_path, head=None, labels=())
        with pytest.raises(MultigraftError, match="expect 16000"):
            family.reader(origin(family, path=tmp_path), {"sample_rate": 8000})

    def test_scratch_takes_any_rate(self, family: Backbone, tmp_path: Path) -> None:
        if family in (speech.WHISPER, speech.AST):
            pytest.skip("it has one rate")
        spec = family.reader(origin(family), {"sample_rate": 8000})
        module = family.build(origin(family), spec)
        module.save(tmp_path, head=None, labels=())  # type: ignore[operator]
        assert family.reader(origin(family, path=tmp_path), {}) == spec

    def test_reader_options_are_kept(self, family: Backbone) -> None:
        spec = family.reader(origin(family), {"max_seconds": 2.0, "min_seconds": 1.5})
        assert (spec["max_seconds"], spec["min_seconds"]) == (2.0, 1.5)

    def test_the_shortest_sound_gives_a_frame(self, family: Backbone) -> None:
        if family in (speech.WHISPER, speech.AST):
            pytest.skip("it gives as many frames for every sound")
        spec = family.reader(origin(family), {"min_seconds": 0.0})
        grown = grow(origin(family))
        shortest = round(spec["min_seconds"] * spec["sample_rate"])
        assert shortest < 500
        sound = sounds([shortest])[0]
        batch = {
            "input_values": torch.from_numpy(sound)[None],
            "attention_mask": torch.ones(1, shortest).long(),
        }
        assert grown.module(batch).sequence.shape[1] == 1

    def test_a_reader_that_could_read_nothing(self, family: Backbone) -> None:
        with pytest.raises(MultigraftError, match="max_seconds"):
            family.reader(origin(family), {"max_seconds": 0.05, "min_seconds": 0.1})


@pytest.mark.parametrize("family", [speech.WAV2VEC2, speech.HUBERT], ids=lambda family: family.name)
def test_a_hub_name_that_is_not_here(family: Backbone) -> None:
    where = origin(family, hub="nobody/nothing-of-that-name")
    with pytest.raises(WeightsError, match=r"nobody/nothing-of-that-name: .*hf download nobody"):
        family.reader(where, {})
