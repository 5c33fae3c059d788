import numpy as np
import pytest
import torch
from torch.nn import functional as F

from golden_nets import fill
from golden_words import NAMES, golden_vwe
from weakseg.backbones.backbone import build_backbone
from weakseg.errors import WeaksegError
from weakseg.methods.vwe.hspp import hybrid_pool
from weakseg.methods.vwe.vwe import VWE
from weakseg.methods.vwe.words import word_histogram, word_presence
from weakseg.ops.maps import strided_size, sum_scales

ROWS = [(words, pooling) for words in (False, True) for pooling in ("gap", "hspp")]
"""The rows of the paper's table 1."""


def small_vwe(n_classes=4, backbone="test_resnet", **options):
    torch.manual_seed(0)
    network = build_backbone(backbone, output_stride=16, dilation=False, batch_norm="affine", weights="none")
    return VWE(network, n_classes, VWE.Settings(**({"k": 8} | options)))


def key_of_vwe(name):
    """The name that decides a tensor's filling in the golden ResNet50 of VWE."""
    new = {"classifier.weight": 0, "words.codebook": 1, "words.head.weight": 2, "words_of_features.weight": 3}
    if name in new:
        return f"newly_added.{new[name]}.{'centroid' if 'codebook' in name else 'weight'}"
    part, _, rest = name.removeprefix("backbone.features.").partition(".")
    first = {"conv1": "0.0", "bn1": "0.1", "layer1": "0.4"}
    return f"backbone.{first.get(part, f'{int(part[-1]) - 1}.0')}.{rest}"


def test_training_is_that_of_vwe(golden):
    arrays = golden("vwe_forward")
    model = golden_vwe(arrays, frozen_levels=2)
    images, tags = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["label"])
    terms = model.losses(images, tags)
    for name, key in {"classification": "loss1", "words_to_tags": "loss2", "features_to_words": "loss3"}.items():
        np.testing.assert_allclose(terms[name].item(), arrays[key], rtol=1e-5)
    total = sum(terms.values())
    np.testing.assert_allclose(total.item(), arrays["loss"], rtol=1e-5)
    total.backward()
    for name, parameter in model.named_parameters():
        key = f"grad_{NAMES[name]}"
        assert (parameter.grad is not None) == (key in arrays), name
        if parameter.grad is not None:
            expected = arrays[key].reshape(parameter.shape)
            np.testing.assert_allclose(parameter.grad, expected, rtol=1e-5, atol=1e-6, err_msg=name)


