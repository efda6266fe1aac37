"""The page in a real browser: it sorts and filters, asks no network, and can be read by anybody."""

import os
import re
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from compleak.results.report.site import write_report
from compleak.results.store import Results

pytestmark = pytest.mark.browser
SECTIONS = (
    "overview", "leaderboard", "roc", "tradeoff", "classes", "examples", "compression", "method", "configuration",
)  # fmt: skip


@pytest.fixture(scope="module")
def chromium():
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium is installed (on Debian: apt-get install chromium)")
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    with driver.sync_playwright() as play:
        # Chromium refuses its sandbox to root, as a container often is.
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, page):
    """Open the page and scroll through it, so that everything is drawn; what it complains of is kept in ``said``."""
    contexts = []

    def opened(url=None, **options):
        context = chromium.new_context(**options)
        contexts.append(context)
        tab = context.new_page()
        tab.said, tab.asked = [], []
        tab.on("console", lambda message: tab.said.append(message.text))
        tab.on("pageerror", lambda error: tab.said.append(str(error)))
        tab.on("dialog", lambda dialog: (tab.said.append(dialog.message), dialog.dismiss()))
        tab.on("request", lambda request: tab.asked.append(request.url))
        tab.goto(url or page.as_uri())
        tab.wait_for_selector("html[data-ready]")
        for section in SECTIONS:
            tab.evaluate("id => document.getElementById(id).scrollIntoView()", section)
            tab.wait_for_timeout(60)
        for drawn in ("#roc-figure", "#tradeoff-size", "#tradeoff-accuracy", "#classes-figure"):
            tab.wait_for_selector(f"{drawn} .main-svg")
        tab.wait_for_selector("#compression table")
        return tab

    yield opened
    for context in contexts:
        context.close()


def until(tab, expression):
    """Wait until the expression is true; Playwright's own waiting would need the page to allow eval."""
    for _ in range(300):
        if tab.evaluate(expression):
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"never became true: {expression}")


def settled(tab, read, expected):
    """What ``read`` gives once it gives what is expected, or last of all: a page answers a click in its own time."""
    for _ in range(100):
        if (found := read()) == expected:
            break
        tab.wait_for_timeout(50)
    return found


def column(tab, heading):
    """The shown cells of a leaderboard's column, first line only."""
    cells = tab.evaluate(
        """heading => {
            const table = document.querySelector("#leaderboard table");
            const at = [...table.tHead.rows[0].cells].findIndex((c) => c.textContent.trim() === heading);
            return [...table.tBodies[0].rows].map((row) => row.cells[at].innerText.split("\\n")[0]);
        }""",
        heading,
    )
    return [cell.strip() for cell in cells]


def total(tab):
    return int(re.search(r"of ([\d,]+) rows", tab.inner_text("#leaderboard .dt-info"))[1].replace(",", ""))


def test_clicking_a_heading_sorts_by_numbers(visit, results):
    tab = visit()
    expected = sorted((f"{r.auc:.3f}" for r in results.rows), key=float)
    before = column(tab, "AUC")
    heading = tab.locator("#leaderboard thead th", has_text=re.compile(r"^AUC$"))
    for order, rows in (("descending", expected[::-1]), ("ascending", expected)):
        heading.click()
        until(tab, f"document.querySelector('#leaderboard th[aria-sort={order}]')?.textContent.trim() === 'AUC'")
        assert settled(tab, lambda: column(tab, "AUC"), rows) == rows != before


def test_a_choice_and_a_search_narrow_the_rows(visit, results):
    tab = visit()
    assert total(tab) == len(results.rows)
    tab.get_by_label("Technique").first.select_option(label="quantization")
    quantized = sum(r.technique == "quantization" for r in results.rows)
    assert settled(tab, lambda: total(tab), quantized) == quantized
    tab.locator("#leaderboard").get_by_label("Search").fill("sr2")
    until(tab, "document.querySelector('#leaderboard .dt-info').textContent.includes('of 1 rows')")
    assert column(tab, "Attack") == ["sr2-rf"]
    tab.get_by_label("Technique").first.select_option(label="all")
    pairs = sum("sr2" in r.attack for r in results.rows)
    assert settled(tab, lambda: total(tab), pairs) == pairs


