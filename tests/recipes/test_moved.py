"""Keys that have moved: recipes are told, finished runs can still be read."""

from pathlib import Path

import pytest
import yaml

from weakseg.errors import WeaksegError
from weakseg.pipeline.rundir.run import Run
from weakseg.recipes.loading import load_recipe
from weakseg.recipes.moved import MOVED

OLD = {"pooled_epsilon": 1.0, "decoder_channels": 64, "atrous_rates": [1, 2, 3]}


@pytest.mark.parametrize("key", MOVED)
def test_an_old_key_is_told_its_new_name(key: str) -> None:
    value = OLD[key.rpartition(".")[2]]
    with pytest.raises(WeaksegError, match=rf"^{key}: is called {MOVED[key]} now; write that instead$"):
        load_recipe("cam", [], [f"{key}={value}"])
    assert load_recipe("cam", [], [f"{MOVED[key]}={value}"])


def test_a_run_of_an_older_version_can_be_read(tmp_path: Path) -> None:
    tree = load_recipe("auto").model_dump(mode="json")
    for name in ("deeplabv3plus", "deeplabv1", "deeplabv2", "deeplabv3", "segformer", "upernet", "checkpoint"):
        tree["segment"].pop(name)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(tree | {"segment": tree["segment"] | OLD}))
    section = Run(tmp_path).read_recipe().segment
    assert section.deeplabv3plus.decoder_channels == 64
    assert section.chosen.atrous_rates == (1, 2, 3)
    assert section.chosen.pooled_epsilon == 1.0
    assert section.train == load_recipe("auto").segment.train
