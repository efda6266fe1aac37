from pathlib import Path

import pytest

from compleak.benchmarks import nodes
from compleak.benchmarks.nodes import code_version, make_node


def test_a_key_follows_config_code_and_parents() -> None:
    base = make_node("data", "a", {"x": 1})
    assert make_node("data", "renamed", {"x": 1}).key == base.key
    assert make_node("data", "a", {"x": 2}).key != base.key
    child = make_node("train", "m", {}, {"data": base})
    assert make_node("train", "m", {}, {"data": make_node("data", "a", {"x": 2})}).key != child.key
    assert make_node("train", "m", {}, {"data": base}, modules=["models.networks.vgg"]).key != child.key


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in {
        "a.py": "from .b import f\n\ndef run():\n    '''Doc.'''\n    return f()  # comment\n",
        "b.py": "def f():\n    from .sub import g\n    return g\n",
        "sub/__init__.py": "",
        "sub/g.py": "VALUE = 1\n",
        "c.py": "VALUE = 1\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(nodes, "_ROOT", tmp_path)
    return tmp_path


def version() -> str:
    for cached in (nodes.code_version, nodes._tree, nodes._meaning, nodes._imported):
        cached.cache_clear()
    return code_version(("a",))


def test_comments_and_docstrings_change_no_version(package: Path) -> None:
    before = version()
    (package / "a.py").write_text("from .b import f\n\ndef run():\n    '''Other.'''\n    return f()\n")
    assert version() == before


@pytest.mark.parametrize(("name", "changes"), [("b.py", True), ("sub/g.py", True), ("c.py", False)])
def test_only_code_that_a_stage_imports_counts(package: Path, name: str, changes: bool) -> None:
    (package / "b.py").write_text("def f():\n    from .sub import g\n    return g.VALUE\n")
    before = version()
    with (package / name).open("a") as stream:
        stream.write("ADDED = 2\n")
    assert (version() != before) is changes


def test_an_unknown_module_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"No module 'attacks\.nothing'"):
        code_version(("attacks.nothing",))
