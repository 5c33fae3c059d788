"""Two processes train as one does, share photos, and end together."""

import json

import pytest
from safetensors.torch import load_file

import together
from weakseg.errors import ProcessLostError, WeaksegError
from weakseg.training.launch import run_together

NAMES = list(together.NETWORKS)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folders of all networks as one process and as two have trained them."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    run_together(together.train_all, [two, NAMES, 2], 2)
    together.train_all(one, NAMES, 1)
    return one, two


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_processes_train_as_one(trained, name):
    weights = [load_file(folder / name / "weights.safetensors") for folder in trained]
    rows = [
        [json.loads(line) for line in (folder / name / "log.jsonl").read_text().splitlines()] for folder in trained
    ]
    start = together.NETWORKS[name]().state_dict()
    assert max(float((weights[0][key].float() - start[key].float()).abs().max()) for key in start) > 1e-3
    assert max(float((weights[0][key].float() - weights[1][key].float()).abs().max()) for key in start) < 1e-4
    assert [row["step"] for row in rows[0]] == [row["step"] for row in rows[1]] == [10, 20]
    for one, two in zip(*rows, strict=True):
        assert two["terms"] == pytest.approx(one["terms"], abs=1e-4)
