import numpy as np
import torch
from torch.nn import functional as F

from golden_words import golden_vwe
from weakseg.backbones.backbone import build_backbone
from weakseg.methods.vwe.codebooks import MemoryWords
from weakseg.methods.vwe.vwe import VWE
from weakseg.methods.vwe.words import decorrelation, word_histogram, word_presence
from weakseg.training.checkpoint import load_weights, save_weights


def small_vwl(n_classes=4, **options):
    torch.manual_seed(0)
    network = build_backbone("test_resnet", output_stride=16, dilation=False, batch_norm="frozen", weights="none")
    return VWE(network, n_classes, VWE.Settings(**({"k": 8} | options)))


def memory(arrays, **options):
    """The golden memory bank, past its first step."""
    model = golden_vwe(arrays, codebook="memory", **options)
    model.words.codebook.copy_(torch.from_numpy(arrays["codebook"]))
    model.words.started.fill_(True)
    return model


def test_training_is_that_of_learned_vwl(golden):
    """Nothing here gives the file's entropies: the released code computes one, but its loss leaves it out too."""
    arrays, expected = golden("vwe_forward"), golden("vwl_learning")
    model = golden_vwe(arrays, decorrelation=1.0, frozen_levels=2)
    terms = model.losses(torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["label"]))
    keys = {"classification": "loss1", "words_to_tags": "loss2", "features_to_words": "loss3", "decorrelation": "decov"}
    assert set(terms) == set(keys)
    for name, key in keys.items():
        np.testing.assert_allclose(terms[name].item(), expected[key], rtol=1e-5)
    np.testing.assert_allclose(sum(terms.values()).item(), expected["loss"], rtol=1e-5)


def test_the_penalty_reaches_the_codebook_with_its_weight(golden):
    arrays = golden("vwe_forward")
    images, tags = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["label"])
    model = golden_vwe(arrays, decorrelation=0.25)
    terms = model.losses(images, tags)
    terms["decorrelation"].backward()
    codebook = model.words.codebook.detach().clone().requires_grad_()
    (0.25 * decorrelation(codebook)).backward()
    torch.testing.assert_close(model.words.codebook.grad, codebook.grad)


def test_the_memory_bank_is_that_of_vwl(golden):
    arrays = golden("vwl_memory_bank")
    model = memory(arrays).train()
    images = torch.from_numpy(arrays["x"])
    features = model.backbone(images)[-1].detach()
    probabilities, terms = model.words(features, torch.ones(2, 5))
    assert not terms
    np.testing.assert_allclose(probabilities, arrays["x_corr"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(word_presence(probabilities), arrays["y_word"])
    np.testing.assert_allclose(model.words.codebook, arrays["codebook_new"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.logits(images).detach(), arrays["out"], rtol=1e-5, atol=1e-6)
    logits = model.words_of_features(features.mean((2, 3), keepdim=True)).flatten(1).detach()
    np.testing.assert_allclose(logits, arrays["x_word"], rtol=1e-5, atol=1e-6)
    histogram = word_histogram(probabilities)[..., None, None]  # of the head that the released loss leaves out
    of_words = F.conv2d(histogram, torch.from_numpy(arrays["fc_a__weight"])).flatten(1)
    np.testing.assert_allclose(of_words, arrays["x_hist"], rtol=1e-5, atol=1e-5)


def test_the_loss_of_the_memory_bank_has_two_terms(golden):
    arrays = golden("vwl_memory_bank")
    model = memory(arrays).train()
    tags = torch.tensor([[1.0, 0, 0, 1, 0], [0, 1, 0, 0, 0]])
    terms = model.losses(torch.from_numpy(arrays["x"]), tags)
    tags_loss = F.multilabel_soft_margin_loss(torch.from_numpy(arrays["out"]), tags)
    words_loss = F.multilabel_soft_margin_loss(torch.from_numpy(arrays["x_word"]), torch.from_numpy(arrays["y_word"]))
    assert set(terms) == {"classification", "features_to_words"}
    torch.testing.assert_close(terms["classification"].detach(), tags_loss)
    torch.testing.assert_close(terms["features_to_words"].detach(), words_loss)
    np.testing.assert_allclose(model.words.codebook, arrays["codebook_new"], rtol=1e-5, atol=1e-6)
    assert "words.codebook" not in dict(model.named_parameters())


def test_the_memory_starts_with_pixels_and_moves_in_training_alone():
    model = small_vwl(codebook="memory").eval()
    images, tags = torch.randn(2, 3, 64, 64), torch.ones(2, 4)
    model.losses(images, tags)
    assert not model.words.started
    model.train()
    model.losses(images, tags)
    assert model.words.started
    first = model.words.codebook.clone()
    pixels = F.normalize(model.backbone(images)[-1].detach().movedim(1, -1).flatten(0, 2), dim=1)
    assert ((F.normalize(first, dim=1) @ pixels.T).amax(1) > 0.999).all()
    model.losses(images + 1, tags)
    second = model.words.codebook.clone()
    assert not torch.equal(second, first)
    torch.testing.assert_close(second, first, rtol=0, atol=1e-2)
    model.eval().losses(images, tags)
    assert torch.equal(model.words.codebook, second)


def test_the_memory_waits_while_the_network_warms_up():
    model = small_vwl(codebook="memory", warm_up=0.5).train()
    images, tags = torch.randn(2, 3, 64, 64), torch.ones(2, 4)
    assert set(model.losses(images, tags)) == {"classification"}
    assert not model.words.started
    model.progress = 0.6
    assert set(model.losses(images, tags)) == {"classification", "features_to_words"}
    assert model.words.started


def test_fewer_pixels_than_words_are_taken_repeatedly():
    words = MemoryWords(5, 12, rate=1e-3).train()
    features = torch.randn(1, 5, 1, 2)
    probabilities, _ = words(features, torch.ones(1, 4))
    assert probabilities.shape == (1, 12, 1, 2)
    assert len({tuple(word.tolist()) for word in words.codebook}) >= 2


def test_the_memory_is_kept_with_the_weights(tmp_path):
    model = small_vwl(codebook="memory").train()
    model.losses(torch.randn(2, 3, 64, 64), torch.ones(2, 4))
    save_weights(tmp_path / "weights.safetensors", model)
    other = small_vwl(codebook="memory")
    load_weights(tmp_path / "weights.safetensors", other)
    assert torch.equal(other.words.codebook, model.words.codebook)
    assert other.words.started
