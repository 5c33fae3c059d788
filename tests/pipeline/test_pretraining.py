"""What networks had learnt before a run is told where it is more than ImageNet's classes."""

import pytest

from weakseg.pipeline.pretraining import more_than_imagenet, pretraining_lines
from weakseg.recipes.loading import load_recipe


@pytest.mark.parametrize(
    ("name", "weights", "told"),
    [
        ("resnet101.tv_in1k", "hub", None),
        ("resnet50", "hub", None),
        ("tf_efficientnet_lite0", "packaged", None),
        ("resnet50", "none", None),
        ("resnet50.fb_swsl_ig1b_ft_in1k", "hub", "weights fb_swsl_ig1b_ft_in1k of timm"),
        ("convnext_tiny", "hub", "weights in12k_ft_in1k of timm"),
        ("vit_small_patch14_dinov2", "hub", "weights lvd142m of timm"),
        ("wr38", "wr38.pth", None),
        ("resnet101_caffe", "deeplabv1_resnet101-coco.pth", "is called after masks or boxes"),
    ],
)
def test_weights_of_a_backbone(name, weights, told):
    backbone = f"segment.backbone={{name: {name}, weights: {weights}}}"
    found = more_than_imagenet(load_recipe("cam", [], [backbone]), "segment")
    assert found is None if told is None else told in found


def test_a_trained_segmentation_network_may_know_masks():
    recipe = load_recipe("vwe", [], ["segment.checkpoint=deeplabv2.pth"])
    assert "masks that it has learnt from are not known" in more_than_imagenet(recipe, "segment")
    assert more_than_imagenet(load_recipe("vwe", [], ["relate.checkpoint=irn.pth"]), "relate") is None


def test_it_is_told_as_more_supervision():
    weights = {"segment": {"more_than_imagenet": "weights lvd142m"}, "classify": {"more_than_imagenet": None}}
    (line,) = pretraining_lines({"weights": weights})
    assert line.startswith("segment: weights lvd142m; that is more supervision than tags")
    assert pretraining_lines({"weights": {"segment": {"origin": {}}}}) == []
