"""Small made-up runs: every node with its manifest, scores drawn at random, rows as a run writes them."""

import hashlib
import json
import shutil
from itertools import product

import numpy as np
import pytest
import yaml

from compleak.results.leaderboard import write_leaderboard
from compleak.results.publishing.provenance import Code, recipe_sha256
from compleak.results.publishing.publish import publish
from compleak.results.publishing.verify import Expectation, PlanError, verify
from compleak.results.records import SCHEMA_VERSION, Row, bootstrap_seed, compare_to, evaluate
from compleak.results.scores import Scores, paired, write_scores

CUT = "2 of 9 texts were cut off."
VERSIONS = {"numpy": "2.0", "python": "3.11"}


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def suite_of(**changes):
    suite = {
        "name": "quick",
        "description": "made up",
        "seed": 0,
        "data": {"name": "digits"},
        "membership": {"targets": 1, "shadows": 2, "null": True},
        "network": {"name": "small-cnn"},
        "training": {"learning_rate": 1e-05},
        "compress": {"tflite": ["pruning-magnitude-0.6", "quantization-dynamic"]},
        "attacks": ["nr", "sr", "mr"],
        "statistics": {"resamples": 100},
    }
    for path, value in changes.items():
        *folders, leaf = path.split("__")
        inner = suite
        for folder in folders:
            inner = inner[folder]
        inner[leaf] = value
    return suite


def planned(suite):
    """What ``suite_of`` calls for: (attack, framework, technique, setting, held, baseline's variant)."""
    settings = suite["compress"]["tflite"]
    techniques = {s: s.partition("-")[0] for s in settings}
    for s in ["original", *settings]:
        framework = "none" if s == "original" else "tflite"
        held = s if s == "original" else f"tflite/{s}"
        yield "nr", framework, techniques.get(s, "none"), s, held, "" if s == "original" else "original"
    for s in settings:
        yield "sr", "tflite", techniques[s], s, f"original;tflite/{s}", "original;copy-1"
    held = ["original", *(f"tflite/{s}" for s in settings)]
    yield "mr", "tflite", "multiple", ";".join(["original", *settings]), ";".join(held), "original;copy-1;copy-2"


def targets_of(suite):
    return [f"target-{i}" for i in range(suite["membership"]["targets"])]


def expectation(suite):
    """A planner for ``suite_of``, as careful as the real one."""
    try:
        return expected_rows(suite)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise PlanError("no such suite") from error


def expected_rows(suite):
    rows = {}
    everyone = [*targets_of(suite), *(["null"] if suite["membership"]["null"] else [])]
    for (attack, framework, technique, setting, _, baseline), target in product(planned(suite), everyone):
        name = (attack, framework, setting, target, suite["membership"]["shadows"])
        compared = f"{attack} on {baseline}" if baseline else ""
        rows[name] = {"technique": technique, "access": "one-model", "queries": 1, "baseline": compared}
    return Expectation(rows)


TO_PUBLISH = {"planner": expectation, "describe": lambda suite, run_id: ("compleak run quick", Code(version="0"))}


