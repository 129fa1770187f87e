"""The page in a real browser: what a person sees."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from syft.status import StatusServer
from tests.status.lab import CANARY, Lab

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium or chrome on this machine"),
]


def _browse(url: str, profile: Path, *options: str) -> str:
    assert CHROMIUM is not None
    finished = subprocess.run(
        [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
            f"--user-data-dir={profile}", "--window-size=1280,900", "--virtual-time-budget=4000", *options, url,
        ],
        capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_the_page_shows_objects_and_curves(lab: Lab, server: StatusServer, tmp_path: Path) -> None:
    dom = _browse(server.url, tmp_path / "profile", "--dump-dom")
    body = dom.split("<body>")[1].split("<script>")[0]
    assert '<h1 id="worker">lab</h1>' in body and "<title>lab – worker</title>" in dom
    assert '<span class="chip" title="#iris">#iris</span>' in body and "64 × 1 × 28 × 28" in body
    assert 'data-state="good"' in body and "healthy" in body
    loss = body.split('id="loss-chart"')[1].split("</svg>")[0]
    (line,) = [part for part in loss.split("<path ") if 'class="line"' in part]
    assert line.count("L") == 29  # 30 losses
    assert "step 1" in loss and "on #iris, step 30" in body
    assert ">ann<" in body and ">ben<" in body and "197 KiB" in body
    assert "POST /models/iris/predict" in body
    assert str(CANARY) not in dom


def test_hostile_tags_are_text(lab: Lab, server: StatusServer, tmp_path: Path) -> None:
    dom = _browse(server.url, tmp_path / "profile", "--dump-dom")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;</span>" in dom and "&lt;b&gt;bold&lt;/b&gt;</td>" in dom
    assert "<b>bold" not in dom and dom.count("<script>") == 1


def test_the_screenshot_is_a_picture(lab: Lab, server: StatusServer, tmp_path: Path) -> None:
    shot = tmp_path / "shot.png"
    _browse(server.url, tmp_path / "profile", f"--screenshot={shot}")
    picture = Image.open(io.BytesIO(shot.read_bytes())).convert("RGB")
    assert picture.format is None and picture.size == (1280, 900)
    colours = picture.getcolors(maxcolors=2**24)
    assert colours is not None and len(colours) > 100
    assert max(count for count, _ in colours) < 0.9 * 1280 * 900
    # The loss curve's own colour is there, in the right half.
    right = picture.crop((640, 200, 1280, 460)).getcolors(maxcolors=2**24)
    assert right is not None and dict((colour, count) for count, colour in right).get((0xB8, 0x56, 0x0D), 0) > 100


def test_a_worker_with_tokens_asks_for_one(guarded: StatusServer, tmp_path: Path) -> None:
    dom = _browse(guarded.url, tmp_path / "profile", "--dump-dom")
    assert "token needed" in dom and '<form id="sign-in" class="card">' in dom
    assert "#iris" not in dom.split("<script>")[0]
