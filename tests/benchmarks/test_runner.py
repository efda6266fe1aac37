import json
import os
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from compleak.benchmarks.executors import InProcessExecutor, make_executor
from compleak.benchmarks.fields import Execution
from compleak.benchmarks.nodes import Node
from compleak.benchmarks.runner import Failure, Outcome, run_nodes
from compleak.benchmarks.store import Store, StoreError


class Silent:
    def finished(self, node: Node, seconds: float) -> None: ...

    def failed(self, failure: Failure) -> None: ...


def fake_stage(run: Any) -> None:
    module = types.ModuleType("compleak.benchmarks.stages.fake")
    module.run = run  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module


def add(job: Any) -> None:
    total = sum(json.loads((p / "value.json").read_text()) for p in job.parents.values())
    job.write("value.json", total + job.config["add"])


def diamond() -> list[Node]:
    a = Node("fake", "a", "a" * 64, {"add": 1})
    b = Node("fake", "b", "b" * 64, {"add": 10}, {"a": a})
    c = Node("fake", "c", "c" * 64, {"add": 100}, {"a": a})
    return [a, b, c, Node("fake", "d", "d" * 64, {"add": 0}, {"b": b, "c": c}, exclusive=True)]


def go(nodes: list[Node], root: Path) -> Outcome:
    return run_nodes(nodes, Store(root), InProcessExecutor(), Execution(), 2, Silent())


def test_a_diamond_runs_once_and_then_never_again(tmp_path: Path) -> None:
    fake_stage(add)
    nodes = diamond()
    assert [n.name for n in go(nodes, tmp_path).run] == ["a", "b", "c", "d"]
    assert json.loads((Store(tmp_path).path(nodes[3]) / "value.json").read_text()) == 112
    assert go(nodes, tmp_path).run == []


def test_what_another_run_has_whole_is_taken_over_and_nothing_else(tmp_path: Path) -> None:
    fake_stage(add)
    nodes, first, second = diamond(), Store(tmp_path / "first"), Store(tmp_path / "second")
    go(nodes[:2], first.root)
    (first.path(nodes[1]) / "value.json").write_text("12\n")
    assert [second.adopt(node, first) for node in nodes] == [True, False, False, False]
    assert [n.name for n in go(nodes, second.root).run] == ["b", "c", "d"]


@pytest.mark.parametrize("harm", ["delete", "change", "manifest"])
def test_a_damaged_node_is_run_again_and_no_other(tmp_path: Path, harm: str) -> None:
    fake_stage(add)
    nodes = diamond()
    go(nodes, tmp_path)
    folder = Store(tmp_path).path(nodes[1])
    if harm == "delete":
        (folder / "value.json").unlink()
    elif harm == "change":
        (folder / "value.json").write_text("12\n")
    else:
        (folder / "manifest.json").write_text('{"key": ')
    assert [n.name for n in go(nodes, tmp_path).run] == ["b"]


def test_a_failure_holds_up_its_children_only_and_is_tried_again(tmp_path: Path) -> None:
    def fail_b(job: Any) -> None:
        if job.config["add"] == 10:
            raise ArithmeticError("no luck")
        add(job)

    fake_stage(fail_b)
    outcome = go(diamond(), tmp_path)
    assert [n.name for n in outcome.run] == ["a", "c"]
    assert [(f.node.name, f.error) for f in outcome.failures] == [("b", "ArithmeticError: no luck")]
    assert "fail_b" in outcome.failures[0].trace
    assert [n.name for n in outcome.skipped] == ["d"]
    fake_stage(add)
    assert [n.name for n in go(diamond(), tmp_path).run] == ["b", "d"]


def test_a_full_disk_leaves_no_half_node(tmp_path: Path) -> None:
    def full(job: Any) -> None:
        job.write("value.json", 1)
        raise OSError(28, "No space left on device")

    fake_stage(full)
    nodes = diamond()[:1]
    assert go(nodes, tmp_path).failures[0].error.startswith("OSError: [Errno 28]")
    assert not Store(tmp_path).is_complete(nodes[0])
    assert not Store(tmp_path).path(nodes[0]).exists()
    Store(tmp_path).sweep()
    assert not list((tmp_path / "nodes").glob("*/*.partial"))


def test_two_processes_do_not_share_a_run(tmp_path: Path) -> None:
    with Store(tmp_path).lock(), pytest.raises(StoreError, match="Another process is running"):
        Store(tmp_path).lock()


KILLER = """
import os, signal, sys
sys.path.insert(0, {tests!r})
import test_runner as t
from compleak.benchmarks import store
commits = 0
original = store._sync
def sync(path):
    global commits
    commits += 1
    if commits == {at}:
        os.kill(os.getpid(), signal.SIGKILL)
    original(path)
store._sync = sync
t.fake_stage(t.add)
t.go(t.diamond(), t.Path({root!r}))
"""


@pytest.mark.parametrize("at", [1, 2, 3, 4, 6, 9, 13])
def test_killed_at_any_write_a_run_resumes_to_the_same_values(tmp_path: Path, at: int) -> None:
    script = KILLER.format(tests=str(Path(__file__).parent), at=at, root=str(tmp_path))
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    fake_stage(add)
    nodes = diamond()
    Store(tmp_path).sweep()
    go(nodes, tmp_path)
    values = {n.name: json.loads((Store(tmp_path).path(n) / "value.json").read_text()) for n in nodes}
    assert values == {"a": 1, "b": 11, "c": 101, "d": 112}
    assert not list(tmp_path.rglob("*.partial"))


def test_a_pool_of_processes_runs_calls_elsewhere() -> None:
    with make_executor(2) as executor:
        assert executor.submit(os.getpid).result() != os.getpid()
