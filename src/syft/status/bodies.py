"""Tensors in the bodies of requests and answers: JSON for reading, npz for exactness and size.

The bytes come from anyone: their size is counted while they arrive, and before anything is unpacked.
"""

from __future__ import annotations

import asyncio
import io
import json
import lzma
import math
import tokenize
import zipfile
import zlib
from typing import Any

import numpy as np
import torch

from syft.core.optional import require
from syft.status.answers import RefusedRequestError

JSON = "application/json"
NPZ = "application/x-npz"
_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
        torch.float16, torch.bfloat16, torch.float32, torch.float64,
    )
}  # fmt: skip
_BAD_ARCHIVE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError)
_BAD_ARRAY = (ValueError, TypeError, RuntimeError, OverflowError, MemoryError, SyntaxError, tokenize.TokenError)
_MOST_MEMBERS = 16


async def read_body(request: Any, limit: int, timeout: float) -> bytes:
    """The body of a request.

    Args:
        request: starlette's.
        limit: how many bytes are taken.
        timeout: seconds that the body may take to arrive.

    Raises:
        RefusedRequestError: it is longer than the limit, or too slow.
    """
    too_long = RefusedRequestError(413, f"the body is longer than the {limit} bytes that this worker takes.")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > 2 * limit:
        raise too_long
    disconnect: Any = require("starlette.requests", "status").ClientDisconnect
    parts, length = [], 0
    try:
        async with asyncio.timeout(timeout):
            async for part in request.stream():
                length += len(part)
                if length <= limit:
                    parts.append(part)
                elif length > 2 * limit:
                    break
                else:
                    # Read on for a while and keep nothing: most clients look for an answer only after sending.
                    parts.clear()
    except disconnect:
        raise RefusedRequestError(400, "the client left before its body was there.") from None
    except TimeoutError:
        raise RefusedRequestError(408, f"the body did not arrive within {timeout:g} seconds.") from None
    if length > limit:
        raise too_long
    return b"".join(parts)


def check_media_type(headers: Any) -> str:
    """The media type of a request's body: `JSON` or `NPZ`.

    Raises:
        RefusedRequestError: it is another one, or compressed.
    """
    media_type: str = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in (JSON, NPZ):
        raise RefusedRequestError(415, f"a model is asked with a body of type {JSON} or {NPZ}.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusedRequestError(415, "the body has a content encoding; send it as it is.")
    return media_type


def to_tensor(body: bytes, media_type: str, limit: int) -> torch.Tensor:
    """The tensor in a body.

    Args:
        body: the bytes.
        media_type: `JSON` or `NPZ`.
        limit: how many bytes an unpacked array may have.

    Returns:
        A tensor of the shape and dtype that was sent; numbers of JSON are float32 or int64 unless it says otherwise.

    Raises:
        RefusedRequestError: there is no tensor in it.

    Example:
        >>> to_tensor(b'{"data": [[1, 2], [3, 4.5]]}', "application/json", limit=1000)
        tensor([[1.0000, 2.0000],
                [3.0000, 4.5000]])
    """
    return _from_json(body) if media_type == JSON else _from_npz(body, limit)


def _from_json(body: bytes) -> torch.Tensor:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedRequestError(400, "the body is not JSON.") from None
    if type(content) is not dict or "data" not in content or not content.keys() <= {"data", "dtype"}:
        raise RefusedRequestError(400, 'the body must be {"data": nested lists of numbers, "dtype": optional name}.')
    name = content.get("dtype")
    if name is not None and (type(name) is not str or name not in _DTYPES):
        raise RefusedRequestError(400, f"the dtype must be one of {', '.join(_DTYPES)}.")
    try:
        return torch.tensor(content["data"], dtype=None if name is None else _DTYPES[name])
    except (ValueError, TypeError, RuntimeError, OverflowError, RecursionError):
        raise RefusedRequestError(
            400, "the data must be nested lists of numbers, as long as each other and within the range of the dtype."
        ) from None


def _from_npz(body: bytes, limit: int) -> torch.Tensor:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            if len(archive.infolist()) > _MOST_MEMBERS:
                raise RefusedRequestError(400, "the npz file has too many arrays; one called data is expected.")
            with archive.open("data.npy") as member:
                array_bytes = member.read(limit + 1)
    except KeyError:
        raise RefusedRequestError(400, "the npz file has no array called data.") from None
    except _BAD_ARCHIVE:
        raise RefusedRequestError(400, "the body is not an npz file.") from None
    if len(array_bytes) > limit:
        raise RefusedRequestError(413, f"the array is longer than the {limit} bytes that this worker takes.")
    try:
        array = _array(array_bytes)
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))
    except _BAD_ARRAY:
        raise RefusedRequestError(400, "the array called data is not one of numbers.") from None


def _array(content: bytes) -> np.ndarray[Any, Any]:
    """An array of npy bytes, whose header must say exactly what follows it: numpy allocates what a header claims."""
    source = io.BytesIO(content)
    first_version = np.lib.format.read_magic(source) == (1, 0)
    read_header = np.lib.format.read_array_header_1_0 if first_version else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(source)
    if dtype.hasobject or any(size < 0 for size in shape):
        raise ValueError("no array of numbers")
    if math.prod(shape) * dtype.itemsize != len(content) - source.tell():
        raise ValueError("the header and the length differ")
    source.seek(0)
    return np.lib.format.read_array(source, allow_pickle=False)


def to_body(output: torch.Tensor, media_type: str) -> bytes:
    """A tensor as a body of an answer.

    Args:
        output: any tensor of numbers.
        media_type: `JSON` or `NPZ`.

    Returns:
        JSON with ``output``, ``shape`` and ``dtype``, where numbers that JSON does not have are the texts ``"NaN"``,
        ``"Infinity"`` and ``"-Infinity"``; or an npz file with the array ``output``, where bfloat16 is float32.

    Raises:
        RefusedRequestError: the numbers are complex and JSON has none.

    Example:
        >>> to_body(torch.tensor([1.5, float("nan")]), "application/json")
        b'{"output": [1.5, "NaN"], "shape": [2], "dtype": "float32"}'
    """
    output = output.detach().cpu()
    if media_type == NPZ:
        target = io.BytesIO()
        np.savez(target, output=(output.float() if output.dtype == torch.bfloat16 else output).numpy())
        return target.getvalue()
    if output.is_complex():
        raise RefusedRequestError(400, f"the output is complex, which JSON cannot say; ask with {NPZ}.")
    listed = output.tolist()
    if output.is_floating_point() and not bool(torch.isfinite(output).all()):
        listed = _spelled(listed)
    content = {"output": listed, "shape": list(output.shape), "dtype": str(output.dtype).removeprefix("torch.")}
    return json.dumps(content, allow_nan=False).encode()


def _spelled(listed: Any) -> Any:
    if type(listed) is list:
        return [_spelled(part) for part in listed]
    if math.isfinite(listed):
        return listed
    return "NaN" if math.isnan(listed) else "Infinity" if listed > 0 else "-Infinity"
