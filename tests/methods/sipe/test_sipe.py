import itertools

import numpy as np
import pytest
import torch
from torch import nn

from golden_nets import fill, stat
from tiny_stages import check_gradients, full_size_valid, golden_sipe
from weakseg.backbones.backbone import build_backbone
from weakseg.errors import WeaksegError
from weakseg.methods.sipe import sipe
from weakseg.methods.sipe.hierarchy import resized
from weakseg.methods.sipe.prototypes import class_prototypes, image_specific_maps, maps_with_background, structure_seeds
from weakseg.methods.sipe.sipe import Sipe, allowed_channels


def small_sipe(backbone="test_resnet", n_classes=4, **options):
    torch.manual_seed(0)
    network = build_backbone(backbone, output_stride=16, dilation=False, weights="none")
    return Sipe(network, n_classes, Sipe.Settings(**options))


def key_of_sipe(name):
    """The name that decides a tensor's filling in the golden ResNet50 of SIPE."""
    new = ["classifier.weight", *(f"hierarchy.sides.{side}.weight" for side in range(4))]
    if name in new:
        return f"newly_added.{new.index(name)}.weight"
    part, _, rest = name.removeprefix("backbone.features.").partition(".")
    first = {"conv1": "0.0", "bn1": "0.1"}
    return f"backbone.{first.get(part, f'{part[-1]}.0')}.{rest}"


def test_training_is_that_of_sipe(golden):
    arrays = golden("sipe_forward")
    model, names = golden_sipe(Sipe, arrays)
    images, tags, valid = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["label"]), full_size_valid(arrays)
    terms = model.losses(images, tags, valid)
    np.testing.assert_allclose(terms["classification"].detach(), arrays["loss_cls"], rtol=1e-5)
    np.testing.assert_allclose(terms["consistency"].detach(), arrays["loss_gsc"], rtol=1e-5)
    np.testing.assert_allclose(model.logits(images).detach(), arrays["score"][..., 0, 0], rtol=1e-5, atol=1e-6)
    sum(terms.values()).backward()
    check_gradients(model, names, arrays)


