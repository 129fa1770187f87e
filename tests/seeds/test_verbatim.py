"""The programs are the seeds' own lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SEEDS = HERE.parents[2] / "shared" / "seeds"
PROGRAMS = sorted((HERE / "programs").glob("*.py"))
CODE_BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)

# A printed value that the seeds show without its comment mark; as Python it would be an unknown name.
UNMARKED_OUTPUT = ("\ntensor([2, 3, 4, 5, 6])", "\n# tensor([2, 3, 4, 5, 6])")
SIGNATURE_ONLY = "torch.nn.Linear(in_features,"


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    """The seeds' Python blocks."""
    notes = sorted(SEEDS.glob("*.txt"))
    if not notes:
        pytest.skip(f"the seeds are not in {SEEDS}")
    text = "".join(note.read_text(encoding="utf-8") for note in notes).replace(*UNMARKED_OUTPUT)
    return CODE_BLOCK.findall(text)


def test_every_block_of_the_seeds_is_in_a_program(blocks: list[str]) -> None:
    texts = [program.read_text(encoding="utf-8") for program in PROGRAMS]
    runnable = [block for block in blocks if not block.startswith(SIGNATURE_ONLY)]
    assert len(runnable) == 12
    assert [block for block in runnable if not any(block in text for text in texts)] == []


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_every_line_of_a_program_is_in_the_seeds(blocks: list[str], program: Path) -> None:
    written = {line for block in blocks for line in block.splitlines()}
    # The loop that prints the first batches stands in the seeds as a comment.
    written |= {line.removeprefix("    # ") for line in written if line.startswith("    # ")}
    lines = program.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and line not in written] == []
