import numpy as np
import pytest
import torch

from tiny_stages import TinyStages, check_gradients, full_size_valid, golden_sipe
from weakseg.backbones.backbone import build_backbone
from weakseg.errors import WeaksegError
from weakseg.methods.sipe import ae_sipe
from weakseg.methods.sipe.ae_sipe import AeSipe
from weakseg.methods.sipe.prototypes import class_prototypes, image_specific_maps, structure_seeds, winners
from weakseg.methods.sipe.sipe import Sipe, allowed_channels
from weakseg.ops.pamr import pamr


def small(method=AeSipe, n_classes=4, **options):
    torch.manual_seed(0)
    return method(build_backbone("test_resnet", dilation=False, weights="none"), n_classes, method.Settings(**options))


def golden_images(arrays):
    photos = torch.from_numpy(arrays["images"]).permute(0, 3, 1, 2).float() / 255
    return (photos - torch.tensor(TinyStages.mean).view(3, 1, 1)) / torch.tensor(TinyStages.std).view(3, 1, 1)


def parts(model, arrays):
    """Everything that `specific_maps` takes, of the golden training batch."""
    images, tags = golden_images(arrays), torch.from_numpy(arrays["label"])
    levels = model.backbone(images)
    features = model.hierarchy(levels)
    allowed = allowed_channels(tags, full_size_valid(arrays), features.shape[2:])
    return model._general(model.classifier(levels[-1]), features) * allowed, features, features, allowed, images


def test_training_is_that_of_ae_sipe(golden):
    arrays = golden("ae_sipe_forward")
    model, names = golden_sipe(AeSipe, arrays)
    images, tags = golden_images(arrays), torch.from_numpy(arrays["label"])
    terms = model.losses(images, tags, full_size_valid(arrays))
    np.testing.assert_allclose(terms["consistency"].detach(), arrays["gsc"], rtol=1e-5)
    np.testing.assert_allclose(model.logits(images).detach(), arrays["score"][..., 0, 0], rtol=1e-5, atol=1e-6)
    sum(terms.values()).backward()
    check_gradients(model, names, arrays)


