"""Several results of one op: a list that also knows the names torch gives them."""

from __future__ import annotations

from typing import Any


class Outputs(list[Any]):
    """Several results of one remote op: a list that also knows torch's names (``.values``, ``.indices``).

    Example:
        >>> out = Outputs([1, 2], names=("values", "indices"))
        >>> out.values, out[1], out + (3,)
        (1, 2, [1, 2, 3])
    """

    def __init__(self, items: Any = (), names: tuple[str, ...] = ()) -> None:
        super().__init__(items)
        self.names = names

    def __getattr__(self, name: str) -> Any:
        names = self.__dict__.get("names", ())
        if name in names:
            return self[names.index(name)]
        raise AttributeError(f"these outputs have no name {name!r}; their names are {names}")

    def __add__(self, other: Any) -> Any:
        return Outputs([*self, *other])

    def __radd__(self, other: Any) -> Any:
        return Outputs([*other, *self])


def names_of_results(out: tuple[Any, ...]) -> tuple[str, ...]:
    """The names of a named tuple's or ``torch.return_types``' members, in order."""
    return tuple(getattr(type(out), "__match_args__", ()))