class FakeRun:
    """Writes one run's folder."""

    def __init__(self, folder, suite, examples=240, draw=0, null_leak=0.0):
        self.folder, self.suite, self.examples, self.draw = folder, suite, examples, draw
        self.null_leak = null_leak
        self.run_id = sha(json.dumps([suite, draw]))[:16]
        self.keys = {}

    def node(self, stage, name, files, config=None, parents=None):
        key = sha(f"{self.run_id}/{stage}/{name}")
        folder = self.folder / "nodes" / stage / f"{name.replace('/', '__')}-{key[:12]}"
        folder.mkdir(parents=True)
        for file, content in files.items():
            if isinstance(content, Scores):
                write_scores(content, folder / file)
            elif isinstance(content, bytes):
                (folder / file).write_bytes(content)
            else:
                (folder / file).write_text(json.dumps(content))
        manifest = {
            "stage": stage, "name": name, "key": key, "config": config or {},
            "parents": {f"{s}-{n}" if s != "collect" else s: self.keys[s, n] for s, n in parents or ()},
            "files": {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()},
            "versions": VERSIONS, "machine": {"system": "Linux", "machine": "x86_64", "cores": 2}, "seconds": 1.5,
        }  # fmt: skip
        (folder / "manifest.json").write_text(json.dumps(manifest))
        self.keys[stage, name] = key

    def scores(self, target, attack, variant, strength):
        words = [self.draw, *(int(sha(t)[:6], 16) for t in (target, attack, variant))]
        rng, base = np.random.default_rng(words), np.random.default_rng(words[:2])
        member = np.arange(self.examples) % 2 == 0
        base = base.normal(size=self.examples) + (self.null_leak if target == "null" else 1.0) * member
        score = base + strength * rng.normal(size=self.examples)
        ids = np.arange(self.examples) * 3
        return Scores.of(ids, member, score, target=target, variant=variant, attack=attack, threshold=0.5)

    def write(self):
        suite = self.suite
        everyone = [*targets_of(suite), *(["null"] if suite["membership"]["null"] else [])]
        settings = suite["compress"]["tflite"]
        data = {"name": "digits", "source": "built in", "version": "1", "sha256": "ab" * 32, "notes": [CUT]}
        self.node("data", "digits", {"data.json": data})
        latency = {}
        for i, target in enumerate(everyone):
            self.node("train", target, {"model.safetensors": b"w" * 64, "measured.json": {"bytes": 64,
                      "bytes_gzip": 32}}, {"seed": 10 + i}, [("data", "digits")])  # fmt: skip
            for k, setting in enumerate(settings):
                measured = {"bytes": 30 + k, "bytes_gzip": 16, "sparsity": 0, "distinct_values": 7 + k,
                            "weight_dtypes": ["int8", "float32"], "notes": [f"note {k}", "another"]}  # fmt: skip
                self.node("compress", f"{target}/tflite/{setting}",
                          {"model.tflite": bytes([k]) * (30 + k), "measured.json": measured},
                          {}, [("data", "digits"), ("train", target)])  # fmt: skip
        made = [k for k in self.keys if k[0] in ("train", "compress")]
        variants = ["original", *(f"tflite/{s}" for s in settings)]
        utility = {t: {v: {"accuracy": 0.8 - i / 30, "accuracy_members": 0.9, "agreement": 1.0} for i, v in
                       enumerate(variants)} for t in everyone}  # fmt: skip
        self.node("collect", "all", {"utility.json": utility}, {}, [("data", "digits"), *made])
        for target in everyone[: suite["membership"]["targets"]]:
            for i, variant in enumerate(variants):
                maker = ("train", target) if variant == "original" else ("compress", f"{target}/{variant}")
                latency[target, variant] = {"1": 2.5 + i, "8": 1.25, "32": 1.5}
                self.node("latency", f"{target}/{variant}", {"latency.json": latency[target, variant]}, {},
                          [("data", "digits"), maker])  # fmt: skip
        rows = {True: [], False: []}
        kept = {}
        fitted = {"shadows": [f"shadow-{i}" for i in range(suite["membership"]["shadows"])]}
        for place, (attack, framework, technique, setting, held, compared) in enumerate(planned(suite)):
            own = {t: self.scores(t, attack, held, 0.2 + 0.1 * place) for t in everyone}
            said = [f"{attack} says something"] if technique in ("quantization", "multiple") else []
            self.node("attack", f"t/{attack}/{held}", {"notes.json": said} | {f"{t}.parquet": own[t] for t in everyone},
                      fitted, [("collect", "all")])  # fmt: skip
            base = {}
            if compared and compared != "original":
                base = {t: self.scores(t, attack, compared, 0.15) for t in everyone}
                if (attack, compared) not in kept:
                    self.node("attack", f"t/{attack}/{compared}", {f"{t}.parquet": base[t] for t in everyone}, fitted,
                              [("collect", "all")])  # fmt: skip
                    kept[attack, compared] = base
            elif compared:
                base = kept[attack, compared]
            else:
                kept[attack, held] = own
            for i, target in enumerate(everyone):
                scores = own[target]
                cells = evaluate(scores.score, scores.member, scores.threshold, seed=bootstrap_seed(scores.sha256),
                                 resamples=suite["statistics"]["resamples"]).cells  # fmt: skip
                if base:
                    cells |= compare_to(*paired(base[target], scores)).cells | {"baseline_sha256": base[target].sha256}
                cells |= {"notes": "; ".join(said)}
                if technique != "multiple":
                    variant = "original" if framework == "none" else f"tflite/{setting}"
                    at = variants.index(variant)
                    cells |= utility[target][variant] | {"accuracy_original": utility[target]["original"]["accuracy"]}
                    cells |= (
                        {"bytes": 64, "bytes_gzip": 32, "weight_dtypes": "float32", "compression_ratio": 1.0,
                         "notes": "; ".join([CUT, *said])}
                        if at == 0
                        else {"bytes": 29 + at, "bytes_gzip": 16, "sparsity": 0.0, "distinct_values": 6 + at,
                              "weight_dtypes": "int8+float32", "compression_ratio": 2.0,
                              "notes": "; ".join([f"note {at - 1}", "another", CUT, *said])}
                    )  # fmt: skip
                    if target != "null":
                        cells |= {"latency_ms": 2.5 + at, "latency_best_ms": 1.25, "latency_best_batch": 8}
                rows[target == "null"].append(
                    Row(
                        schema_version=SCHEMA_VERSION, suite=suite["name"], data="digits", data_source="built in",
                        data_version="1", data_sha256="ab" * 32, model="small-cnn", framework=framework,
                        technique=technique, setting=setting, attack=attack, access="one-model", queries=1,
                        shadows=suite["membership"]["shadows"], target=target, target_seed=10 + i, **cells,
                        baseline=f"{attack} on {compared}" if compared else "", recipe_sha256=recipe_sha256(suite),
                        scores_sha256=scores.sha256, resamples=suite["statistics"]["resamples"],
                        versions="numpy=2.0 python=3.11", run_id=self.run_id,
                    )
                )  # fmt: skip
        write_leaderboard(rows[False], self.folder / "leaderboard.csv")
        if rows[True]:
            write_leaderboard(rows[True], self.folder / "null_control.csv")
        (self.folder / "suite.yaml").write_text(yaml.safe_dump(suite, sort_keys=False))
        return self.folder


