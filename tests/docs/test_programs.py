"""The programs in the README and the guide run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


GUIDES = ("index", "guide", "plans", "encrypted", "homomorphic", "privacy")


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{page}.md" for page in GUIDES)])
def test_the_programs_of_a_page_run_one_after_the_other(page: str) -> None:
    program = "\n".join(blocks(page))
    assert program
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_a_program_that_fails_is_noticed() -> None:
    done = subprocess.run([sys.executable, "-c", "raise ValueError"], capture_output=True, timeout=60, check=False)
    assert done.returncode != 0
