"""Which settings of a run are worth a line."""

import pytest

from weakseg.planning.plan import plan_reasons
from weakseg.recipes.loading import load_recipe
from weakseg.report.listing import recipe_settings
from weakseg.report.settings import KEYS, is_read, key_settings, planned_settings


def test_planned_settings_are_those_that_the_run_reads():
    text = (
        "# Planned for 9 photos\nclassify:\n  train:\n    epochs: 3   # few photos\n"
        "relate:\n  irnet:\n    radius: 5  # wide\n"
    )
    head, reasons = plan_reasons(text)
    assert head == ["# Planned for 9 photos"]
    assert reasons == {"classify.train.epochs": "few photos", "relate.irnet.radius": "wide"}
    recipe = load_recipe("affinitynet", [], ["classify.train.epochs=3", "predict.crf=null"])
    found = planned_settings(recipe, reasons | {"predict.crf": "grey photos", "gone.key": "?"})
    assert [(each.key, each.value, each.reason) for each in found] == [
        ("classify.train.epochs", "3", "few photos"),
        ("predict.crf", "null", "grey photos"),
    ]


def test_key_settings_exist_and_are_those_that_the_run_reads():
    recipe = load_recipe("auto")
    assert set(KEYS) <= {key for key, *_ in recipe_settings(recipe)}
    found = {each.key: each for each in key_settings(load_recipe("affinitynet"))}
    assert "relate.method" in found
    assert not any(key.startswith("selftrain") for key in found)
    assert found["refine.steps"].value.startswith("[background, walk")
    assert all(each.reason for each in found.values())


@pytest.mark.parametrize(
    ("key", "with_segment", "without"),
    [
        ("segment.balance", True, True),
        ("segment.deeplabv3plus.atrous_rates", True, True),
        ("segment.train.epochs", True, False),
        ("selftrain.doubtful", True, True),
        ("relate.irnet.radius", False, False),
        ("data.long_side", True, True),
    ],
)
def test_selftrain_reads_what_the_network_is_built_with(key, with_segment, without):
    assert is_read(load_recipe("auto"), key) == with_segment
    short = load_recipe("auto", [], ["stages=[classify, localize, refine, selftrain, evaluate]"])
    assert is_read(short, key) == without
