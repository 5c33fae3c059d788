"""Vectors of four floats for loops compiled by numba.

LLVM, numba's compiler, turns loops over few channels into vector code only now and then, and differently on every
processor. Loops written with these functions always are vector code. Every processor has vectors of four floats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, models, register_model
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.uint32]

# Sums may be reordered (that is what makes them vector code), but NaN and infinity keep their meaning.
_FAST = ("reassoc", "contract", "nsz", "arcp")
compiled = njit(nogil=True, cache=True, error_model="numpy", fastmath=set(_FAST))
# Compiled as a part of those who call it only.
inlined = njit(nogil=True, error_model="numpy", fastmath=set(_FAST), inline="always")

# Floats in a vector; arrays of channels are padded to a multiple of it.
LANES = 4

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_ANYTHING = ir.Constant(_VECTOR, ir.Undefined)


class Four(types.Type):
    """The type of the vectors in compiled code."""


FOUR: Any = Four(name="Four")


class _FourModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


register_model(Four)(_FourModel)


def _vector_code(result: Any, *arguments: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make a function for compiled loops of one that emits LLVM code for (builder, one or two values)."""

    def function(emit: Callable[..., Any]) -> Any:
        found = result(*arguments), lambda context, builder, signature, values: emit(builder, *values)

        def of_one(_: Any, a: Any) -> Any:
            return found

        def of_two(_: Any, a: Any, b: Any) -> Any:
            return found

        return intrinsic(of_one if len(arguments) == 1 else of_two)

    return function


def _address(context: Any, builder: Any, signature: Any, array: Any, offset: Any) -> Any:
    data = context.make_array(signature.args[0])(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), _VECTOR.as_pointer())


def _is_flat(array: Any) -> bool:
    return isinstance(array, types.Array) and array.dtype == types.float32 and array.layout == "C"


def _load(_: Any, array: Any, offset: Any) -> Any:
    """The floats offset .. offset + 3 of a float32 array in C order, counted over all of it; bounds are not checked."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(_address(context, builder, signature, *values), align=4)

    return (FOUR(array, types.intp), emit) if _is_flat(array) else None


def _store(_: Any, array: Any, offset: Any, value: Any) -> Any:
    """Put a vector where `load` finds it."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], _address(context, builder, signature, *values[:2]), align=4)
        return context.get_dummy_value()

    return (types.void(array, types.intp, FOUR), emit) if _is_flat(array) else None


load: Any = intrinsic(_load)
store: Any = intrinsic(_store)


def _shuffled(builder: Any, vector: Any, lanes: list[int]) -> Any:
    return builder.shuffle_vector(vector, _ANYTHING, ir.Constant(ir.VectorType(ir.IntType(32), LANES), lanes))


def _greater(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


@_vector_code(FOUR, types.float32)
def fill(builder: Any, number: Any) -> Any:
    """A vector of one number."""
    return _shuffled(builder, builder.insert_element(_ANYTHING, number, ir.Constant(ir.IntType(32), 0)), [0] * LANES)


@_vector_code(FOUR, FOUR, FOUR)
def add(builder: Any, a: Any, b: Any) -> Any:
    """The sums a + b, lane by lane."""
    return builder.fadd(a, b, flags=_FAST)


@_vector_code(FOUR, FOUR, FOUR)
def multiply(builder: Any, a: Any, b: Any) -> Any:
    """The products a · b, lane by lane; beside an `add` they become one operation."""
    return builder.fmul(a, b, flags=_FAST)


@_vector_code(FOUR, FOUR, FOUR)
def greater(builder: Any, a: Any, b: Any) -> Any:
    """The greater of a and b, lane by lane."""
    return _greater(builder, a, b)


@_vector_code(types.float32, FOUR)
def total(builder: Any, vector: Any) -> Any:
    """The sum over the lanes."""
    pairs = builder.fadd(vector, _shuffled(builder, vector, [1, 0, 3, 2]), flags=_FAST)
    whole = builder.fadd(pairs, _shuffled(builder, pairs, [2, 3, 0, 1]), flags=_FAST)
    return builder.extract_element(whole, ir.Constant(ir.IntType(32), 0))


@_vector_code(types.float32, FOUR)
def highest(builder: Any, vector: Any) -> Any:
    """The greatest of the lanes."""
    pairs = _greater(builder, vector, _shuffled(builder, vector, [1, 0, 3, 2]))
    whole = _greater(builder, pairs, _shuffled(builder, pairs, [2, 3, 0, 1]))
    return builder.extract_element(whole, ir.Constant(ir.IntType(32), 0))
