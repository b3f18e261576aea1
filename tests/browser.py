"""Opens a page in headless Chromium and tells what a reader would see: messages, requests, widths, pixels."""

import html
import json
import re
import shutil
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_NARROWEST_WINDOW = 560
"""A headless window is no narrower than some 500 pixels; the page is in a frame of the width that is asked for."""
_WRAPPER = """<!doctype html>
<meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>waiting</title>
<style>body {{ margin: 0 }} iframe {{ border: 0; width: {width}px; height: {height}px; display: block }}</style>
<iframe src="{page}"></iframe>
<script>
addEventListener("load", () => {{
  const frame = document.querySelector("iframe");
  document.title = [frame.contentDocument.documentElement.scrollWidth, frame.contentWindow.innerWidth].join(" of ");
}});
</script>
"""
_ALONE = (
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
"""The browser's own traffic says nothing of the page, and what a page asks for is told without being fetched."""


@dataclass(frozen=True)
class Seen:
    """What a page came to at one width.

    console: its messages and uncaught errors. requests: addresses that it asked for beyond files and data.
    content_width, window_width: CSS pixels. pixels: uint8 [height, width, 3] of the first screen.
    """

    console: list[str]
    requests: list[str]
    content_width: int
    window_width: int
    pixels: np.ndarray

    @property
    def colours(self) -> int:
        """Number of different colours."""
        flat = self.pixels.reshape(-1, 3).astype(np.uint32)
        return len(np.unique((flat[:, 0] << 16) | (flat[:, 1] << 8) | flat[:, 2]))

    @property
    def lightness(self) -> float:
        """Median lightness, 0 to 255: of the background."""
        return float(np.median(self.pixels.mean(axis=2)))

    @property
    def ink(self) -> float:
        """Share of pixels that stand out from the background by half of the whole range."""
        return float((np.abs(self.pixels.mean(axis=2) - self.lightness) > 128).mean())


def look_at(page: Path, folder: Path, width: int, height: int = 900, *, dark: bool = False) -> Seen:
    """Open a page in a frame of this size; ``folder`` takes what the browser writes."""
    assert CHROMIUM is not None
    folder.mkdir(parents=True, exist_ok=True)
    wrapper, shot, log = folder / "wrapper.html", folder / "shot.png", folder / "net.json"
    source = html.escape(page.resolve().as_uri())
    wrapper.write_text(_WRAPPER.format(width=width, height=height, page=source), encoding="utf-8")
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--allow-file-access-from-files",
        "--enable-logging=stderr",
        "--v=0",
        *_ALONE,
        f"--user-data-dir={folder / 'profile'}",
        f"--log-net-log={log}",
        f"--window-size={max(width, _NARROWEST_WINDOW)},{height}",
        *(["--blink-settings=preferredColorScheme=0"] if dark else []),
        f"--screenshot={shot}",
        "--dump-dom",
        wrapper.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    measured = re.search(r"<title>(\d+) of (\d+)</title>", done.stdout)
    assert measured, f"the page was not loaded: {done.stdout[:300]} {done.stderr[-2000:]}"
    return Seen(
        console=re.findall(r':CONSOLE[^\]]*\] "(.*)", source:', done.stderr),
        requests=_requests(log),
        content_width=int(measured[1]),
        window_width=int(measured[2]),
        pixels=_decoded(shot.read_bytes())[:, :width],
    )


def _requests(log: Path) -> list[str]:
    """Addresses beyond the machine that a net log has pages ask for, each once; an event is a line of it."""
    found: dict[str, None] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        asked = re.search(r'"initiator":"(?!not an origin").*"url":("[^"]*")', line)
        if asked and re.match(r"(https?|wss?|ftp):", address := json.loads(asked[1])):
            found[address] = None
    return list(found)


def _decoded(png: bytes) -> np.ndarray:
    """Pixels of a PNG of 8 bits per channel, uint8 [height, width, 3] (PNG, third edition, sections 9.2 and 11.2)."""
    chunks, place = [], 8
    while place < len(png):
        (length,), kind = struct.unpack_from(">I", png, place), png[place + 4 : place + 8]
        chunks.append((kind, png[place + 8 : place + 8 + length]))
        place += length + 12
    width, height, depth, colour = struct.unpack_from(">IIBB", dict(chunks)[b"IHDR"])
    channels = {2: 3, 6: 4}[colour]
    assert depth == 8
    raw = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    lines = np.frombuffer(raw, np.uint8).reshape(height, 1 + width * channels)
    above, found = np.zeros((width, channels), np.uint8), []
    for kind, *_ in lines[:, :1].tolist():
        above = _unfiltered(kind, lines[len(found), 1:].reshape(width, channels), above)
        found.append(above)
    return np.stack(found)[:, :, :3]


def _unfiltered(kind: int, line: np.ndarray, above: np.ndarray) -> np.ndarray:
    """A line of pixels from its differences to neighbours, modulo 256."""
    if kind == 0:
        return line
    if kind == 1:
        return np.cumsum(line, axis=0, dtype=np.uint8)
    if kind == 2:
        return line + above
    left, before = [0] * line.shape[1], [0] * line.shape[1]
    found = []
    for now, up in zip(line.tolist(), above.tolist(), strict=True):
        guessed = [
            (a + b) // 2 if kind == 3 else min((a, b, c), key=lambda value, sum=a + b - c: abs(sum - value))
            for a, b, c in zip(left, up, before, strict=True)
        ]
        left, before = [(difference + guess) & 255 for difference, guess in zip(now, guessed, strict=True)], up
        found.append(left)
    return np.array(found, np.uint8)
