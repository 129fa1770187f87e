"""Privacy events as text, for the file of a ledger: one event alone, and how often it happened beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from syft.dp.events import ConcentratedRelease, GaussianRelease, PrivacyEvent, PureRelease, SampledGaussian
from syft.exceptions import UsageError

_KINDS: dict[str, type[PrivacyEvent]] = {
    "gaussian": GaussianRelease,
    "sampled": SampledGaussian,
    "pure": PureRelease,
    "concentrated": ConcentratedRelease,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def count_of(event: PrivacyEvent) -> int:
    """How often the event happened."""
    return event.steps if isinstance(event, SampledGaussian) else event.count


def repeated(event: PrivacyEvent, count: int) -> PrivacyEvent:
    """The event, ``count`` times."""
    return replace(event, steps=count) if isinstance(event, SampledGaussian) else replace(event, count=count)


def write_event(event: PrivacyEvent) -> str:
    """The event as text, for one time; equal events have equal texts, and no digit of a number is lost.

    >>> write_event(PureRelease(0.1, count=3))
    '["pure", {"count": 1, "epsilon": 0.1}]'
    """
    values = asdict(repeated(event, 1))
    return json.dumps([_NAMES[type(event)], {name: _plain(value) for name, value in values.items()}], sort_keys=True)


def read_event(text: str) -> PrivacyEvent:
    """The event that `write_event` wrote.

    Raises:
        UsageError: this is no such text; a newer release may have written it.
    """
    try:
        name, values = json.loads(text)
        return _KINDS[name](**values)
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{text!r} is no privacy event that this release knows; use the one that wrote it") from error


def _plain(value: Any) -> float | int:
    return int(value) if isinstance(value, int) else float(value)
