"""The dashboard in a real browser, as a process beside another one that stores.

Needs Chromium and its driver (Debian: chromium, chromium-driver); skipped where they are missing.
"""

import importlib.util
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from firmware.base.store import DATABASE
from firmware.base.survey.reading import Reader
from firmware.wire.ids import ItemId
from tests.base.dashboard.conftest import PASSWORD, add_accounts
from tests.base.export.exported import fill
from tests.base.pictures import frame_arrival, picture
from tests.base.survey.survey_store import T0, put, seen

pytestmark = pytest.mark.slow
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
PHONE = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
TO_REVIEW = 100
SHOWN = ".review a[data-key=o]"


@dataclass
class Browser:
    """A browser on a running dashboard."""

    driver: webdriver.Chrome
    address: str
    data_dir: Path

    def open(self, path: str) -> None:
        self.driver.get(self.address + path)

    def log_in(self, name: str) -> None:
        self.open("/login")
        self.find("[name=name]").send_keys(name)
        self.find("[name=password]").send_keys(PASSWORD)
        self.find("button.main").click()
        self.wait_for("header.top")

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element("css selector", selector)

    def wait_for(self, selector: str, timeout_s: float = 10.0) -> float:
        """Until it is there; returns the seconds that took."""
        start_s = time.monotonic()
        WebDriverWait(self.driver, timeout_s, 0.02).until(
            lambda d: d.find_elements("css selector", selector)
        )
        return time.monotonic() - start_s

    def texts(self, selector: str) -> list[str]:
        """Of what is there now."""
        return [str(one.text) for one in self.driver.find_elements("css selector", selector)]

    def width(self) -> int:
        """Of what is on the page, beyond the edge or not."""
        return int(self.driver.execute_script("return document.documentElement.scrollWidth"))

    def until(self, true: Callable[[], bool]) -> None:
        """Until it is so; a page that is being replaced counts as not yet."""
        ignored = [StaleElementReferenceException]
        WebDriverWait(self.driver, 10, 0.02, ignored_exceptions=ignored).until(lambda _: true())

    def keys(self, text: str) -> None:
        self.find("body").send_keys(text)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A dashboard as its own process."""
    folder = tmp_path_factory.mktemp("browser")
    fill(folder / "base")
    add_accounts(folder / "base")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = folder / "base.toml"
    config.write_text(
        f"[mqtt]\nhost = 'h'\n[store]\ndata_dir = '{folder / 'base'}'\n"
        f"[dashboard]\nport = {port}\nhttps = false\n"
    )
    command = [sys.executable, "-m", "firmware", "base", "dashboard", "--config", str(config)]
    with subprocess.Popen(command) as process:
        try:
            wait_for_port(port, process)
            yield f"http://127.0.0.1:{port}", folder / "base"
        finally:
            process.terminate()
            assert process.wait(20) == 0


def wait_for_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    until_s = time.monotonic() + 30
    while time.monotonic() < until_s and process.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    pytest.fail("the dashboard did not start")


@pytest.fixture
def browser(running: tuple[str, Path]) -> Iterator[Browser]:
    if not (CHROMIUM and DRIVER):
        pytest.skip("chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*ARGUMENTS, "--lang=en"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield Browser(driver, *running)
        said = driver.get_log("browser")  # type: ignore[no-untyped-call]
        assert [line for line in said if line["level"] == "SEVERE"] == []
    finally:
        driver.quit()


def test_a_sighting_and_its_picture_show_on_an_open_page_within_two_seconds(
    browser: Browser,
) -> None:
    browser.log_in("viewer")
    times_s = []
    for number in range(70, 75):
        at_s = time.time()  # noqa: TID251 - the process under test has the real clock
        put(browser.data_dir, seen(number, at_s, "tiger"))
        with closing(sqlite3.connect(browser.data_dir / DATABASE)) as db:
            (sequence,) = db.execute("SELECT max(seq) FROM sighting").fetchone()
        times_s.append(browser.wait_for(f"#s{sequence}"))
        put(browser.data_dir, frame_arrival(ItemId(7, number, "frame", 1), picture(number)))
        times_s.append(browser.wait_for(f"#s{sequence} img[src*='frame-1']"))
    assert max(times_s) <= 2.0, times_s


def test_the_review_queue_is_gone_through_by_keyboard(browser: Browser) -> None:
    put(browser.data_dir, *(seen(100 + n, T0 + n * 9000.0, "fox") for n in range(TO_REVIEW)))
    browser.log_in("ranger")
    browser.open("/review?species=fox")
    names = []
    for key in ("cn4j" * TO_REVIEW)[: TO_REVIEW - 1]:
        names.append(browser.find(SHOWN).text)
        browser.keys(key)
        browser.until(lambda: browser.texts(SHOWN) not in ([], names[-1:]))
    assert names == [f"T0007-{100 + n:06d}" for n in reversed(range(1, TO_REVIEW))]
    browser.keys("u")
    browser.until(lambda: browser.texts(SHOWN) == names[3:4])  # the newest skipped one
    with Reader(browser.data_dir) as reader:
        said = Counter(o.species for o in reader.observations() if o.reviewed_by == "ranger")
    assert said == {"fox": 25, "empty": 25, "sika_deer": 24}


@pytest.mark.parametrize("language", ["en", "ru", "zh"])
def test_every_page_fits_a_phone_without_scrolling_sideways(
    browser: Browser, language: str
) -> None:
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    browser.log_in("admin")
    browser.find(f"button[value={language}]").click()
    browser.wait_for(f"html[lang={language}]")
    for path in ("/", "/review", "/units", "/unit/T0007", "/map", "/audit", "/event/1", "/event/5"):
        browser.open(path)
        with suppress(TimeoutException):
            browser.until(lambda: browser.width() <= PHONE["width"])  # once it is laid out
        assert browser.width() <= PHONE["width"], path


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(browser: Browser, theme: str) -> None:
    package = importlib.util.find_spec("axe_playwright_python")  # holds axe-core; no more is used
    if package is None or not package.submodule_search_locations:
        pytest.skip("no axe-core here: pip install --no-deps axe-playwright-python")
    axe = (Path(package.submodule_search_locations[0]) / "axe.min.js").read_text()
    browser.open("/login")
    assert serious(browser, axe) == []
    browser.log_in("admin")
    browser.find(f"button[value={theme}]").click()
    browser.wait_for(f"html[data-theme={theme}]")
    for path in ("/", "/review", "/units", "/unit/T0007", "/map", "/audit", "/event/1", "/event/5"):
        browser.open(path)
        assert serious(browser, axe) == [], path


def serious(browser: Browser, axe: str) -> list[str]:
    """What axe-core calls serious or critical on the open page."""
    browser.driver.execute_script(axe)
    found = browser.driver.execute_async_script(
        "axe.run().then(r => arguments[0](r.violations))"
    )  # fmt: skip
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found if one["impact"] in ("serious", "critical") for node in one["nodes"]
    ]  # fmt: skip