@pytest.fixture
def make_run(tmp_path):
    """Write a run; keywords as ``training__learning_rate=0.1`` change its suite."""

    def make(folder="run", /, *, examples=240, draw=0, null_leak=0.0, **changes):
        return FakeRun(tmp_path / folder, suite_of(**changes), examples, draw, null_leak).write()

    return make


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory):
    """One sound run, to be copied."""
    return FakeRun(tmp_path_factory.mktemp("whole") / "run", suite_of()).write()


@pytest.fixture
def run(whole_run, tmp_path):
    """A copy of a sound run, to be tampered with."""
    return shutil.copytree(whole_run, tmp_path / "run")


@pytest.fixture(scope="session")
def whole_board(whole_run, tmp_path_factory):
    """What is published of it, to be copied."""
    return publish([whole_run], tmp_path_factory.mktemp("whole") / "boards", **TO_PUBLISH)[0].path.parent


@pytest.fixture
def board(whole_board, tmp_path):
    """A copy of a published leaderboard, to be tampered with: its CSV file."""
    return shutil.copytree(whole_board, tmp_path / "board") / "quick-v1.csv"


@pytest.fixture
def check():
    """Verify with a planner that knows these suites."""
    return lambda path, **more: verify(path, planner=expectation, **more)


@pytest.fixture
def to_publish():
    """What ``publish`` needs to know of whoever calls it."""
    return TO_PUBLISH
