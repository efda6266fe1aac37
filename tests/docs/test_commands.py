"""Every command that the site and the README show exists, with its options, and every command is shown."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from compleak.benchmarks.cli import app
from compleak.benchmarks.suite_files import built_in_suites, load_suites

ROOT = Path(__file__).parents[2]


def _shown(text):
    """Commands of blocks of ``bash`` or of no stated language, and indented ones, comments taken off."""
    fenced = re.findall(r"^```(\w*)[^\n]*\n(.*?)^```$", text, re.S | re.M)
    blocks = [block for language, block in fenced if language in ("", "bash", "sh")]
    indented = re.findall(r"^ {4}((?:make|compleak) .*)$", text, re.M)
    lines = "\n".join([*blocks, *indented]).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if re.match(r"(make|compleak) ", line)]


@pytest.fixture(scope="module")
def shown(pages):
    texts = {**pages, "README.md": (ROOT / "README.md").read_text()}
    return [(place, words) for place, text in texts.items() for words in _shown(text)]


def _parse(words):
    """Hold a command line against the app as the program would, without running anything; the command's name."""
    command, path, context = typer.main.get_command(app), [], None
    rest = words[1:]
    while hasattr(command, "commands"):
        context = command.make_context(" ".join(path) or "compleak", list(rest), parent=context)
        _, command, rest = command.resolve_command(context, list(rest))
        path.append(command.name)
    parsed = command.make_context(path[-1], list(rest), parent=context)
    return " ".join(path), parsed.params


def test_commands_are_parsed_as_the_program_would(shown):
    found = 0
    for place, words in shown:
        if words[0] == "compleak":
            found += 1
            try:
                _, values = _parse(words)
            except Exception as error:
                raise AssertionError(f"{place}: {shlex.join(words)}: {error}") from error
            overrides = values.get("settings") or ()
            if values.get("suite") in built_in_suites() and not any("path=" in o for o in overrides):
                load_suites(values["suite"], overrides)
    assert found > 20


def test_a_command_that_does_not_exist_would_be_found():
    for words in (["compleak", "reprot", "x", "-o", "y"], ["compleak", "compare", "x", "--by", "moon"],
                  ["compleak", "verify", "x", "--jsn"], ["compleak", "data", "get", "x"]):  # fmt: skip
        with pytest.raises(Exception, match=r"No such|not one of|is not"):
            _parse(words)


def test_every_command_is_shown(shown):
    def leaves(command, path=()):
        for name, inner in getattr(command, "commands", {}).items():
            yield from leaves(inner, (*path, name)) if hasattr(inner, "commands") else [" ".join((*path, name))]

    named = {" ".join(words[1:n]) for _, words in shown for n in (2, 3) if words[0] == "compleak"}
    assert set(leaves(typer.main.get_command(app))) <= named


def test_make_targets_exist(shown):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for place, words in shown:
        if words[0] == "make":
            assert set(words[1:]) <= targets, place


def test_readme_links_lead_somewhere():
    text = (ROOT / "README.md").read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if not link.startswith("http")]
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