def test_every_part_of_training_is_that_of_sipe(golden):
    arrays = golden("sipe_forward")
    model, _ = golden_sipe(Sipe, arrays)
    with torch.no_grad():
        levels = model.backbone(torch.from_numpy(arrays["x"]))
        features = model.hierarchy(levels)
        allowed = allowed_channels(torch.from_numpy(arrays["label"]), full_size_valid(arrays), features.shape[2:])
        general = maps_with_background(model.classifier(levels[-1])) * allowed
        seeds = structure_seeds(general, levels[-1]) * allowed
        found = class_prototypes(seeds, features)
    np.testing.assert_array_equal(allowed, arrays["valid_mask_lowres"])
    np.testing.assert_allclose(general, arrays["cam"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(seeds, arrays["seeds"])
    np.testing.assert_allclose(found, arrays["prototypes"][..., 0, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(image_specific_maps(found, features), arrays["IS_cam"], rtol=1e-5, atol=1e-6)


def test_consistency_pulls_both_maps_as_in_sipe(golden, monkeypatch):
    arrays = golden("sipe_units")
    general, specific = (torch.from_numpy(arrays[name]).requires_grad_() for name in ("norm_cam", "IS_cam"))
    model = small_sipe()
    monkeypatch.setattr(model, "_general", lambda logits, features: general)
    monkeypatch.setattr(model, "specific_maps", lambda *parts: specific)
    photos = torch.zeros(2, 3, 320, 384)  # with a grid of 20 x 24
    loss = model.losses(photos, torch.ones(2, 4), torch.ones(2, 320, 384))["consistency"]
    np.testing.assert_allclose(loss.item(), arrays["gsc"], rtol=1e-5)
    loss.backward()
    np.testing.assert_allclose(general.grad, arrays["grad_cam"], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(specific.grad, arrays["grad_IS"], rtol=1e-5, atol=1e-9)


def test_inference_is_that_of_sipe(golden):
    arrays = golden("sipe_cam_infer")
    model, _ = golden_sipe(Sipe, golden("sipe_forward"))
    views = torch.from_numpy(arrays["x"])
    with torch.no_grad():
        logits = model.classifier(model.backbone(views)[-1])
        general = maps_with_background((logits[0] + logits[1].flip(-1))[None])
        maps = model.eval().scale_maps(views, torch.from_numpy(arrays["label"])[1:])
    np.testing.assert_allclose(general[0], arrays["norm_cam"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(maps, arrays["IS_cam"], rtol=1e-5, atol=1e-6)


def test_merge_over_scales_is_that_of_sipe(golden):
    arrays = golden("sipe_cam_merge")
    scales = [torch.from_numpy(arrays[f"out{number}"])[None] for number in range(4)]
    summed = sum(nn.functional.interpolate(scale, (61, 83), mode="bilinear") for scale in scales)[0]
    np.testing.assert_allclose(small_sipe().merge(summed), arrays["IS_CAM"], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_full_size_network_is_that_of_sipe(golden):
    arrays = golden("full_sipe")
    backbone = build_backbone("resnet50", output_stride=16, dilation=False, batch_norm="affine", weights="none")
    model = Sipe(backbone, 20, Sipe.Settings(frozen_levels=3)).eval()
    fill(model, key_of_sipe)
    image, allowed = torch.from_numpy(arrays["x"]), torch.zeros(1, 21, 1, 1)
    allowed[:, [0, 3, 15]] = 1
    with torch.no_grad():
        levels = model.backbone(image)
        features = model.hierarchy(levels)
        general = maps_with_background(model.classifier(levels[-1])) * allowed
        seeds = structure_seeds(general, levels[-1]) * allowed
        found = class_prototypes(seeds, features)
        maps = model.specific_maps(general, levels[-1], features, allowed, image)
    np.testing.assert_allclose(model.logits(image).detach(), arrays["score"][..., 0, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(general, arrays["cam"], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(seeds.argmax(1), arrays["seeds"])
    np.testing.assert_allclose(maps, arrays["IS_cam"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(stat(found), arrays["proto_stat"], rtol=1e-4, atol=1e-6)
    new = model.new_parameters()
    assert [len(list(model.parameters())) - len(new), len(new)] == list(arrays["n_group"])


@pytest.mark.parametrize(
    ("backbone", "widths", "size"),
    [
        ("test_resnet", [128, 128, 256, 256], (4, 6)),
        ("test_efficientnet", [128, 128, 256, 256], (4, 6)),
        ("test_vit", [128, 256, 256], (4, 6)),
    ],
)
def test_hierarchical_features_are_of_the_coarsest_levels(backbone, widths, size):
    model = small_sipe(backbone)
    assert [side.out_channels for side in model.hierarchy.sides] == widths
    assert [side.in_channels for side in model.hierarchy.sides] == list(model.backbone.channels[-len(widths) :])
    with torch.no_grad():
        features = model.hierarchy(model.backbone(torch.randn(2, 3, 64, 96)))
    assert features.shape == (2, sum(widths), *size)
    if backbone != "test_vit":
        lengths = torch.stack([part.norm(dim=1) for part in features.split(widths, dim=1)])
        assert lengths.max() <= 1 + 1e-5
        torch.testing.assert_close(lengths[-1], torch.ones_like(lengths[-1]), rtol=0, atol=1e-3)


def test_one_level_is_enough():
    model = small_sipe()
    model.hierarchy = type(model.hierarchy)(model.backbone.channels[-1:])
    maps = model.eval().scale_maps(torch.randn(2, 3, 64, 96), torch.ones(4))
    assert maps.shape == (5, 4, 6)


def test_a_coarser_last_level_is_resized_to_the_level_before_it():
    torch.manual_seed(0)
    model = Sipe(
        build_backbone("test_resnet", output_stride=32, weights="none"), 4, Sipe.Settings(infer_structure="coarsest")
    )
    views, tags = torch.randn(2, 3, 64, 96), torch.ones(2, 4)
    assert model.eval().scale_maps(views, tags[0]).shape == (5, 4, 6)
    terms = model.train().losses(views, tags, torch.ones(2, 64, 96, dtype=torch.int64))
    assert torch.isfinite(terms["consistency"])
    maps = torch.randn(1, 2, 3, 4)
    assert torch.equal(resized(maps, (5, 8))[..., ::4, ::7], maps[..., ::2, ::3])


def test_no_class_is_outside_the_photo_or_untagged():
    valid = torch.zeros(2, 64, 64, dtype=torch.int64)
    valid[0, :32], valid[1] = 1, 1
    allowed = allowed_channels(torch.tensor([[1.0, 0], [0, 1]]), valid, (4, 4))
    assert allowed.sum((2, 3)).tolist() == [[8, 8, 0], [16, 0, 16]]
    assert not allowed[0, :, 2:].any()


def test_untagged_classes_have_no_map_and_a_single_view_is_enough():
    model = small_sipe().eval()
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        maps = model.scale_maps(image, torch.tensor([0.0, 1, 0, 1]))
        alone = model.scale_maps(torch.cat([image, image.flip(-1)]), torch.zeros(4))
    assert not maps[[1, 3]].any()
    assert 0 <= maps.min() <= maps.max() <= 1 + 1e-6
    assert not alone[1:].any()


@pytest.mark.parametrize("names", list(itertools.product(("coarsest", "hierarchical"), repeat=2)), ids="-".join)
def test_structure_features_are_named_apart_for_training_and_inference(names, monkeypatch):
    seen = []

    def seeds(maps, features):
        seen.append("coarsest" if features.shape[1] == model.backbone.channels[-1] else "hierarchical")
        return structure_seeds(maps, features)

    monkeypatch.setattr(sipe, "structure_seeds", seeds)
    model = small_sipe(train_structure=names[0], infer_structure=names[1])
    images, tags = torch.randn(2, 3, 64, 64), torch.ones(2, 4)
    model.losses(images, tags, torch.ones(2, 64, 64, dtype=torch.int64))
    model.scale_maps(images, tags[0])
    assert tuple(seen) == names


def test_dropout_acts_on_the_classification_only():
    model = small_sipe(dropout=0.5).train()
    model.backbone.eval()
    batch = torch.randn(2, 3, 64, 64), torch.ones(2, 4), torch.ones(2, 64, 64, dtype=torch.int64)
    first, again = model.losses(*batch), model.losses(*batch)
    assert first["consistency"] == again["consistency"]
    assert first["classification"] != again["classification"]


@pytest.mark.parametrize("option", ["train_structure", "infer_structure"])
def test_unknown_structures_list_what_there_is(option):
    with pytest.raises(WeaksegError, match=f"unknown {option} 'layer4'; available: coarsest, hierarchical"):
        small_sipe(**{option: "layer4"})
