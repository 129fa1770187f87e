"""Write constraints.txt: the exact versions, in this environment, of all that the project's extras need.

Run by ``make constraints`` in an environment that passes the tests.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# The exact versions that the tests pass with; every install of the Makefile reads this file.
# torch comes first and pinned: a bare range may bring gigabytes of CUDA packages.
# Written by `make constraints`.
"""
WITHOUT_EXTRA = "torchvision"  # the tests read data sets with it; installed alone, without what it asks for


def needed(wanted: list[Requirement]) -> dict[str, str]:
    """The pins of these requirements and of all that they require.

    Args:
        wanted: requirements that are installed here.

    Returns:
        Canonical names to versions, without local version labels such as ``+cpu``.
    """
    pins: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    queue = list(wanted)
    while queue:
        requirement = queue.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        installed = metadata.distribution(name)
        pins[name] = re.sub(r"\+.*", "", installed.version)
        for line in installed.requires or []:
            dependency = Requirement(line)
            if any(_applies(dependency, extra) for extra in {"", *extras}):
                queue.append(dependency)
    return pins


def _applies(requirement: Requirement, extra: str) -> bool:
    environment = {**default_environment(), "extra": extra}
    return requirement.marker is None or requirement.marker.evaluate(environment)


def main() -> int:
    """Write the file; refuse where something needed is not installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    lines = [line for group in groups for line in group if not line.startswith(project["name"])]
    try:
        pins = needed([Requirement(line) for line in lines])
        pins[WITHOUT_EXTRA] = re.sub(r"\+.*", "", metadata.version(WITHOUT_EXTRA))
    except metadata.PackageNotFoundError as error:
        print(f"{error.name} is not installed here; run `make test` and `make docs` first", file=sys.stderr)
        return 1
    names = sorted(pins, key=lambda name: (name != "torch", name))
    (ROOT / "constraints.txt").write_text(HEADER + "".join(f"{name}=={pins[name]}\n" for name in names))
    return 0


if __name__ == "__main__":
    sys.exit(main())
