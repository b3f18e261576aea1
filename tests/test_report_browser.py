"""Pages of the report in headless Chromium: no message, no request, no overflow, and something to see."""

from pathlib import Path

import pytest

from .browser import CHROMIUM, Seen, look_at

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
RESULTS = Path(__file__).resolve().parent.parent / "results" / "20261122-123306-842d84.jsonl"
WIDE, NARROW = 1280, 390
LEAST_COLOURS, LEAST_INK = 100, 0.004
"""Of a screen of text: edges of letters have many shades, and letters stand out."""
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<title>Pictures</title><style>body {{ margin: 16px }} div {{ overflow-x: auto }}</style>{}"""


def faults(seen: Seen, dark: bool) -> list[str]:
    """What a reader would complain of."""
    found = [f"console: {message}" for message in seen.console]
    found += [f"request: {address}" for address in seen.requests]
    if seen.content_width > seen.window_width:
        found.append(f"overflow: {seen.content_width} pixels in {seen.window_width}")
    if seen.colours < LEAST_COLOURS or seen.ink < LEAST_INK:
        found.append(f"blank: {seen.colours} colours, {seen.ink:.4f} ink")
    if (seen.lightness < 64) != dark:
        found.append(f"background: lightness {seen.lightness}, dark is {dark}")
    return found


@pytest.fixture(scope="module")
def pictures_page(tmp_path_factory) -> Path:
    """Every picture of a real run."""
    from technobench.bench import store
    from technobench.bench.report import pictures

    rows, _ = store.read(RESULTS)
    drawn = [pictures.heat_map(rows), pictures.phases(rows), *pictures.accuracy(rows), pictures.memory(rows)]
    page = tmp_path_factory.mktemp("pictures") / "page.html"
    page.write_text(PAGE.format("".join(f"<div>{each.svg}</div>" for each in drawn if each)), encoding="utf-8")
    return page


@pytest.mark.parametrize(("width", "dark"), [(WIDE, False), (NARROW, True)])
def test_pictures_are_seen_at_two_widths_in_light_and_dark(pictures_page, tmp_path, width, dark):
    seen = look_at(pictures_page, tmp_path, width, 700, dark=dark)
    assert seen.window_width == width
    assert seen.pixels.shape == (700, width, 3)
    assert faults(seen, dark) == []


@pytest.mark.parametrize(("width", "dark"), [(WIDE, True), (NARROW, False)])
def test_the_report_of_a_real_run_is_seen_at_two_widths(technobench, tmp_path, width, dark):
    page = tmp_path / "report.html"
    done = technobench("report", str(RESULTS), "-o", str(page))
    assert done.code == 0, done.err
    assert page.stat().st_size < 1_000_000
    assert faults(look_at(page, tmp_path / "browser", width, 700, dark=dark), dark) == []


def test_planted_faults_are_found(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        PAGE.format(
            '<p style="width: 600px">.</p><img src="http://example.com/planted.png" alt="">'
            "<script>console.error('planted'); new WebSocket('wss://example.com/planted'); nothing()</script>"
        )
    )
    seen = look_at(page, tmp_path / "browser", NARROW, 700)
    found = faults(seen, dark=False)
    assert "console: planted" in found
    assert any("nothing is not defined" in message for message in seen.console)
    assert {"http://example.com/planted.png", "wss://example.com/planted"} == set(seen.requests)
    assert [each for each in found if each.startswith("overflow: 6")]
    assert [each for each in found if each.startswith("blank: ")]
    assert [each for each in faults(seen, dark=True) if each.startswith("background: ")]