def test_from_a_file_nothing_is_asked_of_a_network_and_nothing_complains(visit, page):
    tab = visit()
    assert tab.asked == [page.as_uri()]
    assert tab.said == []


def test_from_a_web_server_it_is_one_request(visit, page):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=page.parent)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        tab = visit(url)
        server.shutdown()
    assert tab.asked == [url]
    assert tab.said == []


def test_models_stand_beside_each_other(chromium, make_row, tmp_path):
    rows = tuple(
        make_row(
            framework="none",
            setting="original",
            suite=f"s-<b>{i}",
            attack=attack,
            accuracy=0.5 + i / 10,
            auc=auc,
            scores_sha256=f"{i:064x}",
        )
        for i in range(3)
        for attack, auc in (("compleak-nr-entropy", 0.6 + i / 10), ("compleak-nr-train2-rf", 0.5))
    )
    tab = chromium.new_page()
    tab.goto(write_report(Results(tmp_path, rows), tmp_path).as_uri())
    tab.wait_for_selector("html[data-ready]")
    tab.evaluate("document.getElementById('models-figure').scrollIntoView()")
    tab.wait_for_selector("#models-figure .main-svg")
    tab.select_option("#models-choices select", "nr-entropy")
    assert "+1.000, p = 0.333" in tab.text_content("#models-rank")
    tab.click("#tradeoff details:has(#models-table) summary")
    assert tab.inner_text("#models-table tbody tr:first-child").split("\t")[0] == "<b>0"
    tab.close()


def test_names_are_shown_and_never_run(visit):
    tab = visit()
    assert tab.evaluate("window.hit") is None
    assert "<script>window.hit=1</script>" in tab.inner_text("#leaderboard tbody")
    assert "<img src=x" in tab.inner_text("#compression tbody")
    assert "<img src=x" in tab.inner_text("#roc-choices")
    assert "<img src=x" in tab.locator("#roc-figure .legend").first.text_content()
    assert "<img src=x" in tab.text_content("#tradeoff-table")
    assert tab.evaluate("document.querySelectorAll('main img').length") == 0


def test_the_policy_stops_what_gets_in_all_the_same(visit):
    tab = visit()
    assert tab.evaluate(
        """async () => {
            const script = document.createElement("script");
            script.textContent = "window.hit = 3";
            document.body.append(script);
            let reached = true;
            try { await fetch("http://127.0.0.1:9/"); } catch { reached = false; }
            return [window.hit ?? null, reached];
        }"""
    ) == [None, False]
    assert any("Content Security Policy" in text for text in tab.said)


def test_the_drawn_curve_is_the_recomputed_one(visit, results, best_rate):
    tab = visit()
    tab.locator("#roc-choices select").nth(2).select_option("sr2-rf")
    drawn = tab.evaluate(
        """() => document.getElementById("roc-figure").data.filter((t) => t.meta === "curve")
            .map((t) => ({name: t.name, x: [...t.x], y: [...t.y]}))"""
    )
    rows = [r for r in results.rows if r.attack == "compleak-sr2-rf"]
    expected = [results.baseline_of(rows[0]), *(results.scores_of(r) for r in rows)]
    assert [t["name"] for t in drawn][:2] == ["the original alone", "tflite pruning-magnitude-0.6"]
    assert len(drawn) == 3
    for trace, scores in zip(drawn, expected, strict=True):
        again = [best_rate(scores, fpr) for fpr in trace["x"]]
        assert [y or 0.0 for y in trace["y"]] == pytest.approx(again, abs=1e-12)
    at = drawn[1]["x"].index(0.01)
    assert drawn[1]["y"][at] == pytest.approx(rows[0].tpr_at_1pct)


