"""Somebody else's files may hold anything: verification ends with problems, never with a crash."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compleak.results.store import ResultsError

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False), st.text(max_size=5),
    st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(st.sampled_from(["name", "targets", "x"]), st.none(), max_size=2),
)  # fmt: skip
RELAXED = {"suppress_health_check": [HealthCheck.function_scoped_fixture], "deadline": None}


def places(value, path=()):
    """Where something can be replaced."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*path, key))


def replaced(value, path, by):
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy


@given(st.data())
@settings(max_examples=60, **RELAXED)
def test_any_sidecar(board, check, data):
    path = board.with_suffix(".provenance.json")
    content = json.loads(path.read_text())
    place = data.draw(st.sampled_from(list(places(content))))
    path.write_text(json.dumps(replaced(content, place, data.draw(ODD))))
    try:
        check(board)
    except ResultsError as error:  # any text is an address, and scores that lie elsewhere must be asked for
        assert place == ("scores", "address") and "Download them" in str(error)
    finally:
        path.write_text(json.dumps(content))


@given(st.data())
@settings(max_examples=60, **RELAXED)
def test_any_json_of_a_run(run, check, data):
    path = data.draw(st.sampled_from(sorted(run.glob("nodes/*/*/*.json"))))
    text = path.read_text()
    place = data.draw(st.sampled_from(list(places(json.loads(text)))))
    path.write_text(json.dumps(replaced(json.loads(text), place, data.draw(ODD))))
    try:
        check(run)
    finally:
        path.write_text(text)


@pytest.mark.parametrize("text", ["[]", "7", "name: [", "membership: 3\nname: quick", "!!python/object:os.system {}"])
def test_any_suite(run, check, text):
    (run / "suite.yaml").write_text(text)
    assert not check(run).sound


@given(st.data())
@settings(max_examples=30, **RELAXED)
def test_any_bytes_of_the_files(board, check, data):
    path = data.draw(st.sampled_from(sorted(p for p in board.parent.iterdir())))
    before = path.read_bytes()
    changed = bytearray(before)
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    try:
        found = check(board)
    finally:
        path.write_bytes(before)
    if not path.name.endswith(".json"):
        assert not found.sound
