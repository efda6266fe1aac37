"""The site is built with warnings as errors, which covers links, anchors and the reference; and it needs no network."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for name in ("mkdocs", "material", "mkdocstrings_handlers.python"):
        pytest.importorskip(name, reason=f"{name} is not installed: pip install -c constraints.txt -e '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_built(site, pages):
    assert {place.replace(".md", ".html") for place in pages} <= {
        path.relative_to(site).as_posix() for path in site.rglob("*.html")
    }


def test_no_page_has_text_that_stands_for_another(pages):
    for place, text in pages.items():
        assert not re.search(r"\b(TODO|TBD|FIXME|XXX|[A-Z]+_HERE|lorem ipsum)\b", text), place


def test_the_reference_shows_signatures_and_shapes(site):
    text = (site / "reference" / "attacks.html").read_text()
    assert 'id="compleak.attacks.lira.lira_scores"' in text
    assert "Score examples by LiRA." in text


def test_nothing_is_fetched_from_anywhere(site):
    for page in site.rglob("*.html"):
        fetched = re.findall(r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=[\"']?([^\"'\s>]+)", page.read_text())
        assert fetched
        assert not [address for address in fetched if re.match(r"(https?:)?//", address)], page.name


def test_pages_open_and_are_searched_from_a_file(site):
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium is installed (on Debian: apt-get install chromium)")
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    said, asked = [], []
    with driver.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "index.html").as_uri())
        page.keyboard.press("/")
        page.keyboard.type("twin")
        page.locator(".md-search-result__link").first.wait_for(state="attached", timeout=60_000)
        found = [link.get_attribute("href") for link in page.locator(".md-search-result__link").all()]
        browser.close()
    assert said == []
    assert all(address.startswith(("file:", "data:", "about:")) for address in asked)
    assert any("concepts.html" in address for address in found)