def test_unticking_a_curve_removes_it_and_its_numbers(visit):
    tab = visit()
    count = "document.getElementById('roc-figure').data.filter((t) => t.meta === 'curve').length"
    before = tab.evaluate(count)
    tab.locator("#roc-choices input[type=checkbox]").first.uncheck()
    rows = "document.querySelectorAll('#roc-table tbody tr').length"
    assert settled(tab, lambda: [tab.evaluate(count), tab.evaluate(rows)], [before - 1] * 2) == [before - 1] * 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_and_figures_follow_the_scheme(visit, scheme):
    tab = visit(color_scheme=scheme)
    lowest = tab.evaluate(
        """() => {
            const channels = (css) => css.match(/[\\d.]+/g).map(Number);
            const light = (css) => channels(css).slice(0, 3).map((v) => v / 255)
                .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
                .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
            const behind = (e) => {
                for (; e; e = e.parentElement) {
                    const c = channels(getComputedStyle(e).backgroundColor);
                    if (c.length === 3 || c[3] > 0) return getComputedStyle(e).backgroundColor;
                }
            };
            const kinds = "main p, main td, main th, main dt, main a, summary, h1, h2, select, .ci";
            const ratios = [...document.querySelectorAll(kinds)]
                .filter((e) => e.textContent.trim() && e.offsetParent)
                .map((e) => {
                    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
                    return (a + 0.05) / (b + 0.05);
                });
            return [Math.min(...ratios), light(getComputedStyle(document.body).backgroundColor), ratios.length];
        }"""
    )
    assert lowest[0] >= 4.5 and lowest[2] > 100
    assert (lowest[1] < 0.1) == (scheme == "dark")
    ink = tab.evaluate("document.getElementById('roc-figure').layout.font.color")
    assert ink == {"light": "#1b1d1f", "dark": "#e6e5e0"}[scheme]


def test_figures_change_with_the_scheme_while_the_page_is_open(visit):
    tab = visit(color_scheme="light")
    tab.emulate_media(color_scheme="dark")
    until(tab, "document.getElementById('roc-figure').layout.font.color === '#e6e5e0'")


def test_a_phone_scrolls_tables_and_never_the_page(visit):
    tab = visit(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    assert tab.evaluate("document.querySelector('#leaderboard .dt-layout-table').scrollWidth") > 360
    for select in tab.locator("main select:visible, main input:visible:not([type=checkbox])").all():
        assert select.bounding_box()["height"] >= 24


def test_the_accessibility_rules_of_axe_hold(visit):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    tab = visit(viewport={"width": 1280, "height": 900})
    tab.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    found = axe.Axe().run(tab).response["violations"]
    assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in found] == []


def test_a_keyboard_and_a_screen_reader_get_everywhere(visit):
    tab = visit()
    assert tab.get_attribute("html", "lang") == "en"
    tab.evaluate("scrollTo(0, 0)")
    tab.keyboard.press("Tab")
    until(tab, "document.activeElement.textContent === 'Skip to the report'")
    tab.keyboard.press("Enter")
    until(tab, "document.activeElement.id === 'main'")
    assert tab.evaluate("[...document.querySelectorAll('main section')].every((s) => s.querySelector('h2'))")
    assert tab.evaluate("[...document.querySelectorAll('main table')].every((t) => t.caption.textContent.trim())")
    labels = tab.evaluate("[...document.querySelectorAll('.figure')].map((f) => f.getAttribute('aria-label') ?? '')")
    assert len(labels) == 4 and all("table below" in label for label in labels[:2])
    order = tab.locator("#leaderboard th .dt-column-order").nth(2)
    order.focus()
    tab.keyboard.press("Enter")
    until(tab, "document.querySelectorAll('#leaderboard thead th')[2].hasAttribute('aria-sort')")
