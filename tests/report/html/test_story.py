"""A run in sentences."""

import pytest

from weakseg.recipes.loading import load_recipe
from weakseg.recipes.shipped import recipe_files
from weakseg.recipes.stages import STAGES
from weakseg.refine.background import BackgroundSettings
from weakseg.report.html.story import SENTENCES, background_words, stage_rows


@pytest.mark.parametrize("name", recipe_files())
def test_every_recipe_can_be_told(name):
    recipe = load_recipe(name)
    records = {stage: {"seconds": 2.0, "sessions": 1} for stage in recipe.stages}
    rows = stage_rows(recipe, {"stages": records}, {})
    assert [row.name for row in rows] == list(recipe.stages)
    assert all(row.did.endswith(".") for row in rows)
    assert sum(row.share for row in rows) == pytest.approx(1)
    assert set(SENTENCES) == set(STAGES)


def test_sentences_name_what_was_set():
    recipe = load_recipe(
        "affinitynet", [], ["classify.train.epochs=7", "refine.background.alpha=4", "predict.flip=true"]
    )
    told = {name: sentence(recipe) for name, sentence in SENTENCES.items()}
    assert "7 epochs" in told["classify"]
    assert "affinitynet network learns from the maps" in told["relate"]
    assert "to the power of 4" in told["refine"]
    assert "also mirrored" in told["predict"]
    assert "x.pt" in SENTENCES["classify"](load_recipe("cam", [], ["classify.checkpoint=x.pt"]))
    assert "true masks" in SENTENCES["segment"](load_recipe("supervised"))
    assert "50% least confident" in SENTENCES["selftrain"](load_recipe("auto"))
    assert "least confident" not in SENTENCES["selftrain"](load_recipe("auto", [], ["selftrain.doubtful=0"]))


def test_rows_tell_time_score_and_interruption():
    scores = {"scores": {"miou_present": 0.5}, "split": "train", "images": 4}
    best = {"best": {"threshold": 0.31, "scores": {"miou_present": 0.6}}}
    manifest = {"stages": {"localize": {"seconds": 75.0, "sessions": 2}, "refine": {"seconds": None}}}
    localize, refine = stage_rows(load_recipe("cam"), manifest, {"localize": scores | best})
    assert (localize.time, localize.resumed, localize.miou, localize.photos) == ("1:15", True, 0.5, 4)
    assert localize.best == "60.0 with the threshold 0.31"
    assert (refine.time, refine.resumed, refine.miou, refine.split) == ("", False, None, "")


@pytest.mark.parametrize(("rule", "words"), [("constant", "above 0.2"), ("power", "power of 16"), ("own", "times 1")])
def test_backgrounds_in_words(rule, words):
    assert background_words(BackgroundSettings(rule=rule)).endswith(words)
