import torch
from torch import nn

from weakseg.training.optim import Schedule, build_sgd, param_groups, poly_factor, set_lr


def test_equals_the_authors_optimizer(golden):
    """psa's PolyOptimizer: 6 steps of 10, loss 0.5 |p0|^2 + 3 p1."""
    vector = golden("psa_poly_optimizer")
    first, second = nn.Parameter(torch.tensor([1.0, -2.0])), nn.Parameter(torch.tensor([0.5]))
    groups = [
        {"params": [first], "lr": 0.1, "initial_lr": 0.1, "weight_decay": 5e-4},
        {"params": [second], "lr": 1.0, "initial_lr": 1.0, "weight_decay": 0.0},
    ]
    optimizer = build_sgd(groups, momentum=float(vector["sgd_momentum"][0]))
    for step, (rates, parameters) in enumerate(zip(vector["lrs"], vector["params"], strict=True)):
        set_lr(optimizer, step, 10, Schedule())
        torch.testing.assert_close([group["lr"] for group in optimizer.param_groups], rates.tolist())
        optimizer.zero_grad()
        (0.5 * (first**2).sum() + 3 * second.sum()).backward()
        optimizer.step()
        found = torch.cat([first.detach(), second.detach()])
        torch.testing.assert_close(found, torch.from_numpy(parameters).float(), rtol=1e-5, atol=1e-6)


def test_rate_stays_after_the_last_step():
    assert poly_factor(0, 10) == 1
    assert poly_factor(12, 10) == poly_factor(9, 10) > 0


def test_groups_follow_the_rule_of_affinitynet():
    old, new = nn.Conv2d(2, 3, 1), nn.Conv2d(3, 4, 1)
    frozen = nn.BatchNorm2d(3).requires_grad_(False)
    model = nn.Sequential(old, frozen, new)
    groups = param_groups(model, new.parameters(), lr=0.1, weight_decay=5e-4, double_bias=True)
    found = {(group["lr"], group["weight_decay"]): group["params"] for group in groups}
    assert set(found) == {(0.1, 5e-4), (0.2, 0.0), (1.0, 5e-4), (2.0, 0.0)}
    assert found[0.1, 5e-4] == [old.weight]
    assert found[2.0, 0.0] == [new.bias]
