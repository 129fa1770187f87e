"""The result table and the JSON file."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
from pathlib import Path

import numpy
import torch
from rich.console import Console
from rich.table import Table

import syft as sy
from benchmarks.row import Row

MARKS = {True: "[green]met[/green]", False: "[red]not met[/red]", None: "–"}


def processor_name() -> str:
    """The processor's model, or what the platform calls it."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def machine() -> dict[str, object]:
    """What a reader needs to compare two files: processor, cores, load, system."""
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "torch_threads": torch.get_num_threads(),
        "torch_cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }


def versions() -> dict[str, str]:
    """Versions of what was measured and what it stands on."""
    return {
        "syft": str(sy.__version__),
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
        "python": platform.python_version(),
    }


def show(rows: list[Row], console: Console) -> None:
    """Print the table."""
    table = Table(title="Cost of the library, measured within this run", title_justify="left")
    for heading in ("measured", "value", "quartiles", "target", "", "0.2.4", "note"):
        table.add_column(heading, justify="right" if heading in ("value", "target") else "left", overflow="fold")
    for row in rows:
        value = f"{row.value:.4g} {row.unit}"
        table.add_row(row.name, value, row.spread, row.target_text(), MARKS[row.met], row.reference, row.note)
    console.print(table)


def write_json(rows: list[Row], path: Path, *, quick: bool) -> None:
    """Write rows, machine and versions to `path`."""
    content = {
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "machine": machine(),
        "versions": versions(),
        "rows": [{**dataclasses.asdict(row), "met": row.met} for row in rows],
    }
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
