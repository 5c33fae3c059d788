"""What an overlay says to single recipes."""

from pathlib import Path

import pytest

from weakseg.errors import WeaksegError
from weakseg.recipes.loading import load_recipe


@pytest.fixture
def overlay(tmp_path: Path) -> str:
    text = "seed: 1\nclassify: {train: {lr: 0.5, epochs: 7}}\nonly: {irnet: {seed: 2, classify: {train: {lr: 0.25}}}}\n"
    (tmp_path / "mine.yaml").write_text(text)
    return str(tmp_path / "mine.yaml")


def test_a_recipe_takes_what_is_meant_for_it(overlay: str) -> None:
    for name, seed, rate in (("irnet", 2, 0.25), ("cam", 1, 0.5)):
        recipe = load_recipe(name, [overlay])
        assert (recipe.seed, recipe.classify.train.lr, recipe.classify.train.epochs) == (seed, rate, 7)
    assert load_recipe("irnet", [overlay], ["seed=3"]).seed == 3


def test_later_overlays_lie_over_it(overlay: str, tmp_path: Path) -> None:
    (tmp_path / "later.yaml").write_text("seed: 9\n")
    assert load_recipe("irnet", [overlay, str(tmp_path / "later.yaml")]).seed == 9


def test_a_recipe_of_a_file_goes_by_its_own_name(overlay: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: thesis\n")
    (tmp_path / "only.yaml").write_text("only: {thesis: {seed: 4}}\n")
    assert load_recipe(str(tmp_path / "recipe.yaml"), [overlay, str(tmp_path / "only.yaml")]).seed == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("only: {irnt: {seed: 2}}", r"mine.yaml: only.irnt: unknown recipe 'irnt'; available: .*irnet"),
        ("only: [irnet]", r"mine.yaml: only holds one tree of keys per recipe"),
        ("only: {irnet: 3}", r"mine.yaml: only holds one tree of keys per recipe"),
        ("only: {irnet: {sed: 2}}", "unknown key sed; available there: name"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(WeaksegError, match=message):
        load_recipe("irnet", [str(tmp_path / "mine.yaml")])
