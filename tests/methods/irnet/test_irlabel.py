from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from weakseg.methods.irnet.labels import constant_background, ir_label, merge_confident
from weakseg.ops.densecrf.crf import PRESETS, dense_crf, unary_from_labels

Golden = Callable[[str], dict[str, np.ndarray[Any, Any]]]


def crf(image: Tensor, labels: Tensor, n_labels: int) -> Tensor:
    return dense_crf(image, unary_from_labels(labels, n_labels), PRESETS["irn"]).argmax(dim=0)


def unrefined(image: Tensor, labels: Tensor, n_labels: int) -> Tensor:
    return labels


@pytest.mark.parametrize("name", ["irn_ir_label", "sipe_cam2ir", "ae_sipe_cam2ir"])
def test_merging_as_released(golden: Golden, name: str) -> None:
    data = {key: torch.from_numpy(value) for key, value in golden(name).items()}
    assert torch.equal(merge_confident(data["fg_conf"], data["bg_conf"]), data["conf"])


@pytest.mark.parametrize("name", ["irn_ir_label", "sipe_cam2ir"])
def test_labels_as_released(golden: Golden, name: str) -> None:
    data = {key: torch.from_numpy(value) for key, value in golden(name).items()}
    cams = data["cams"]
    if name == "irn_ir_label":
        foreground, background = constant_background(cams, 0.30), constant_background(cams, 0.05)
    else:
        foreground, background = cams, torch.cat([cams[:1] * 0.5, cams[1:]])
    found = ir_label(data["img"], foreground, background, data["keys"][1:].tolist(), crf)
    assert (found == data["conf"]).float().mean() >= 0.99


def test_what_is_certain_is_kept() -> None:
    scores = torch.tensor([[[0.02, 0.2, 0.9, 0.1]], [[0.01, 0.1, 0.1, 0.8]]])
    sets = constant_background(scores, 0.3), constant_background(scores, 0.05)
    found = ir_label(torch.zeros(1, 4, 3, dtype=torch.uint8), *sets, (4, 200), unrefined)
    assert found.tolist() == [[0, 255, 4, 200]]
    assert found.dtype == torch.uint8


def test_a_photo_without_tags_is_background() -> None:
    nothing = constant_background(torch.zeros(0, 5, 6), 0.3)
    image = torch.zeros(5, 6, 3, dtype=torch.uint8)
    assert not ir_label(image, nothing, nothing, (), crf).any()


def test_scores_that_do_not_fit_are_refused() -> None:
    image, scores = torch.zeros(2, 2, 3, dtype=torch.uint8), torch.zeros(3, 2, 2)
    with pytest.raises(ValueError, match=r"\(3, 2, 2\) and background \(2, 2, 2\) scores differ"):
        ir_label(image, scores, scores[1:], (1, 2), unrefined)
    with pytest.raises(ValueError, match="1 labels for 2 foreground channels"):
        ir_label(image, scores, scores, (1,), unrefined)
