"""Two processes train as one does, share photos, and end together."""

import json

import pytest
from safetensors.torch import load_file

import together
from weakseg.errors import WeaksegError
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
    rows = [[json.loads(line) for line in (folder / name / "log.jsonl").read_text().splitlines()] for folder in trained]
    start = together.NETWORKS[name]().state_dict()
    assert max(float((weights[0][key].float() - start[key].float()).abs().max()) for key in start) > 1e-3
    assert max(float((weights[0][key].float() - weights[1][key].float()).abs().max()) for key in start) < 1e-4
    assert [row["step"] for row in rows[0]] == [row["step"] for row in rows[1]] == [10, 20]
    for one, two in zip(*rows, strict=True):
        assert two["terms"] == pytest.approx(one["terms"], abs=1e-4)


@pytest.mark.slow
def test_photos_that_are_not_there_are_shared(tmp_path):
    (tmp_path / "dog2").write_text("before")
    run_together(together.list_photos, [tmp_path], 2)
    found = [(tmp_path / f"dog{number}").read_text() for number in range(8)]
    assert found == ["0", "1", "before", "0", "1", "0", "1", "0"]


@pytest.mark.slow
@pytest.mark.parametrize("error", [WeaksegError("dog1.jpg: broken; mend it"), ValueError("no such thing")])
def test_an_error_in_one_process_is_the_one_that_is_told(error):
    with pytest.raises(type(error), match=f"^{error}$"):
        run_together(together.fail_in_one, [error], 2)
