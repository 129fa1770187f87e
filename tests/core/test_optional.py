"""Optional dependencies: there, missing, or broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from syft.core.optional import require
from syft.exceptions import DependencyError, SyftError


def test_a_package_that_is_there_is_imported() -> None:
    assert require("json", "viz") is json


def test_a_submodule_is_returned_itself() -> None:
    assert require("xml.dom", "viz").__name__ == "xml.dom"


@pytest.mark.parametrize("name", ["matplotlab", "matplotlab.pyplot", "json.nothing"])
def test_what_is_missing_names_the_extra(name: str) -> None:
    with pytest.raises(DependencyError, match=r"pip install 'resyft\[viz\]'") as caught:
        require(name, "viz")
    assert isinstance(caught.value, SyftError)
    assert isinstance(caught.value, ImportError)
    assert caught.value.package == name.partition(".")[0]


def test_the_error_says_the_name_that_people_know() -> None:
    with pytest.raises(DependencyError, match=r"'scikit-lorn' is not installed"):
        require("sklorn", "sandbox", "scikit-lorn")


def test_a_package_that_lacks_something_itself_says_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_installed.py").write_text("import matplotlab")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="No module named 'matplotlab'") as caught:
        require("half_installed", "viz")
    assert not isinstance(caught.value, DependencyError)
