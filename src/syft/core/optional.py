"""Optional dependencies: imported when first needed, with an error that names the extra to install."""

from __future__ import annotations

import importlib
from types import ModuleType

from syft.exceptions import DependencyError


def require(package: str, extra: str, pypi_name: str | None = None) -> ModuleType:
    """Import an optional dependency.

    Args:
        package: the module to import. Always a literal: a test holds every caller to it.
        extra: the extra of this distribution that installs it.
        pypi_name: what to call the package in the error, where that is not its module's name.

    Returns:
        The imported module.

    Raises:
        DependencyError: the package is not installed. A package that is there and fails while it is
            imported raises its own error.

    Example:
        >>> require("json", "viz").dumps([1])
        '[1]'
        >>> require("matplotlab.pyplot", "viz")
        Traceback (most recent call last):
        syft.exceptions.DependencyError: 'matplotlab' is not installed and this needs it. ...'resyft[viz]'
    """
    root = package.partition(".")[0]
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != root:
            raise
        raise DependencyError(pypi_name or root, f"resyft[{extra}]") from error
