"""Every shipped study: its rows are settings that its recipes and methods have."""

from pathlib import Path

import pytest

from weakseg.data.source import open_source
from weakseg.recipes.shipped import recipe_files
from weakseg.studies.find import find_study, read_tree, study_files
from weakseg.studies.plan import Request, check_plan, make_plan
from weakseg.studies.plot import number_axes

NAMES = sorted(study_files())
TINY = [f"{backbone}={{name: test_resnet, weights: none}}" for backbone in ("backbone", "relate.backbone")]


@pytest.fixture(scope="module")
def scenes():
    return open_source("scenes:2")


OWN = ("auto-parts", "segmentation-networks")
"""Studies of the project itself: no paper has their figures, and their networks are trained to the end."""


def test_the_promised_studies_are_there():
    assert set(NAMES) >= {
        *("cam-methods", "vwe-table1", "vwe-figure9", "cpn-cost"),
        *(f"cpn-{name}" for name in ("table1", "table2", "table3", "table4", "figure6", "figure7")),
        *("ae-sipe-table2", "ae-sipe-table3"),
        *(f"affinitynet-{name}" for name in ("alpha", "beta", "t")),
    }
    assert not set(NAMES) & set(recipe_files())


@pytest.mark.parametrize("name", NAMES)
def test_a_study_says_what_it_is(name):
    study = find_study(name, [])
    assert study.name == name
    assert study.description.endswith(".")
    assert study.columns
    assert set(read_tree(study_files()[name])) >= {"name", "description", "columns"}
    if name not in OWN:
        assert study.stages[-1] == "evaluate"
        assert any(row.published for row in study.all_rows())
    for row in study.all_rows():
        assert set(row.published) <= set(study.columns)


@pytest.mark.parametrize("overlays", [(), ("small",), ("paper", "small")], ids="+".join)
@pytest.mark.parametrize("name", NAMES)
def test_every_row_is_a_recipe_whose_networks_can_be_built(name, overlays, scenes):
    study = find_study(name, [])
    plan = make_plan(Request(study, "scenes:2", Path("out"), seeds=1, overlays=overlays, overrides=TINY))
    assert len(plan) == len(study.all_rows())
    if overlays:  # it changes no option's name, and once is enough
        check_plan(plan, scenes)
    recipes = {planned.recipe.model_dump_json() for planned in plan}
    grids = max(1, len(study.vary))  # the recipe itself may stand in each grid
    assert len(recipes) > len(plan) - grids
    assert all(("segment" in planned.recipe.stages) == (name in OWN) for planned in plan)


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("vwe-figure9", {"classify.options.k": 4, "classify.options.gamma": 5}),
        ("cpn-table4", {"classify.options.hide": 5}),
        ("affinitynet-t", {"refine.walk.log2_steps": 6}),
        ("cpn-figure7", {}),
        ("cam-methods", {}),
    ],
)
def test_studies_of_single_numbers_are_plotted(name, axes):
    found = number_axes(find_study(name, []).all_rows())
    assert {key: len(points) for key, points in found.items()} == axes
