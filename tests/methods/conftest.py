"""Fixtures that tests of several networks share."""

from __future__ import annotations

import pytest
from torch import Tensor

from weakseg.methods.seam.consistency import TaggedChannels


@pytest.fixture
def hard_differences(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Fills with the results of `TaggedChannels.hard_difference`, of which a loss is the sum."""
    found: list[float] = []
    compare = TaggedChannels.hard_difference

    def kept(channels: TaggedChannels, first: Tensor, second: Tensor, share: float) -> Tensor:
        result = compare(channels, first, second, share)
        found.append(result.item())
        return result

    monkeypatch.setattr(TaggedChannels, "hard_difference", kept)
    return found
