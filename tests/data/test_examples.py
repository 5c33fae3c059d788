from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import max_pool2d

from weakseg.data.examples import LabelledExamples, TaggedExamples
from weakseg.data.images import voc_palette
from weakseg.data.sample import Classes, ImageSet, Sample
from weakseg.data.transforms import Augmentation
from weakseg.methods.affinitynet.examples import AffinityExamples

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)
CLASSES = Classes(("cat", "cow"), (8, 10), voc_palette())
HEIGHT, WIDTH = 40, 48


def halves():
    """Black on the left, white on the right."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, WIDTH // 2 :] = 255
    return image


def labels_of(sample, size=None):
    """The right half is a cow."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[:, WIDTH // 2 :] = 2
    return labels


TAGS = {"a": ("cow",), "b": (), "c": ("cat", "cow")}
IMAGES = ImageSet(CLASSES, [Sample(name, halves, tags) for name, tags in TAGS.items()])


def white(image):
    """Where a normalised image is white, and where it is black."""
    brightness = image * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]
    return (brightness > 0.99).all(dim=0), (brightness < 0.01).all(dim=0)


def test_tagged_examples_are_crops_and_tags():
    examples = TaggedExamples(IMAGES, Augmentation(crop=64), MEAN, STD)
    assert len(examples) == 3
    assert [examples.example(index)[1].tolist() for index in range(3)] == [[0, 1], [0, 0], [1, 1]]
    image, tags = examples.example(0)
    assert (type(image), image.shape, image.dtype) == (torch.Tensor, (3, 64, 64), torch.float32)
    assert tags.dtype == torch.float32


def right_half(sample, photo):
    """2 in the right half, 1 in the left one."""
    return labels_of(sample).clip(1)


@pytest.mark.parametrize("seed", range(6))
def test_guides_follow_their_photo(seed):
    torch.manual_seed(seed)
    examples = TaggedExamples(IMAGES, Augmentation(crop=64, long_side=(40, 60)), MEAN, STD, [right_half, right_half])
    image, _, guide, again = examples.example(0)
    assert (type(guide), guide.shape, guide.dtype) == (torch.Tensor, (64, 64), torch.int64)
    assert torch.equal(guide, again)
    assert (image[:, guide == 0] == 0).all()
    is_white, is_black = white(image)
    assert not ((is_white & (guide != 2)) | (is_black & (guide != 1))).any()
    assert set(guide.unique().tolist()) == {0, 1, 2}


def test_a_guide_does_not_change_what_is_drawn():
    augmentation = Augmentation(crop=48, long_side=(40, 60), jitter=(0.3, 0.3, 0.3, 0.1))
    drawn = []
    for guides in ([], [right_half]):
        torch.manual_seed(0)
        drawn.append(TaggedExamples(IMAGES, augmentation, MEAN, STD, guides).example(0)[0])
    assert torch.equal(*drawn)


@pytest.mark.parametrize("seed", range(6))
def test_labels_follow_their_photo(seed):
    torch.manual_seed(seed)
    examples = LabelledExamples(IMAGES, labels_of, Augmentation(crop=64, flip=0.5), MEAN, STD)
    image, labels = examples.example(0)
    assert (type(labels), labels.shape, labels.dtype) == (torch.Tensor, (64, 64), torch.int64)
    is_white, is_black = white(image)
    assert torch.equal(labels == 2, is_white)
    assert torch.equal(labels == 0, is_black)
    assert (labels == 255).sum() == 64 * 64 - HEIGHT * WIDTH
    assert (image[:, labels == 255] == 0).all()


@pytest.mark.parametrize("seed", range(6))
def test_scaled_labels_follow_their_photo(seed):
    torch.manual_seed(seed)
    examples = LabelledExamples(IMAGES, labels_of, Augmentation(crop=32, scale=(0.6, 1.8)), MEAN, STD)
    image, labels = examples.example(0)
    is_white, is_black = white(image)
    wrong = (is_white & (labels != 2)) | (is_black & (labels != 0))
    assert not wrong.any()
    assert set(labels.unique().tolist()) <= {0, 2, 255}


def seeds_of(sample):
    """Sure of the cow in the outer right quarter and of the background in the outer left one."""
    cow = np.zeros((HEIGHT, WIDTH), np.float32)
    cow[:, WIDTH // 2 :] = 0.5
    cow[:, WIDTH * 3 // 4 :] = 1.0
    low, high = torch.from_numpy(np.stack([0.6 + 0 * cow, cow])), torch.from_numpy(np.stack([0.3 + 0 * cow, cow]))
    return low, high, (2,)


@pytest.mark.parametrize("seed", range(6))
def test_affinity_labels_follow_their_photo(seed):
    torch.manual_seed(seed)
    examples = AffinityExamples(IMAGES, seeds_of, Augmentation(crop=64, flip=0.5, pad="black"), MEAN, STD, stride=2)
    image, labels = examples.example(0)
    assert (type(labels), labels.shape, labels.dtype) == (torch.Tensor, (32, 32), torch.int64)
    assert set(labels.unique().tolist()) == {0, 2, 255}
    is_white, is_black = (max_pool2d(where[None].float(), 2)[0] > 0 for where in white(image))
    assert is_white[labels == 2].all()
    assert is_black[labels == 0].all()
    count = (HEIGHT // 2) * (WIDTH // 2)
    # An odd offset splits cells at the edges.
    assert abs(int((labels == 2).sum()) - count // 4) <= HEIGHT
    assert abs(int((labels == 0).sum()) - count // 2) <= HEIGHT


def test_outside_of_the_photo_no_affinity_is_known():
    examples = AffinityExamples(IMAGES, seeds_of, Augmentation(crop=96, flip=0), MEAN, STD, stride=8)
    _, labels = examples.example(0)
    known = int((labels != 255).sum())
    assert 0 < known <= (HEIGHT // 8 + 1) * (WIDTH // 8 + 1)


def test_a_photo_of_one_pixel_is_an_example():
    one = ImageSet(CLASSES, [Sample("dot", lambda: np.full((1, 1, 3), 9, np.uint8), ("cat",))])
    augmentation = Augmentation(crop=32, long_side=(20, 40), jitter=(0.3, 0.3, 0.3, 0.1))
    image, _ = TaggedExamples(one, augmentation, MEAN, STD).example(0)
    assert image.shape == (3, 32, 32)
    scaled = Augmentation(crop=32, scale=(0.1, 0.2))
    image, labels = LabelledExamples(one, lambda sample, size: np.ones((1, 1), np.uint8), scaled, MEAN, STD).example(0)
    assert (labels != 255).sum() == 1


def test_read_labels_is_asked_for_the_sample():
    seen = []

    def read(sample, size):
        seen.append(sample)
        return labels_of(sample)

    LabelledExamples(IMAGES, read, Augmentation(crop=32), MEAN, STD).example(2)
    assert [sample.id for sample in seen] == ["c"]
    assert not isinstance(seen[0].image, Path)