def test_every_part_of_training_is_that_of_ae_sipe(golden):
    arrays = golden("ae_sipe_forward")
    model, _ = golden_sipe(AeSipe, arrays)
    with torch.no_grad():
        inputs = general, _, features, allowed, images = parts(model, arrays)
        first = Sipe.specific_maps(model, *inputs)
        refined = model._refined(first, allowed, images)
        again = class_prototypes(winners(refined), features)
        maps = model.specific_maps(*inputs)
    np.testing.assert_allclose(general, arrays["cam"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(refined, arrays["pamr"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(again, arrays["prototypes"][..., 0, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(maps, arrays["IS_cam"], rtol=1e-5, atol=1e-6)


def test_structure_seeds_are_those_of_ae_sipe(golden):
    arrays = golden("ae_sipe_forward")
    model, _ = golden_sipe(AeSipe, arrays)
    with torch.no_grad():
        general, structure, _, allowed, _ = parts(model, arrays)
    np.testing.assert_array_equal(structure_seeds(general, structure) * allowed, arrays["seeds"])


def test_inference_is_that_of_ae_sipe(golden, monkeypatch):
    arrays = golden("ae_sipe_cam_infer")
    model, _ = golden_sipe(AeSipe, arrays)
    made, refine = [], model.specific_maps

    def prototypes(*given):
        made.append(class_prototypes(*given))
        return made[-1]

    monkeypatch.setattr(model, "specific_maps", lambda general, *rest: made.append(general) or refine(general, *rest))
    monkeypatch.setattr(ae_sipe, "class_prototypes", prototypes)
    image = golden_images(golden("ae_sipe_forward"))[:1]
    with torch.no_grad():
        maps = model.eval().scale_maps(torch.cat([image, image.flip(-1)]), torch.from_numpy(arrays["label"])[1:])
    general, found = made
    np.testing.assert_allclose(general[0], arrays["norm_cam"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[0], arrays["prototypes"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(maps, arrays["IS_cam"], rtol=1e-5, atol=1e-6)


def refined_as_a_whole(model, arrays, maps, kernel):
    """PAMR of all channels on the photo's colours at a quarter of its size, at the maps' size again."""
    colours = torch.nn.functional.interpolate(golden_images(arrays), (32, 40), mode="bilinear", align_corners=True)
    colours = colours * torch.tensor(model.std).view(3, 1, 1) + torch.tensor(model.mean).view(3, 1, 1)
    whole = pamr(colours, maps, kernel=kernel)
    return torch.nn.functional.interpolate(whole, (8, 10), mode="bilinear", align_corners=True)


def test_pamr_of_the_tagged_channels_is_that_of_all(golden):
    arrays = golden("ae_sipe_forward")
    model, _ = golden_sipe(AeSipe, arrays)
    images, maps = golden_images(arrays), torch.rand(2, 5, 8, 10)
    allowed = torch.tensor([[1.0, 0, 1, 0, 0], [1, 1, 1, 0, 1]])[..., None, None]
    expected = refined_as_a_whole(model, arrays, maps * allowed, "exponential")
    torch.testing.assert_close(model._refined(maps * allowed, allowed, images), expected)


def test_the_kernel_of_pamr_is_a_choice(golden):
    arrays = golden("ae_sipe_forward")
    made = {}
    for kernel in ("exponential", "gaussian"):
        model, _ = golden_sipe(AeSipe, arrays, pamr_kernel=kernel)
        with torch.no_grad():
            _, _, _, allowed, images = parts(model, arrays)
            maps = torch.rand(2, 5, 8, 10, generator=torch.Generator().manual_seed(0)) * allowed
            made[kernel] = model._refined(maps, torch.ones_like(allowed), images)
        expected = refined_as_a_whole(model, arrays, maps, kernel)
        torch.testing.assert_close(made[kernel], expected, rtol=1e-4, atol=1e-6)
    assert (made["exponential"] - made["gaussian"]).abs().max() > 0.01


def test_without_steps_it_is_sipe():
    options = {"train_structure": "coarsest", "normalise": "none"}
    ours, sipe = small(steps=(), **options), small(Sipe)
    batch = torch.randn(2, 3, 64, 64), torch.ones(2, 4), torch.ones(2, 64, 64, dtype=torch.int64)
    with torch.no_grad():
        for name, term in sipe.eval().losses(*batch).items():
            assert torch.equal(ours.eval().losses(*batch)[name], term)
        assert torch.equal(ours.scale_maps(batch[0], batch[1][0]), sipe.scale_maps(batch[0], batch[1][0]))


ARRANGEMENTS = [
    ("prototypes",),
    ("prototypes", "pamr", "prototypes"),
    ("pamr", "prototypes", "prototypes"),
    ("pamr", "prototypes"),
]


@pytest.mark.parametrize("steps", ARRANGEMENTS, ids="-".join)
def test_an_arrangement_is_its_steps_in_order(steps, golden):
    arrays = golden("ae_sipe_forward")
    model, _ = golden_sipe(AeSipe, arrays, steps=list(steps), normalise="none")
    with torch.no_grad():
        inputs = parts(model, arrays)
        *_, features, allowed, images = inputs
        expected = Sipe.specific_maps(model, *inputs)
        for step in steps:
            if step == "pamr":
                expected = model._refined(expected, allowed, images)
            else:
                expected = image_specific_maps(class_prototypes(winners(expected), features), features)
        assert torch.equal(model.specific_maps(*inputs), expected)


def test_the_arrangements_differ(golden):
    arrays = golden("ae_sipe_forward")
    found = []
    with torch.no_grad():
        for steps in [(), *ARRANGEMENTS]:
            model, _ = golden_sipe(AeSipe, arrays, steps=steps)
            found.append(model.specific_maps(*parts(model, arrays)))
    if len(found[0].argmax(dim=1).unique()) == 1:
        pytest.skip("one class wins everywhere in these vectors: all steps find the same prototype")
    assert all(not torch.equal(a, b) for i, a in enumerate(found) for b in found[:i])


def test_normalisations(golden):
    arrays = golden("ae_sipe_forward")
    maps = {}
    with torch.no_grad():
        for rule in ("none", "max", "min-max"):
            model, _ = golden_sipe(AeSipe, arrays, normalise=rule)
            maps[rule] = model.specific_maps(*parts(model, arrays))
    highest = maps["none"].amax((2, 3), keepdim=True)
    torch.testing.assert_close(maps["max"], maps["none"] / (highest + 1e-5))
    spread = maps["min-max"][0, 1]
    assert spread.min() == 0
    assert spread.max() > 0.999
    assert maps["max"][0, 1].min() > 0


@pytest.mark.parametrize("size", [(3, 3), (17, 5), (64, 96)])
@pytest.mark.parametrize("n_classes", [1, 80])
def test_photos_of_any_size(n_classes, size):
    model = small(n_classes=n_classes).eval()
    with torch.no_grad():
        maps = model.scale_maps(torch.randn(2, 3, *size), torch.ones(n_classes))
    assert maps.shape[0] == n_classes + 1
    assert torch.isfinite(maps).all()


def test_a_crop_without_any_tag_trains():
    model = small().train()
    terms = model.losses(torch.randn(2, 3, 64, 64), torch.zeros(2, 4), torch.zeros(2, 64, 64, dtype=torch.int64))
    sum(terms.values()).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_mistakes_name_the_way_out():
    with pytest.raises(WeaksegError, match=r"steps\.0: unknown steps 'crf'; available: pamr, prototypes"):
        small(steps=["crf"])
    with pytest.raises(WeaksegError, match="PAMR has no gradient"):
        small(steps=["prototypes", "pamr"])
    with pytest.raises(WeaksegError, match="unknown normalise 'l2'; available: none, max, min-max"):
        small(normalise="l2")
    with pytest.raises(WeaksegError, match="unknown pamr_kernel 'box'; available: exponential, gaussian"):
        small(pamr_kernel="box")
