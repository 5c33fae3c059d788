"""Label Studio's run lengths of brush strokes: a stream of bits over RGBA values, row by row.

The stream is that of thi.ng's rle-pack, which Label Studio draws with: 32 bits for the number of values, 5 for the bits
of a value minus 1, four times 4 for the bits of the four sizes of a run's length minus 1; then per run 1 bit that tells
whether one value repeats, 2 bits for the size, the length minus 1, and one value, or as many as the length says. A mask
gives each pixel four equal values, 255 for the object; Label Studio reads the fourth, the opacity.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SIZES = (3, 4, 8, 16)
_LONGEST = 1 << _SIZES[-1]


def encode_brush(mask: NDArray[np.bool_]) -> list[int]:
    """A mask, bool (H, W), as the bytes of Label Studio's ``rle``."""
    flat = mask.ravel()
    starts = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=-1))
    lengths = np.diff(np.append(starts, flat.size)) * 4
    bits = [f"{flat.size * 4:032b}", f"{7:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    for value, length in zip(flat[starts].tolist(), lengths.tolist(), strict=True):
        while length > 0:
            piece = min(length, _LONGEST)
            index = next(number for number, size in enumerate(_SIZES) if piece <= 1 << size)
            bits.append(f"1{index:02b}{piece - 1:0{_SIZES[index]}b}{255 * value:08b}")
            length -= piece
    text = "".join(bits)
    whole = np.frombuffer(text.encode(), np.uint8) - ord("0")
    found: list[int] = np.packbits(whole).tolist()
    return found


def decode_brush(rle: Sequence[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask, bool (H, W), of Label Studio's ``rle``.

    Args:
        rle: bytes as integers.
        size: (H, W) of the photo.

    Raises:
        ValueError: the stream is cut, holds something else, or is of another size.
    """
    reader = _Bits(np.unpackbits(np.array(rle, np.uint8)))
    count, word, sizes = reader.number(32), reader.number(5) + 1, [reader.number(4) + 1 for _ in range(4)]
    if count != size[0] * size[1] * 4:
        raise ValueError(f"a mask of {count // 4} pixels, where {size[1]}x{size[0]} are expected")
    values = np.zeros(count, np.int64)
    at = 0
    while at < count:
        repeats = reader.number(1)
        length = reader.number(sizes[reader.number(2)]) + 1
        if at + length > count:
            raise ValueError("a run that is longer than the mask")
        values[at : at + length] = reader.number(word) if repeats else reader.numbers(length, word)
        at += length
    # What a soft brush leaves half transparent counts from half opacity on.
    found: NDArray[np.bool_] = values.reshape(*size, 4)[..., 3] > ((1 << word) - 1) // 2
    return found


class _Bits:
    """Reads numbers from an array of bits, the highest bit first."""

    def __init__(self, bits: NDArray[np.uint8]) -> None:
        self.bits, self.at = bits, 0

    def number(self, width: int) -> int:
        return int(self.numbers(1, width)[0])

    def numbers(self, count: int, width: int) -> NDArray[np.int64]:
        stop = self.at + count * width
        if stop > len(self.bits):
            raise ValueError("the stream of bits is cut")
        taken = self.bits[self.at : stop].reshape(count, width).astype(np.int64)
        self.at = stop
        found: NDArray[np.int64] = taken @ (1 << np.arange(width - 1, -1, -1, dtype=np.int64))
        return found
