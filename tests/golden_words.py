"""VWE and VWL with the weights of the golden files made with "tiny stages"."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray

from tiny_stages import TinyStages
from weakseg.methods.vwe.vwe import VWE

NAMES = {
    "classifier.weight": "classifier_weight",
    "words.codebook": "VWE_centroid",
    "words.head.weight": "fc_a_weight",
    "words_of_features.weight": "fc_b_weight",
} | {f"backbone.stages.{i}.{kind}": f"stage{i + 1}_c_{kind}" for i in range(4) for kind in ("weight", "bias")}
"""Name of a parameter -> its name in the files' gradients; in their weights with two underscores."""


def golden_vwe(arrays: dict[str, NDArray[Any]], **options: Any) -> VWE:
    """VWE of five classes and twelve words, with the weights that the file has."""
    model = VWE(TinyStages((6, 8, 10, 14), (4, 2, 2, 1)), 5, VWE.Settings(k=12, **options))  # type: ignore[arg-type]
    state = model.state_dict()
    for name, key in NAMES.items():
        spelled = key if "fc_" in key else key.replace("_", "__")
        spelled = spelled.replace("fc_a_", "fc_a__").replace("fc_b_", "fc_b__")
        if name in state and spelled in arrays:
            state[name] = torch.from_numpy(arrays[spelled]).view_as(state[name])
    model.load_state_dict(state)
    return model
