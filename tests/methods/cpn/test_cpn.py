from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from numpy.typing import NDArray

from weakseg.backbones.backbone import build_backbone
from weakseg.errors import WeaksegError
from weakseg.methods.cpn.cpn import Cpn
from weakseg.methods.cpn.patches import grid_patches
from weakseg.methods.seam.consistency import View

Golden = Callable[[str], dict[str, NDArray[Any]]]

TABLE_2 = {
    "baseline": {"context": "none", "tcp": False, "cpcr": False},
    "tcp+pcm": {"context": "pcm", "cpcr": False},
    "cpcr": {"context": "pcm", "hard_share": 1.0},
    "mining": {"context": "pcm"},
    "prcm": {},
}
"""The rows of the paper's table 2."""


def small_cpn(n_classes: int = 4, **options: Any) -> Cpn:
    torch.manual_seed(0)
    backbone = build_backbone("test_resnet", output_stride=16, dilation=False, weights="none")
    return Cpn(backbone, n_classes, Cpn.Settings(**options))


def photos(side: int = 64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images, tags and super-pixels."""
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    return images, torch.eye(4)[:2], grid_patches((side, side), 8).expand(2, -1, -1)


def losses(cam: Cpn, side: int = 64) -> dict[str, torch.Tensor]:
    images, tags, patches = photos(side)
    torch.manual_seed(3)
    return cam.losses(images, tags, *[patches for _ in cam.guides])


def test_losses_and_gradients_are_those_of_the_released_code(golden: Golden, hard_differences: list[float]) -> None:
    data = {key: torch.from_numpy(value) for key, value in golden("cpn_losses").items()}
    maps = {key: data[key].requires_grad_() for key in ("cam", "rv", "cam1", "rv1", "cam2", "rv2")}
    views = [View(maps[f"cam{number}"], maps[f"rv{number}"], (16, 16)) for number in ("", "1", "2")]
    terms = small_cpn(20).terms(views, data["lam"].float(), data["label"])
    expected = {
        "tcp": data["loss_tcp"],
        "tcp_revised": data["loss_tcp_improved"],
        "cpcr": data["loss_cpcr1"] + data["loss_cpcr2"],
    }
    assert list(terms) == ["classification", "minimum", *expected]
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, rtol=1e-5, atol=1e-6)
    assert hard_differences == pytest.approx([data["loss_cpcr1"].item(), data["loss_cpcr2"].item()], rel=1e-5)
    torch.testing.assert_close(terms["classification"] + terms["minimum"], data["loss_cls"], rtol=1e-5, atol=1e-6)
    total = sum(terms.values())
    torch.testing.assert_close(total, data["loss"], rtol=1e-5, atol=1e-6)
    total.backward()
    for key, given in maps.items():
        torch.testing.assert_close(given.grad, data[f"grad_{key}"], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("row", TABLE_2)
def test_the_rows_of_table_two_have_their_terms(row: str) -> None:
    cam = small_cpn(**TABLE_2[row])
    terms = {"classification"}
    if row != "baseline":
        terms |= {"minimum", "tcp", "tcp_revised"}
    if row in ("cpcr", "mining", "prcm"):
        terms |= {"cpcr"}
    assert set(losses(cam)) == terms
    assert set(cam.guides) == (set() if row == "baseline" else {"superpixels"})
    assert (cam.context is not None, cam.hard_share) == (row != "baseline", 1.0 if row == "cpcr" else 0.2)
    assert (cam.context is not None and cam.context.regions is not None) == (row == "prcm")


def test_warming_up_it_is_a_classifier_of_whole_photos() -> None:
    cam = small_cpn(dropout=0.0, warm_up=0.5)
    images, tags, _ = photos()
    terms = losses(cam)
    assert list(terms) == ["classification"]
    expected = torch.nn.functional.multilabel_soft_margin_loss(cam.logits(images), tags)
    torch.testing.assert_close(terms["classification"], expected)
    cam.progress = 0.5
    assert {"tcp", "cpcr"} < set(losses(cam))


def test_the_pair_shares_out_the_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    cam, seen = small_cpn(), []
    images, tags, patches = photos()
    view, terms = cam.view, cam.terms
    monkeypatch.setattr(cam, "view", lambda batch: seen.append(batch) or view(batch))
    monkeypatch.setattr(cam, "terms", lambda views, share, tags: seen.append(share) or terms(views, share, tags))
    cam.losses(images, tags, patches)
    batch, share = seen
    whole, shown, hidden = batch.chunk(3)
    assert torch.equal(whole, images)
    assert torch.equal(shown + hidden, images)
    assert not (shown * hidden).any()
    torch.testing.assert_close((shown != 0).float().mean((1, 2, 3)), share)


def test_detached_pairs_are_not_drawn_towards_the_whole() -> None:
    maps = [torch.rand(1, 3, 4, 4, requires_grad=True) for _ in range(6)]
    views = [View(maps[2 * index], maps[2 * index + 1], (4, 4)) for index in range(3)]
    for detach in (False, True):
        terms = small_cpn(2, detach=detach).terms(views, torch.tensor([0.5]), torch.tensor([[1.0, 0.0]]))
        gradients = torch.autograd.grad(terms["tcp_revised"], [maps[1], maps[3], maps[5]], allow_unused=True)
        assert [gradient is not None for gradient in gradients] == [True, not detach, not detach]


def test_grids_need_no_guide_and_count_patches() -> None:
    cam = small_cpn(pairs="grid", sizes=(16, 32))
    assert cam.guides == {}
    assert (cam.rule.share, cam.rule.replacement, cam.rule.sizes) == ("patch", False, (16, 32))
    assert "cpcr" in losses(cam)
    spread = small_cpn(segments=200)
    assert spread.guides == {"superpixels": {"segments": 200, "compactness": 10.0}}
    assert (spread.rule.share, spread.rule.replacement, spread.rule.sizes) == ("pixel", True, None)
    assert small_cpn(share="patch", replacement=False).rule.share == "patch"


def test_pairs_of_which_one_is_the_whole_photo_are_fine() -> None:
    terms = losses(small_cpn(pairs="grid", sizes=(64,)))
    assert all(torch.isfinite(term) for term in terms.values())


def test_mistakes_are_told_in_one_line() -> None:
    with pytest.raises(WeaksegError, match="unknown pairs 'cells'; available: superpixel, grid"):
        small_cpn(pairs="cells")
    with pytest.raises(WeaksegError, match="unknown share 'area'; available: pixel, patch"):
        small_cpn(share="area")
    with pytest.raises(WeaksegError, match="hide: input should be less than or equal to 1"):
        small_cpn(hide=1.5)
    with pytest.raises(WeaksegError, match="sizes: must not be empty"):
        small_cpn(pairs="grid", sizes=[])
