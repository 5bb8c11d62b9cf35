"""The pages in a headless Chromium without a network. RECURRENT_SCREENSHOTS names a folder that keeps the pictures."""

import base64
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browsers import chromium
from support.reported import found, write_search
from test_charts import FINALS

from tracking.report.comparing import comparison
from tracking.report.gather import Search, gather
from tracking.report.page import page

pytestmark = pytest.mark.browser
DRAWN_SECONDS = 120  # on a busy machine
DRAWN = "return document.body.dataset.drawn === 'yes'"
FIGURES = (
    "return [...document.querySelectorAll('.figure')].map(one => [one.id, one.querySelectorAll('.main-svg').length])"
)
POINTS = "return document.querySelectorAll('#figure-so_far .scatterlayer .point').length"
# Words of one figure whose boxes cover each other. The names of panels, axes and marks must not.
OVERLAPS = """
const boxes = [...document.querySelectorAll('.figure')].map(figure => [figure.id, [...figure.querySelectorAll(
  '.xtick text, .ytick text, .xtitle, .ytitle, .legendtext')].filter(one => one.textContent.trim() &&
  one.style.opacity !== '0').map(one => [one.textContent, one.getBoundingClientRect()])]);
const inner = 1;
return boxes.flatMap(([id, texts]) => texts.flatMap(([a, p], i) => texts.slice(i + 1).filter(([b, q]) =>
  p.left + inner < q.right && q.left + inner < p.right && p.top + inner < q.bottom && q.top + inner < p.bottom)
  .map(([b]) => `${id}: ${a} / ${b}`)));
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        driver.execute_cdp_cmd("Network.enable", {})
        away = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", away)
        yield driver


def look(browser: Any, text: str, file: Path, scheme: str = "light") -> None:
    """Opens a page, waits until it is drawn, and keeps a picture of the whole page."""
    file.write_text(text, "utf-8")
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(file.as_uri())
    deadline = time.monotonic() + DRAWN_SECONDS
    while not browser.execute_script(DRAWN):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert browser.get_log("browser") == []
    shown = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
    folder = Path(os.environ.get("RECURRENT_SCREENSHOTS", file.parent))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{file.stem}-{scheme}.png").write_bytes(base64.b64decode(shown["data"]))


def ink(browser: Any) -> tuple[str, str]:
    """The colours of the page's paper, and of the words of a figure."""
    style = "return getComputedStyle(document.querySelector(arguments[0]))"
    paper = browser.execute_script(f"{style}.backgroundColor", "body")
    return paper, browser.execute_script(f"{style}.fill", "#figure-so_far .xtitle")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_of_twelve_trials(browser: Any, small: Search, tmp_path: Path, scheme: str) -> None:
    small.found["finals"] = FINALS
    look(browser, page(small), tmp_path / "report.html", scheme)
    figures = dict(browser.execute_script(FIGURES))
    assert len(figures) == 13 and all(figures.values()), figures
    assert browser.execute_script(POINTS) == 2 * len(small.reached)
    assert browser.execute_script(OVERLAPS) == []
    light = ("rgb(255, 255, 255)", "rgb(29, 36, 48)")
    assert ink(browser) == (light if scheme == "light" else ("rgb(20, 23, 28)", "rgb(228, 231, 235)"))


def test_it_prints_in_ink_on_paper(browser: Any, small: Search, tmp_path: Path) -> None:
    look(browser, page(small), tmp_path / "printed.html", "dark")
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    assert printed.startswith(b"%PDF") and 4 < printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") < 40
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert ink(browser)[1] == "rgb(29, 36, 48)"
    assert browser.execute_script("return document.querySelector('#figure-so_far .main-svg').clientWidth") == 700
    browser.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert ink(browser)[1] == "rgb(228, 231, 235)"


def test_a_comparison(browser: Any, small: Search, twin: Search, other: Search, tmp_path: Path) -> None:
    look(browser, comparison([small, twin]), tmp_path / "same.html")
    assert len(browser.execute_script(FIGURES)) == 5 and browser.execute_script(OVERLAPS) == []
    look(browser, comparison([small, other]), tmp_path / "apart.html")
    assert len(browser.execute_script(FIGURES)) == 4


@pytest.mark.slow
def test_a_thousand_trials(browser: Any, tmp_path: Path) -> None:
    write_search(tmp_path, "large", 1000, recipe=True)
    began = time.process_time()
    search = gather(*found(tmp_path, "large"))
    text = page(search)
    assert time.process_time() - began < 20  # of processor time: other processes may share the cores
    assert len(text.encode()) < 6_000_000
    for scheme in ("light", "dark"):
        look(browser, text, tmp_path / "thousand.html", scheme)
    assert all(dict(browser.execute_script(FIGURES)).values())
    assert browser.execute_script(POINTS) == 2 * len(search.reached) == 1900
    assert browser.execute_script(OVERLAPS) == []
