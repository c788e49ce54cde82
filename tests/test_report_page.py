"""The page of a run in a real browser, wide and narrow, light and dark: all is seen, filter and keys work.

Skipped where no Chromium is installed (Debian: `apt-get install chromium`), or playwright, which drives it.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.chain import Toy
from support.report import report_page

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright, which drives the browser, is not installed"
)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
#: a browser that asks nobody for anything, and may run as root
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

#: what the window's right edge cuts, but for what scrolls by itself
OUTSIDE = """[...document.querySelectorAll('main *')]
    .filter(e => e.checkVisibility() && !e.closest('.wide, thead'))
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML)"""
#: of a sheet of A4 with margins of 12 mm, px
PAPER = 703

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        started.close()


@pytest.fixture
def path(toy: Toy) -> Path:
    return report_page(toy).resolve()


def opened(browser: Any, path: Path, **options: Any) -> Any:
    """The page, open; whatever the browser complains about fails the test that closes it."""
    page = browser.new_page(**{"viewport": {"width": 1280, "height": 800}, **options})
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith(("file:", "data:")) else page.complaints.append(request.url)
        ),
    )
    page.goto(path.as_uri())
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_cut_off(browser: Any, path: Path, width: int, scheme: str) -> None:
    page = opened(browser, path, viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OUTSIDE) == []
    light = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)")
    assert (sum(light[:3]) > 380) == (scheme == "light")
    assert page.complaints == []
    page.close()


def test_in_print_tables_are_tables_and_nothing_is_cut_off(browser: Any, path: Path) -> None:
    page = opened(browser, path, viewport={"width": PAPER, "height": 1000})
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER
    assert page.evaluate(OUTSIDE) == []
    shapes = "[...document.querySelectorAll('table')].map(e => getComputedStyle(e).display)"
    assert set(page.evaluate(shapes)) == {"table"}
    assert not page.locator(".filters").is_visible()
    page.close()


def test_the_section_that_is_read_is_named_above(browser: Any, path: Path) -> None:
    page = opened(browser, path, viewport={"width": 390, "height": 800})
    page.locator("#settings h2").evaluate("e => e.scrollIntoView()")
    page.wait_for_selector("nav a.here[href='#settings']")
    page.wait_for_function(
        """() => { const box = document.querySelector("nav a[href='#settings']").getBoundingClientRect();
                   return box.left >= 0 && box.right <= innerWidth }"""
    )
    page.close()


def test_the_gallery_is_filtered(browser: Any, path: Path) -> None:
    page = opened(browser, path)
    assert page.locator(".row:visible").count() == 6
    page.select_option("#by-class", "c")
    assert page.locator(".row:visible").count() == 2
    assert page.inner_text("#count") == "2 of 6 images"
    page.uncheck("input[name=stage][value=CAM]")
    assert page.locator("figure[data-stage=CAM]:visible").count() == 0
    assert page.locator("figure[data-stage='final mask']:visible").count() == 2
    page.select_option("#by-class", "")
    page.select_option("#by-why", "best")
    assert set(page.locator(".row:visible .why").all_inner_texts()) == {"best"}
    assert page.complaints == []
    page.close()


def test_pictures_are_enlarged_and_keys_move(browser: Any, path: Path) -> None:
    page = opened(browser, path)
    first, second = page.locator(".row").nth(0), page.locator(".row").nth(1)
    first.locator(".picture").nth(1).focus()
    page.keyboard.press("Enter")
    caption = page.locator("dialog figcaption")
    told = [picture.get_attribute("aria-label") for picture in first.locator(".picture").all()]
    assert caption.inner_text() == told[1]
    assert page.locator("dialog .picture").bounding_box()["width"] > 300
    page.keyboard.press("ArrowRight")
    assert caption.inner_text() == told[2]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    assert caption.inner_text() == second.locator(".picture").nth(1).get_attribute("aria-label")
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == (
        second.locator(".picture").nth(1).get_attribute("aria-label")
    )
    assert page.complaints == []
    page.close()


def test_charts_tell_their_values(browser: Any, path: Path) -> None:
    page = opened(browser, path)
    chart = page.locator("#thresholds .chart").first
    chart.locator("svg").first.focus()
    page.keyboard.press("ArrowRight")
    assert chart.locator("output").inner_text().splitlines()[0].split() == ["threshold", "θ", "0.3"]
    assert "mIoU" in chart.locator("output").inner_text()
    page.close()
