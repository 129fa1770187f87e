"""What ``import syft`` offers is exactly ``syft.__all__``."""

from __future__ import annotations

from types import ModuleType

import syft


def problems(package: ModuleType) -> list[str]:
    """How a package's ``__all__`` differs from its public names.

    Modules are public only if listed: importing a submodule binds its name, meant or not.
    """
    listed = list(package.__all__)
    importable = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and not _is_future(value)
    }
    found = [f"{name} is listed twice" for name in sorted(set(listed)) if listed.count(name) > 1]
    found += [f"{name} is listed and cannot be imported" for name in listed if not hasattr(package, name)]
    found += [f"{name} can be imported and is not listed" for name in sorted(importable - set(listed))]
    found += [f"{name} is private and listed" for name in listed if name.startswith("_") and name != "__version__"]
    return found


def _is_future(value: object) -> bool:
    return type(value).__module__ == "__future__"


def _package(**names: object) -> ModuleType:
    package = ModuleType("package")
    vars(package).update(names)
    return package


def test_all_lists_exactly_the_public_names() -> None:
    assert problems(syft) == []


def test_a_star_import_brings_every_listed_name() -> None:
    names: dict[str, object] = {}
    exec("from syft import *", names)
    assert set(syft.__all__) <= set(names)


def test_the_version_has_both_spellings() -> None:
    assert syft.__version__ == syft.version.__version__


def test_control_a_name_that_does_not_exist_is_found() -> None:
    assert problems(_package(__all__=["there", "gone"], there=1)) == ["gone is listed and cannot be imported"]


def test_control_a_name_that_is_not_listed_is_found() -> None:
    assert problems(_package(__all__=["there"], there=1, extra=2)) == ["extra can be imported and is not listed"]


def test_control_a_name_listed_twice_or_private_is_found() -> None:
    assert problems(_package(__all__=["a", "a", "_b"], a=1, _b=2)) == ["a is listed twice", "_b is private and listed"]


def test_modules_and_the_future_import_need_no_entry() -> None:
    namespace: dict[str, object] = {}
    exec("from __future__ import annotations\nimport os\n__all__ = []", namespace)
    assert problems(_package(**namespace)) == []
