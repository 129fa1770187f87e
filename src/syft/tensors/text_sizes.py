"""How long a text may get that a method of `String` makes, worked out before the method runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

_WIDEST = 4  # bytes of a character
_PIECE = 80  # bytes of a short text by itself
_GROWTH = 3  # characters that changing the case can make of one
_ESCAPE = 10  # characters that repr can make of one
_NESTED = re.compile(r":[^{}]*\{")


def longest(method: str, text: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    """A bound on the bytes of what a method of a text makes.

    Args:
        method: its name, as a message calls it.
        text: the text.
        args: of the call.
        kwargs: of the call.

    Returns:
        Bytes; 0 for a call that the method itself is going to refuse.

    Example:
        >>> longest("ljust", "federated", (10**9,), {}), longest("upper", "federated", (), {})
        (4000000036, 108)
    """
    work_out = _BOUNDS.get(method)
    try:
        return (_GROWTH * len(text) if work_out is None else work_out(text, *args, **kwargs)) * _WIDEST
    except (TypeError, ValueError, AttributeError):
        return 0


def _padded(text: str, width: int, *_: Any) -> int:
    return max(len(text), len(text) + abs(width))


def _repeated(text: str, times: int) -> int:
    return len(text) * max(times, 0)


def _expanded(text: str, tabsize: int = 8) -> int:
    return len(text) + text.count("\t") * max(tabsize, 0)


def _replaced(text: str, old: str, new: str, *_: Any, **__: Any) -> int:
    return len(text) + text.count(old) * len(new)


def _joined(text: str, parts: Any) -> int:
    return sum(len(part) for part in parts if isinstance(part, str)) + len(text) * len(parts)


def _translated(text: str, table: Any) -> int:
    long = max([len(value) for value in table.values() if isinstance(value, str)], default=1)
    return len(text) * max(long, 1)


def _split(text: str, sep: str | None = None, *_: Any, **__: Any) -> int:
    pieces = len(text) // 2 + 1 if sep is None else text.count(sep) + 1
    return len(text) + pieces * _PIECE // _WIDEST


def _lines(text: str, *_: Any, **__: Any) -> int:
    return len(text) + (len(text) + 1) * _PIECE // _WIDEST


def _added(text: str, other: str) -> int:
    return len(text) + len(other)


def _formatted(text: str, *args: Any, **kwargs: Any) -> int:
    values = [*args, *kwargs.values()]
    return _filled_in(text, values, text.count("{"), _NESTED.search(text) is not None)


def _mapped(text: str, mapping: dict[str, Any]) -> int:
    return _formatted(text, **mapping)


def _modulo(text: str, values: Any) -> int:
    given = list(values) if isinstance(values, (list, tuple)) else [values]
    given = list(values.values()) if isinstance(values, dict) else given
    return _filled_in(text, given, text.count("%"), "*" in text)


def _filled_in(text: str, values: list[Any], fields: int, widths_given: bool) -> int:
    numbers = [int(run) if len(run) < 19 else 1 << 62 for run in re.findall(r"\d+", text)]
    if widths_given:
        numbers += [abs(value) for value in values if type(value) is int]
    longest_value = max([_ESCAPE * len(str(value)) for value in values], default=0)
    return len(text) + fields * (max(numbers, default=0) + longest_value + 400)  # 400: a float written out


_BOUNDS: Mapping[str, Callable[..., int]] = MappingProxyType(
    {
        **dict.fromkeys(("ljust", "rjust", "center", "zfill"), _padded),
        **dict.fromkeys(("__mul__", "__rmul__"), _repeated),
        **dict.fromkeys(("split", "rsplit"), _split),
        **dict.fromkeys(("__add__", "__radd__"), _added),
        "expandtabs": _expanded,
        "replace": _replaced,
        "join": _joined,
        "translate": _translated,
        "splitlines": _lines,
        "format_plain": _formatted,
        "format_map_plain": _mapped,
        "modulo_plain": _modulo,
    }
)
