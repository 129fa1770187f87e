"""Checks for what arrives: each returns the value, made immutable where the message wants that, or raises ValueError.

The codec turns the ValueError into a `DecodeError` that names the tag. Types are compared exactly: a bool
is not an id.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Check = Callable[[Any], Any]


def anything(value: Any) -> Any:
    """No check: whatever has a wire form may stand here."""
    return value


def object_id(value: Any) -> int | str:
    """An id: an int or a str."""
    if type(value) is int or type(value) is str:
        return value
    raise ValueError(f"an id is an int or a str, not {_name(value)}")


def text(value: Any) -> str:
    """A str."""
    if type(value) is str:
        return value
    raise ValueError(f"a str was expected, not {_name(value)}")


def flag(value: Any) -> bool:
    """A bool."""
    if value is True or value is False:
        return value
    raise ValueError(f"a bool was expected, not {_name(value)}")


def integer(value: Any) -> int:
    """An int of 64 bits, with sign."""
    if type(value) is int and -(1 << 63) <= value < 1 << 63:
        return value
    raise ValueError(f"an int from -2**63 to 2**63 - 1 was expected, not {_shown(value)}")


def dimension(value: Any) -> int:
    """The size of a dimension: an int from 0 to 2**63 - 1."""
    if type(value) is int and 0 <= value < 1 << 63:
        return value
    raise ValueError(f"a size is an int from 0 to 2**63 - 1, not {_shown(value)}")


def items(value: Any) -> list[Any]:
    """A list."""
    if type(value) is list:
        return value
    raise ValueError(f"a list was expected, not {_name(value)}")


def sequence(value: Any) -> tuple[Any, ...]:
    """A list of anything, as a tuple."""
    return tuple(items(value))


def keywords(value: Any) -> dict[str, Any]:
    """A dict whose keys are all str."""
    if type(value) is not dict:
        raise ValueError(f"a dict was expected, not {_name(value)}")
    for key in value:
        text(key)
    return value


def each(check: Check) -> Check:
    """A list whose elements pass a check, as a tuple."""

    def check_each(value: Any) -> tuple[Any, ...]:
        return tuple([check(element) for element in items(value)])

    return check_each


def pair(first: Check, second: Check) -> Check:
    """A list of two, as a tuple."""

    def check_pair(value: Any) -> tuple[Any, Any]:
        one, two = items(value)
        return first(one), second(two)

    return check_pair


def optional(check: Check) -> Check:
    """None, or what passes the check."""

    def check_optional(value: Any) -> Any:
        return None if value is None else check(value)

    return check_optional


def one_of(*types: type) -> Check:
    """An object of exactly one of these types."""
    names = " or ".join(cls.__name__ for cls in types)

    def check_type(value: Any) -> Any:
        if type(value) in types:
            return value
        raise ValueError(f"{names} was expected, not {_name(value)}")

    return check_type


def _name(value: Any) -> str:
    return type(value).__name__


def _shown(value: Any) -> str:
    return str(value) if type(value) is int else _name(value)