def test_every_output_is_that_of_vwe(golden):
    arrays = golden("vwe_forward")
    model = golden_vwe(arrays)
    images = torch.from_numpy(arrays["x"])
    with torch.no_grad():
        features = model.backbone(images)[-1]
        probabilities, _ = model.words(features, torch.ones(2, 5))
        histogram = word_histogram(probabilities)[..., None, None]
        maps = [model.scale_maps(image[None], torch.ones(5)) for image in images]
        np.testing.assert_allclose(model.logits(images), arrays["out"], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(model.words.head(histogram).flatten(1), arrays["x_hist"], rtol=1e-5, atol=1e-5)
        pooled = model.words_of_features(features.mean((2, 3), keepdim=True)).flatten(1)
    np.testing.assert_allclose(pooled, arrays["x_word"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(word_presence(probabilities), arrays["y_word"])
    np.testing.assert_allclose(torch.stack(maps), arrays["cam"], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_full_size_network_is_that_of_vwe(golden):
    arrays = golden("full_vwe")
    backbone = build_backbone("resnet50", output_stride=16, dilation=False, batch_norm="affine", weights="none")
    model = VWE(backbone, 20, VWE.Settings(k=256)).eval()
    fill(model, key_of_vwe)
    image = torch.from_numpy(golden("full_sipe")["x"])
    with torch.no_grad():
        features = model.backbone(image)[-1]
        probabilities, _ = model.words(features, torch.ones(1, 20))
        of_words = model.words.head(word_histogram(probabilities)[..., None, None]).flatten(1)
        words = model.words_of_features(features.mean((2, 3), keepdim=True)).flatten(1)
        np.testing.assert_allclose(model.logits(image), arrays["out"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(of_words, arrays["x_hist"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(words, arrays["x_word"], rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(word_presence(probabilities), arrays["y_word"])
        maps = F.relu(model.classifier(features))
        np.testing.assert_allclose(maps, arrays["cam"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(model.scale_maps(image, torch.ones(20)), arrays["cam"][0], rtol=1e-4, atol=1e-5)


def test_merge_over_flip_and_scales_is_that_of_vwe(golden):
    arrays = golden("vwe_cam_merge")
    model = small_vwe(n_classes=5)
    model.classifier = torch.nn.Identity()
    model.backbone.forward = lambda views: [views]  # so that the pairs of maps pass as pairs of views
    pairs = [torch.from_numpy(arrays[f"cam{number}"]) for number in range(4)]
    merged = [model.scale_maps(pair, torch.ones(5)) for pair in pairs]
    present = torch.from_numpy(arrays["label"][0]).bool()
    strided = model.merge(sum_scales([maps[present] for maps in merged], strided_size((61, 83), 4)))
    np.testing.assert_allclose(strided, arrays["strided_cam"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("words", "pooling"), ROWS)
def test_words_and_pooling_are_switched_alone(words, pooling):
    model = small_vwe(words=words, pooling=pooling)
    images, tags = torch.randn(2, 3, 64, 96), torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, 0]])
    terms = model.losses(images, tags)
    assert set(terms) == {"classification"} | ({"features_to_words", "words_to_tags"} if words else set())
    features = model.backbone(images)[-1]
    pooled = hybrid_pool(features) if pooling == "hspp" else features.mean((2, 3), keepdim=True)
    torch.testing.assert_close(model.logits(images), model.classifier(pooled).flatten(1))
    new = {name for name, value in model.named_parameters() if any(value is one for one in model.new_parameters())}
    expected = {"words.codebook", "words.head.weight", "words_of_features.weight"} if words else set()
    assert new == {"classifier.weight"} | expected
    with torch.no_grad():
        assert model.scale_maps(images, torch.ones(4)).shape == (4, 4, 6)


def test_the_papers_choices_are_options():
    images, tags = torch.randn(2, 3, 64, 96), torch.ones(2, 4)
    code = small_vwe().losses(images, tags)
    mean = small_vwe(histogram="mean")
    pooled = small_vwe(words_from="hspp").losses(images, tags)
    # 24 pixels: the head gets a 24th.
    head = mean.words.head.weight
    head.data.mul_(24)
    torch.testing.assert_close(mean.losses(images, tags)["words_to_tags"], code["words_to_tags"])
    assert pooled["features_to_words"] != code["features_to_words"]
    assert pooled["classification"] == code["classification"]
    assert pooled["words_to_tags"] == code["words_to_tags"]


def test_fused_maps_are_the_larger_of_both_and_reach_no_higher():
    images = torch.randn(2, 3, 64, 96)
    plain, fused = small_vwe().eval(), small_vwe(fuse="max").eval()
    fused.load_state_dict(plain.state_dict())
    with torch.no_grad():
        for model in (plain, fused):
            model.classifier.weight.abs_()
        one, both = (model.scale_maps(images, torch.ones(4)) for model in (plain, fused))
        words = fused.words.maps(fused.backbone(images)[-1])
    assert (both >= one).all()
    assert (both > one).any()
    torch.testing.assert_close(both.amax((1, 2)), one.amax((1, 2)))
    assert words.shape == (2, 4, 4, 6)
    # The pixel whose words speak most for a class gets nearly all of the classifier's peak.
    alone = fused.scale_maps(images[:1], torch.ones(4))
    for number in range(4):
        if words[0, number].max() > 1e-3:
            best = words[0, number].argmax()
            assert alone[number].flatten()[best] > 0.9 * plain.scale_maps(images[:1], torch.ones(4))[number].max()


def test_words_see_neither_dropout_nor_gradient(golden):
    model = small_vwe(dropout=0.5).train()
    images, tags = torch.randn(2, 3, 64, 64), torch.ones(2, 4)
    first, second = model.losses(images, tags), model.losses(images, tags)
    assert first["words_to_tags"] == second["words_to_tags"]
    assert first["features_to_words"] != second["features_to_words"]
    assert first["classification"] != second["classification"]
    first["words_to_tags"].backward()
    assert model.words.codebook.grad.abs().sum() > 0
    nothing = golden("vwe_words")["grad_x_is_none"]
    assert all((parameter.grad is None) == nothing for parameter in model.backbone.parameters())


def test_the_larger_of_a_view_and_its_mirror_image_counts():
    model = small_vwe().eval()
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        maps = model.scale_maps(torch.cat([image, image.flip(-1)]), torch.ones(4))
        alone, mirrored = (model.scale_maps(view, torch.ones(4)) for view in (image, image.flip(-1)))
    torch.testing.assert_close(maps, torch.maximum(alone, mirrored.flip(-1)), rtol=1e-4, atol=1e-5)


def test_while_it_warms_up_there_are_no_words():
    model = small_vwe(warm_up=0.5)
    images, tags = torch.randn(2, 3, 64, 64), torch.ones(2, 4)
    assert set(model.losses(images, tags)) == {"classification"}
    model.progress = 0.5
    assert set(model.losses(images, tags)) == {"classification", "features_to_words", "words_to_tags"}


@pytest.mark.parametrize("size", [(16, 16), (40, 24), (17, 130)])
def test_crops_of_few_map_pixels_are_trained_on(size):
    model = small_vwe().train()
    terms = model.losses(torch.randn(2, 3, *size), torch.ones(2, 4))
    assert all(torch.isfinite(term) for term in terms.values())
    sum(terms.values()).backward()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "max"}, "unknown pooling 'max'; available: hspp, gap"),
        ({"words_from": "tags"}, "unknown words_from 'tags'; available: hspp, gap"),
        ({"histogram": "max"}, "unknown histogram 'max'; available: sum, mean"),
        ({"codebook": "kept"}, "unknown codebook 'kept'; available: learned, memory"),
        ({"fuse": "sum"}, "unknown fuse 'sum'; available: none, max"),
        ({"k": 0}, "k: input should be greater than or equal to 1, not 0"),
        ({"gamma": -1.0}, "gamma: input should be greater than or equal to 0, not -1.0"),
        ({"levels": (0,)}, "levels.0: input should be greater than or equal to 1, not 0"),
        ({"words": False, "fuse": "max"}, "fuse: max and decorrelation are for learned words"),
        ({"codebook": "memory", "decorrelation": 1.0}, "fuse: max and decorrelation are for learned words"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises((WeaksegError, ValueError), match=message):
        small_vwe(**options)
