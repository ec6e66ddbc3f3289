"""Tensors of the Open Inference Protocol (KServe V2) as JSON: checking what came, writing what goes.

Source: github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md.
Everything a caller can get wrong raises `BadRequestError` with a sentence for the caller.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

MAX_ROWS = 1000
NUMBER_TYPES = frozenset(
    {f"{kind}{bits}" for kind in ("INT", "UINT") for bits in (8, 16, 32, 64)}
    | {"FP16", "FP32", "FP64"}
)


class BadRequestError(Exception):
    """The request is not what the protocol or the model asks for. The text is for the caller."""


def read_columns(
    body: object, numbers: Sequence[str], words: Sequence[str]
) -> list[list[float | str]]:
    """One column per feature, numbers first, all of the same length between 1 and MAX_ROWS.

    body: the decoded JSON of an inference request. Raises BadRequestError.
    """
    given = _by_name(body)
    unknown = sorted(given.keys() - {*numbers, *words})
    if unknown:
        raise BadRequestError(f"unknown inputs: {', '.join(unknown)}")
    columns: list[list[float | str]] = [_numbers(name, _tensor(given, name)) for name in numbers]
    columns += [_words(name, _tensor(given, name)) for name in words]
    lengths = {len(column) for column in columns}
    if len(lengths) != 1:
        raise BadRequestError("all inputs must have the same number of rows")
    if not 1 <= len(columns[0]) <= MAX_ROWS:
        raise BadRequestError(f"between 1 and {MAX_ROWS} rows, please")
    return columns


def output(name: str, datatype: str, data: Sequence[float | str]) -> dict[str, object]:
    """One output tensor of shape [rows]."""
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": list(data)}


def _by_name(body: object) -> dict[str, Mapping[str, object]]:
    inputs = body.get("inputs") if isinstance(body, Mapping) else None
    if not isinstance(inputs, list):
        raise BadRequestError("the body must be an object with a list `inputs`")
    named: dict[str, Mapping[str, object]] = {}
    for tensor in inputs:
        name = tensor.get("name") if isinstance(tensor, Mapping) else None
        if not isinstance(name, str):
            raise BadRequestError("every input needs a `name`")
        if name in named:
            raise BadRequestError(f"input {name} stands there twice")
        named[name] = tensor
    return named


def _tensor(given: Mapping[str, Mapping[str, object]], name: str) -> Mapping[str, object]:
    if name not in given:
        raise BadRequestError(f"input {name} is missing")
    return given[name]


def _values(name: str, tensor: Mapping[str, object]) -> list[object]:
    """The elements, row by row; shape [rows] or [rows, 1], data flat or nested."""
    shape, data = tensor.get("shape"), tensor.get("data")
    if not isinstance(data, list):
        raise BadRequestError(f"input {name} needs a list `data`")
    if (
        not isinstance(shape, list)
        or not all(isinstance(size, int) and not isinstance(size, bool) for size in shape)
        or len(shape) not in (1, 2)
        or shape[1:] not in ([], [1])
    ):
        raise BadRequestError(f"input {name} must have shape [rows] or [rows, 1]")
    values = list(_flat(data))
    if len(values) != shape[0]:
        raise BadRequestError(f"input {name} has shape {shape} and {len(values)} values")
    return values


def _flat(data: list[object]) -> Iterator[object]:
    """Elements of a list, or of the lists in it; never deeper, so depth is bounded."""
    for item in data:
        if isinstance(item, list):
            yield from item
        else:
            yield item


def _numbers(name: str, tensor: Mapping[str, object]) -> list[float | str]:
    if tensor.get("datatype") not in NUMBER_TYPES:
        raise BadRequestError(f"input {name} must have a number datatype, such as FP64")
    found: list[float | str] = []
    for value in _values(name, tensor):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadRequestError(f"input {name} must hold numbers")
        number = _float(value)
        if not math.isfinite(number):
            raise BadRequestError(f"input {name} must hold finite numbers")
        found.append(number)
    return found


def _float(value: float) -> float:
    """JSON integers have no bound, floats do."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _words(name: str, tensor: Mapping[str, object]) -> list[float | str]:
    if tensor.get("datatype") != "BYTES":
        raise BadRequestError(f"input {name} must have datatype BYTES")
    found: list[float | str] = []
    for value in _values(name, tensor):
        if not isinstance(value, str):
            raise BadRequestError(f"input {name} must hold strings")
        found.append(value)
    return found
