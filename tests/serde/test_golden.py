"""The bytes of each tag are those that were checked in: what one release sends, the next one reads."""

from __future__ import annotations

import pytest

from syft.serde import decode, encode
from tests.serde.same import same
from tests.serde.samples import GOLDEN, samples
from tests.strategies import BY_TAG

NAMES = sorted(samples())


@pytest.mark.parametrize("name", NAMES)
def test_the_bytes_have_not_changed(name: str) -> None:
    assert encode(samples()[name]).hex(" ") == (GOLDEN / f"{name}.bin").read_bytes().hex(" ")


@pytest.mark.parametrize("name", NAMES)
def test_the_bytes_still_mean_the_same(name: str) -> None:
    assert same(samples()[name], decode((GOLDEN / f"{name}.bin").read_bytes()))


def test_every_tag_has_a_sample_and_every_file_a_name() -> None:
    assert {name.partition("-")[0] for name in NAMES} == set(BY_TAG)
    assert sorted(path.stem for path in GOLDEN.glob("*.bin")) == NAMES


def test_control_other_bytes_are_noticed() -> None:
    assert encode(samples()["ref"]) != encode(samples()["describe"])
    assert not same(samples()["ref"], decode((GOLDEN / "fetch.bin").read_bytes()))
