"""The page as a file: the same bytes each time, nothing executed but our scripts, nothing asked of a network."""

import base64
import hashlib
import re
import shutil
from html.parser import HTMLParser

import pytest

from compleak.results.leaderboard import write_leaderboard
from compleak.results.report.site import embedded, render, write_report
from compleak.results.store import ResultsError, open_results

from .conftest import HOSTILE


class Tags(HTMLParser):
    """All start tags, and the text of each script and style."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.raw, self._open = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = tag if tag in ("script", "style") else None
        if self._open:
            self.raw.append([tag, dict(attrs), ""])

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        if self._open:
            self.raw[-1][2] += data


@pytest.fixture(scope="module")
def tags(page):
    return Tags(page.read_text(encoding="utf-8"))


def test_the_same_results_give_the_same_bytes(results, page):
    again = render(open_results(results.path), {"compleak-mr": f"joint {HOSTILE}"})
    assert again.encode() == page.read_bytes()


def test_no_name_in_the_data_becomes_markup(tags, page):
    assert not [attrs for tag, attrs in tags.tags if tag == "img"]
    assert not [attrs for _, attrs in tags.tags if any(name.startswith("on") for name in attrs)]
    kinds = [attrs.get("type") for tag, attrs in tags.tags if tag == "script"]
    assert sorted(set(kinds)) == ["application/json", "module", "text/javascript"] and len(kinds) == 8 + 3
    assert "window.hit=1" in page.read_text(encoding="utf-8")


def test_json_cannot_break_out_of_its_element():
    text = str(embedded({"a": "</script><!--<script>\u2028&"}))
    assert not set("<>&\u2028") & set(text)
    import json

    assert json.loads(text) == {"a": "</script><!--<script>\u2028&"}


def test_the_policy_names_each_script_and_nothing_else(tags):
    policy = next(a["content"] for t, a in tags.tags if t == "meta" and a.get("http-equiv"))
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    made = {
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for tag, attrs, text in tags.raw
        if tag == "script" and attrs["type"] != "application/json"
    }
    assert allowed == made and len(made) == 3
    assert policy.startswith("default-src 'none'") and "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]


def test_nothing_is_loaded_from_anywhere(tags):
    for tag, attrs in tags.tags:
        assert "src" not in attrs and "srcset" not in attrs, tag
        if tag != "a":
            assert attrs.get("href", "data:,") == "data:,"
    style = next(text for tag, _, text in tags.raw if tag == "style")
    assert "url(" not in style and "@import" not in style and "@font-face" not in style


def test_a_published_file_without_scores_still_makes_a_page(results, tmp_path):
    write_leaderboard(results.rows, tmp_path / "quick.csv")
    text = write_report(open_results(tmp_path / "quick.csv"), tmp_path / "site").read_text(encoding="utf-8")
    assert "scores of these rows are not kept" in text and "No null control was run" in text
    assert 'id="data-leaderboard"' in text


def test_settings_without_sizes_have_no_column_for_them(run, results, tmp_path):
    shutil.copytree(run, tmp_path / "audit")
    unsized = [row.model_copy(update={"bytes_gzip": None}) for row in results.rows]
    write_leaderboard(unsized, tmp_path / "audit" / "leaderboard.csv")
    headings = [
        render(one, {}).split('class="plain"', 1)[1].split("</thead>", 1)[0]
        for one in (results, open_results(tmp_path / "audit"))
    ]
    assert ["kB gzip" in one for one in headings] == [True, False] and all("Accuracy" in one for one in headings)


def test_the_command_writes_the_page_and_says_where(run, tmp_path, capsys):
    from compleak.benchmarks.commands.report import report_command

    report_command([run], tmp_path / "site")
    said = capsys.readouterr().out
    assert str(tmp_path / "site" / "index.html") in said and "15 rows" in said
    assert "forests on (original, compressed) pairs" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


def test_a_page_that_is_full_says_so(results, monkeypatch):
    monkeypatch.setattr("compleak.results.report.site.LIMIT", 5)
    text = render(results, {})
    assert "This page holds 5 curves" in text and "This page holds 5 rows class by class" in text
    assert "of these comparisons" not in text


def test_no_rows_and_no_folder_are_said_plainly(results, tmp_path):
    write_leaderboard([], tmp_path / "leaderboard.csv")
    with pytest.raises(ResultsError, match="no rows"):
        write_report(open_results(tmp_path), tmp_path / "site")
    assert not (tmp_path / "site").exists()
    with pytest.raises(ResultsError, match="is a file"):
        write_report(results, tmp_path / "leaderboard.csv")
