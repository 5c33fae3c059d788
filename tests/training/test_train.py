import json

import pytest
import torch
from torch import nn

from weakseg.errors import WeaksegError
from weakseg.training.checkpoint import load_weights
from weakseg.training.device import build_fabric
from weakseg.training.log import MetricsLog
from weakseg.training.optim import Schedule
from weakseg.training.sampling import StepSampler
from weakseg.training.train import fit, rise, rise_line


class Toy(nn.Module):
    """A network with what makes resuming hard: dropout, running statistics, momentum."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
        self.head = nn.Conv2d(4, 2, 1)

    def losses(self, images, targets):
        out = self.head(self.body(images)).mean(dim=(2, 3))
        return {"fit": ((out - targets) ** 2).mean(), "small": 0.01 * out.abs().mean()}

    def new_parameters(self):
        return list(self.head.parameters())


class Noise:
    """Examples whose augmentation is pure noise from the global generator."""

    def __len__(self):
        return 10

    def example(self, index):
        return torch.randn(3, 8, 8) + index, torch.tensor([float(index), -1.0])


class KilledError(Exception):
    pass


class Mortal(Toy):
    """Dies after some steps."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def losses(self, images, targets):
        if self.steps == 0:
            raise KilledError
        self.steps -= 1
        return super().losses(images, targets)


def run(folder, *, stop_after=None, schedule=None, workers=0, pace=None):
    torch.manual_seed(0)
    model = Toy() if stop_after is None else Mortal(stop_after)
    schedule = schedule or Schedule(epochs=4, batch_size=3, lr=0.01, momentum=0.9)
    fabric = build_fabric("cpu")
    log = MetricsLog(folder / "metrics.jsonl")
    return fit(
        model,
        Noise(),
        schedule,
        folder,
        fabric=fabric,
        seed=1,
        title="toy",
        log=log,
        checkpoint_seconds=0,
        workers=workers,
        pace=pace,
    )


@pytest.mark.parametrize("stop_after", [1, 4, 11])
def test_an_interrupted_training_ends_with_the_same_bytes(tmp_path, stop_after):
    run(tmp_path / "whole")
    with pytest.raises(KilledError):
        run(tmp_path / "parts", stop_after=stop_after)
    run(tmp_path / "parts")
    whole, parts = (tmp_path / name / "weights.safetensors" for name in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()
    logs = [
        [json.loads(line) for line in (path.parent / "metrics.jsonl").read_text().splitlines()]
        for path in (whole, parts)
    ]
    assert [row["step"] for row in logs[0]] == [row["step"] for row in logs[1]] == [10, 12]
    assert logs[0][-1]["lr"] == logs[1][-1]["lr"]
    assert all(row["images_per_second"] > 0 for rows in logs for row in rows)


def test_the_pace_is_the_share_of_all_steps_also_after_an_interruption(tmp_path):
    shares = []
    with pytest.raises(KilledError):
        run(tmp_path, stop_after=5, pace=shares.append)
    run(tmp_path, pace=shares.append)
    assert shares == [step / 12 for step in (*range(6), *range(5, 12))]


def test_loading_processes_change_nothing(tmp_path):
    run(tmp_path / "none")
    run(tmp_path / "two", workers=2)
    none, two = (tmp_path / name / "weights.safetensors" for name in ("none", "two"))
    assert none.read_bytes() == two.read_bytes()


def test_a_state_of_another_network_is_named(tmp_path):
    with pytest.raises(KilledError):
        run(tmp_path, stop_after=2)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    del state["model"]["head.bias"]
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(WeaksegError, match=r"state\.pt: of another network; delete it"):
        run(tmp_path)


def test_batches_from_the_middle_are_those_of_the_whole():
    schedule = Schedule(epochs=3, batch_size=4, lr=1)
    whole = list(StepSampler(10, schedule, 7))
    assert len(whole) == 6
    assert all(len({index for _, index in batch}) == 4 for batch in whole)
    for start in range(7):
        sampler = StepSampler(10, schedule, 7, start=start)
        assert list(sampler) == whole[start:]
        assert len(sampler) == len(whole[start:])
    assert list(StepSampler(10, schedule, 8)) != whole


def test_processes_share_every_batch():
    schedule = Schedule(epochs=2, batch_size=4, lr=1)
    whole = list(StepSampler(9, schedule, 0))
    parts = [list(StepSampler(9, schedule, 0, rank=rank, world=2)) for rank in range(2)]
    assert [sorted(a + b) for a, b in zip(*parts, strict=True)] == [sorted(batch) for batch in whole]


def test_fewer_images_than_a_batch_are_one_batch():
    assert [len(batch) for batch in StepSampler(3, Schedule(epochs=2, batch_size=8, lr=1), 0)] == [3, 3]


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path):
    with pytest.raises(WeaksegError, match=r"toy: the loss is (nan|inf).*toy\.train\.lr"):
        run(tmp_path, schedule=Schedule(epochs=10, batch_size=3, lr=1e6))


def test_weights_of_another_network_are_refused(tmp_path):
    run(tmp_path)
    with pytest.raises(WeaksegError, match=r"weights\.safetensors: cannot load"):
        load_weights(tmp_path / "weights.safetensors", nn.Conv2d(1, 1, 1))


def test_a_training_that_ends_worse_than_it_began_is_told(tmp_path):
    log = MetricsLog(tmp_path / "log.jsonl")
    for step, loss in ((10, 11.4), (20, 120.0), (30, 165639.0)):
        log.write("classify", step, loss=loss)
        log.write("segment", step, loss=1.2 + step / 30)
    assert rise(log, "classify") == (11.4, 165639.0)
    assert rise(log, "segment") is None
    assert rise(log, "relate") is None
    assert rise_line("classify", (11.4, 165639.0)).startswith(
        "classify: the loss rose from 11.4 to 1.66e+05: nothing was"
    )
