"""The UI as a person sees it, in a headless Chromium. RECURRENT_SCREENSHOTS names a folder that keeps the pictures."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import record
from support.browsers import chromium
from support.searching import RECURRENT, Searched, begin, finished

from tracking.searches import find_search
from tracking.ui import server
from tracking.views import dashboard_link, write_views

pytestmark = pytest.mark.browser

PAGE_SECONDS = 60  # a page's first load, on a busy machine
SEARCH = record.SEARCHES[0]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A served record: its address and the experiment's id."""
    folder = tmp_path_factory.mktemp("record")
    client, experiment_id = record.write_record(folder)
    for search in record.SEARCHES:
        parent = find_search(client, search)
        assert write_views(client, experiment_id, record.METRIC, "min", (search, parent.info.run_id))
    with server(f"sqlite:///{folder}/mlflow.db") as running:
        yield running.url, experiment_id


@pytest.fixture
def page(browser: Any, site: tuple[str, str], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator["Page"]:
    page = Page(browser, *site)
    yield page
    folder = Path(os.environ.get("RECURRENT_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(folder / f"{request.node.name.removeprefix('test_')}.png"))
    for tab in browser.window_handles[1:]:
        browser.switch_to.window(tab)
        browser.close()
    browser.switch_to.window(browser.window_handles[0])


class Page:
    """What is on the screen, in words."""

    def __init__(self, browser: Any, url: str, experiment_id: str) -> None:
        self.browser, self.url, self.experiment_id = browser, url, experiment_id

    def open(self, view: str, search: str | None = None) -> None:
        self.follow(dashboard_link(self.url, self.experiment_id, view, search))

    def follow(self, link: str) -> None:
        self.browser.get("about:blank")  # the UI would not start anew for another fragment of the same address
        self.browser.get(link)
        self.wait("matching run")
        for button in self.browser.find_elements("css selector", "button[aria-label='Close']"):
            button.click()  # MLflow's assistant: open at the first visit

    def text(self) -> str:
        return " ".join(self.browser.execute_script("return document.body.innerText").split())

    def filter(self) -> str:
        return str(self.browser.find_element("css selector", "[data-testid=search-box]").get_attribute("value"))

    def until(self, condition: Any, what: str) -> None:
        from selenium.common.exceptions import TimeoutException
        from selenium.webdriver.support.ui import WebDriverWait

        try:
            WebDriverWait(self.browser, PAGE_SECONDS).until(lambda _: condition())
        except TimeoutException:
            pytest.fail(f"not on the page within {PAGE_SECONDS} s: {what}\n{self.text()}")

    def wait(self, *texts: str) -> None:
        for text in texts:
            self.until(lambda text=text: text in self.text(), text)

    def count(self, selector: str, at_least: int) -> None:
        found = self.browser.find_elements
        self.until(lambda: len(found("css selector", selector)) >= at_least, f"{at_least} of {selector}")

    def scroll_to_the_last_charts(self) -> None:
        button = self.browser.find_element("xpath", "//button[contains(., 'Add section')]")
        self.browser.execute_script("arguments[0].scrollIntoView()", button)

    def lines_are_drawn(self) -> bool:
        script = """const canvas = document.querySelector('.parcoords canvas.foreground');
            if (!canvas) return false;  // not rendered yet
            const drawn = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            return drawn.some(value => value > 0);"""
        return bool(self.browser.execute_script(script))

    def column(self, name: str) -> list[str]:
        """The cells of a column, from the top."""
        cells = self.browser.find_elements("css selector", f'.ag-row [col-id="{name}"]')
        return [cell.text for cell in sorted(cells, key=lambda cell: float(cell.location["y"]))]

    def bottom(self) -> None:
        script = "document.querySelectorAll('div').forEach(e => e.scrollHeight > e.clientHeight && (e.scrollTop = 1e6))"
        self.browser.execute_script(script)


def test_overview_shows_the_searchs_trials_and_charts(page: Page) -> None:
    page.open("overview", SEARCH)
    page.wait(
        f"{record.TRIALS} matching runs", "0007 ", "Parallel Coordinates", "cost/parameters vs. reached/mse", "val_mse"
    )
    assert f"tags.`recurrent.search_id` = '{SEARCH}'" in page.filter()
    page.count(".parcoords .dimension", 6)
    page.until(page.lines_are_drawn, "lines in the parallel coordinates")
    page.count(".main-svg .scatterlayer .trace", record.TRIALS)  # pruned and failed ones are among them


def test_overview_goes_on_with_scores_and_curves(page: Page) -> None:
    page.open("overview")
    page.wait(f"{2 * record.TRIALS} matching runs", "Values and score (1)", "Trials (4)")
    page.scroll_to_the_last_charts()
    page.wait("best/mse", "loss")
    page.count(".main-svg .barlayer .point", 2 * (record.TRIALS - 2))
    assert "Model metrics" not in page.text()
    assert "hp (" not in page.text()


def test_leaderboard_has_the_best_on_top(page: Page) -> None:
    page.open("leaderboard", SEARCH)
    page.count('.ag-row [col-id="metrics.`reached/mse`"]', record.TRIALS)
    scores = [float(score) for score in page.column("metrics.`reached/mse`")]
    assert scores == sorted(scores)
    ends = dict(zip(page.column("attributes.`Run Name`"), page.column("tags.`recurrent.outcome`"), strict=True))
    marked = {number: end for name, end in ends.items() for number in ("0005", "0008") if f"{number} " in name}
    assert marked == {"0005": "failed", "0008": "pruned"} and list(ends.values()).count("completed") == 10
    assert all(
        any(cell in name for cell in ("simple_rnn", "lstm", "gru")) for name in page.column("attributes.`Run Name`")
    )


def test_searches_are_listed(page: Page) -> None:
    page.open("searches")
    page.wait("2 matching runs", *record.SEARCHES, "oracle", "tpe")


def test_the_note_leads_to_the_other_views(page: Page) -> None:
    page.open("searches")
    page.browser.find_element("link text", "Leaderboard").click()  # in a new tab
    page.browser.switch_to.window(page.browser.window_handles[-1])
    page.wait(f"{2 * record.TRIALS} matching runs", "Sort: reached/mse")


def test_failed_trials_show_their_error(page: Page) -> None:
    page.open("failed")
    page.wait("2 matching runs", "0005 ", "diverged", record.ERROR)


def test_views_are_in_the_menu(page: Page) -> None:
    page.open("leaderboard")
    page.wait(f"{2 * record.TRIALS} matching runs")
    page.browser.find_element("css selector", "[data-testid=saved-views-trigger]").click()
    page.count("[data-testid^=saved-views-item-]", 4)
    page.wait("Overview", "Leaderboard", "Searches", "Failed")


def test_the_printed_link_shows_a_real_search(browser: Any, searched: Searched, tmp_path: Path) -> None:
    process = begin("ui", cwd=searched.folder, program=RECURRENT)
    try:
        assert process.stdout is not None
        name, link = process.stdout.readline().split()
        assert name == f"{searched.name}:"
        page = Page(browser, link.split("/#")[0], "")
        page.follow(link)
        page.wait("6 matching runs", "Parallel Coordinates", "cost/parameters vs. reached/mse", "val_mse")
        page.wait(*(run.data.params["architecture"] for run in searched.trials()))
        page.until(page.lines_are_drawn, "lines in the parallel coordinates")
        folder = Path(os.environ.get("RECURRENT_SCREENSHOTS", tmp_path))
        browser.save_screenshot(str(folder / "a_real_search.png"))
        page.browser.find_element("link text", "Searches").click()
        browser.switch_to.window(browser.window_handles[-1])
        page.wait("1 matching run", searched.name)
    finally:
        process.send_signal(signal.SIGINT)
        assert finished(process).returncode == 0
