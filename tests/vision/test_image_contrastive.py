from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from multigraft import Brief
from multigraft.contracts.readers import collate
from multigraft.contracts.records import Origin
from multigraft.models.graft import Graft
from multigraft.plugins.catalog import Catalog
from multigraft_vision.contrastive import ImageContrastive
from multigraft_vision.reader import image_reader


@pytest.fixture(scope="module")
def catalog():
    return Catalog(strict=True)


def bound(catalog, **options):
    family, size_name, size = catalog.backbone("resnet-tiny")
    origin = Origin(backbone="resnet-tiny", size=size_name, config=dict(size.config))
    spec = family.reader(origin, {})
    torch.manual_seed(0)
    backbone = family.build(origin, spec)
    task = catalog.task("image-contrastive")
    defaults = {name: option.default for name, option in task.options.items()}
    brief = Brief(
        backbone=backbone,
        reader=image_reader(spec),
        targets={},
        options={**defaults, **options},
        modality="image",
    )
    objective = task.objective(brief)
    return objective, Graft(backbone, objective.head())


def pictures(count, seed=0):
    """Smooth pictures, each of a colour and a direction of its own."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, 32)
    rows = []
    for _ in range(count):
        x, y, colour = rng.normal(size=(3, 3))
        values = 128 + 60 * colour + 60 * (ramp[:, None, None] * x + ramp[None, :, None] * y)
        rows.append({"image": np.clip(values, 0, 255).astype(np.uint8)})
    return rows


def batch_of(objective, rows, rng):
    views = [objective.view(row, rng) for row in rows]
    arrays = objective.prepare(collate(views, {}), rng)
    return {name: torch.from_numpy(value) for name, value in arrays.items()}


def nt_xent(projection, temperature):
    """Equation 1 of Chen et al. 2020, term by term."""
    z = torch.nn.functional.normalize(projection.double(), dim=1)
    losses = []
    for i in range(len(z)):
        j = i + 1 if i % 2 == 0 else i - 1
        terms = [math.exp(float(z[i] @ z[k]) / temperature) for k in range(len(z)) if k != i]
        losses.append(-math.log(math.exp(float(z[i] @ z[j]) / temperature) / sum(terms)))
    return losses


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_the_loss_is_nt_xent(catalog, temperature):
    objective, _ = bound(catalog, temperature=temperature)
    raw = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    expected = torch.tensor(nt_xent(raw, temperature), dtype=torch.float32).view(4, 2).mean(1)
    found = objective.loss({"projection": torch.nn.functional.normalize(raw, dim=1)}, {})
    torch.testing.assert_close(found.total, expected, rtol=1e-5, atol=1e-5)
    assert found.weight.tolist() == [1, 1, 1, 1]


def test_a_known_loss():
    """Two rows, four orthogonal views: each finds its partner among three equals, log 3."""
    loss = ImageContrastive.__new__(ImageContrastive)
    loss.temperature = 0.1
    found = loss.loss({"projection": torch.eye(4)}, {})
    torch.testing.assert_close(found.total, torch.full((2,), math.log(3)))


def test_views_differ_and_follow_from_the_generator(catalog):
    objective, _ = bound(catalog)
    (row,) = pictures(1)
    one, same, other = (
        objective.view(row, np.random.default_rng(seed))["image"] for seed in (1, 1, 2)
    )
    assert one.shape == (2, 32, 32, 3)
    assert one.dtype == np.uint8
    assert (one[0] != one[1]).any()
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_prepare_keeps_the_views_of_a_row_side_by_side(catalog):
    objective, _ = bound(catalog)
    rows, rng = pictures(3), np.random.default_rng(0)
    views = [objective.view(row, rng)["image"] for row in rows]
    image = objective.prepare({"image": np.stack(views)}, rng)["image"]
    assert image.shape == (6, 32, 32, 3)
    np.testing.assert_array_equal(image[2:4], views[1])


def test_options_decide_what_happens_to_a_view(catalog):
    still = {"crop": 1.0, "flip": False, "color": 0.0, "gray": 0.0, "blur": 0.0}
    objective, _ = bound(catalog, **still)
    (row,) = pictures(1)
    views = objective.view(row, np.random.default_rng(0))["image"]
    np.testing.assert_array_equal(views, np.stack([row["image"]] * 2))
    turned, _ = bound(catalog, **still, rotate=20.0)
    assert (turned.view(row, np.random.default_rng(0))["image"] != views).any()


def test_outputs_are_one_number_a_row_and_metrics_follow(catalog):
    objective, graft = bound(catalog, projection=16)
    batch = batch_of(objective, pictures(6), np.random.default_rng(0))
    outputs = graft(batch)
    assert outputs["projection"].shape == (12, 16)
    torch.testing.assert_close(outputs["projection"].norm(dim=1), torch.ones(12))
    loss = objective.loss(outputs, batch)
    kept = {name: value.numpy() for name, value in objective.measure(outputs, batch, loss).items()}
    assert all(value.shape == (6,) for value in kept.values())
    metrics = objective.summarise(kept)
    assert objective.monitor in metrics
    assert metrics["loss"] == pytest.approx(loss.mean().item(), rel=1e-5)
    assert 0 <= metrics["contrastive_accuracy"] <= 1


def test_accuracy_counts_views_that_find_their_partner(catalog):
    objective, _ = bound(catalog)
    projection = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.9, 0.1]])
    projection = torch.nn.functional.normalize(projection, dim=1)
    outputs = {"projection": projection}
    found = objective.measure(outputs, {}, objective.loss(outputs, {}))["found"]
    assert found.tolist() == [1.0, 0.5]  # row 1: view 2 is nearest to 3, view 3 is not nearest to 2


def test_a_few_steps_teach_views_to_find_each_other(catalog):
    objective, graft = bound(catalog, temperature=0.2, crop=0.5, color=0.0, gray=0.0)
    rows, rng = pictures(16), np.random.default_rng(0)
    optimizer = torch.optim.AdamW(graft.parameters(), lr=3e-3)

    def accuracy():
        graft.eval()
        batch = batch_of(objective, rows, np.random.default_rng(99))
        with torch.inference_mode():
            outputs = graft(batch)
            kept = objective.measure(outputs, batch, objective.loss(outputs, batch))
        graft.train()
        return float(kept["found"].mean())

    before = accuracy()
    for _ in range(25):
        batch = batch_of(objective, rows, rng)
        loss = objective.loss(graft(batch), batch).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert accuracy() > before + 0.3


def test_the_export_serves_the_backbone_alone(catalog):
    objective, graft = bound(catalog)
    graft.eval()
    image = torch.from_numpy(np.stack([row["image"] for row in pictures(3)]))
    features = graft.backbone({"image": image})
    assert torch.equal(objective.serve(features, None)["embedding"], features.pooled)
