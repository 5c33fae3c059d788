import torch

from weakseg.data.classmaps import ClassMaps
from weakseg.data.images import voc_palette
from weakseg.data.sample import Classes, ImageSet, Sample
from weakseg.evaluation.presence import count_presence, winners
from weakseg.evaluation.tagging import hold_back, knowledge
from weakseg.pipeline.doubts import not_learnt, presence_line, remedy
from weakseg.recipes.loading import load_recipe
from weakseg.refine.background import BackgroundSettings

CLASSES = Classes(("cat", "dog"), (1, 2), voc_palette())


def photos(*tags):
    return ImageSet(CLASSES, [Sample(str(i), lambda: None, tuple(names.split())) for i, names in enumerate(tags)])


def test_photos_without_a_pixel_of_their_tags_are_counted():
    found = {"0": {0, 1}, "1": {0}, "2": {0, 2}, "3": {0, 1}}
    presence = count_presence(photos("cat", "dog", "cat dog", ""), lambda sample: found[sample.id])
    assert presence == {
        "tagged": 3,
        "empty": 1,
        "classes": {"cat": {"tagged": 2, "without": 1}, "dog": {"tagged": 2, "without": 1}},
    }
    assert presence_line("refine", presence) == (
        "refine: 1 of 3 tagged photos have no pixel of their tags "
        "(without a pixel of the class: cat 1 of 2, dog 1 of 2)"
    )
    assert presence_line("refine", count_presence(photos("cat"), lambda sample: {1})) is None


def test_the_winners_of_maps():
    scores = torch.tensor([[[0.9, 0.1]], [[0.1, 0.15]]])
    assert winners(ClassMaps((1, 2), scores, (4, 8)), BackgroundSettings(threshold=0.2)) == {0, 1}
    assert winners(ClassMaps((1, 2), scores, (4, 8)), BackgroundSettings(threshold=0.12)) == {1, 2}
    assert winners(ClassMaps((), torch.zeros(0, 1, 2), (4, 8)), BackgroundSettings()) == set()


def test_the_remedy_names_the_key_that_counts():
    recipe = load_recipe("affinitynet")
    assert "refine.background.alpha" in remedy(recipe, "refine")
    assert "localize.background.threshold" in remedy(recipe, "localize")


def test_a_tenth_is_held_back_and_every_class_keeps_photos():
    images = photos(*["cat"] * 20, *["dog"] * 4, *["cat dog"] * 16)
    rest, held = hold_back(images, 0.1, seed=3)
    assert (len(rest), len(held)) == (36, 4)
    assert {s.id for s in rest.samples} | {s.id for s in held.samples} == {s.id for s in images.samples}
    assert [s.id for s in hold_back(images, 0.1, seed=3)[1].samples] == [s.id for s in held.samples]
    rare, taken = hold_back(photos(*["cat"] * 20, *["dog"] * 4), 0.5, seed=0)
    assert all("dog" not in sample.tags for sample in taken.samples)
    assert len(rare) + len(taken) == 24
    assert hold_back(photos(*["cat"] * 19), 0.5, seed=0)[1].samples == []


def test_what_the_classifier_knows():
    scores = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.1, 0.3], [0.2, 0.6]])
    tags = torch.tensor([[1, 0], [1, 1], [0, 1], [0, 0]])
    found = knowledge(scores, tags, ("cat", "dog"), "val")
    assert found["classes"]["cat"] == {
        "images": 2,
        "found": 2,
        "recall": 1.0,
        "precision": 1.0,
        "average_precision": 1.0,
    }
    assert (found["classes"]["dog"]["recall"], found["classes"]["dog"]["precision"]) == (0, 0)
    assert not_learnt(found) == ["the classifier has not learnt dog: found on 0 of 2 photos"]


def test_a_class_of_no_photo_is_no_warning(recwarn):
    found = knowledge(torch.tensor([[0.9, 0.1], [0.8, 0.2]]), torch.tensor([[1, 0], [1, 0]]), CLASSES.names, "val")
    assert found["classes"]["dog"]["average_precision"] is None
    assert not recwarn.list
