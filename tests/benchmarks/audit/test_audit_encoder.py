"""``compleak audit-encoder``: a planted leak is found, where there is none nothing is, and mistakes are refused."""

import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from compleak.attacks.encoder.attack import EncoderAttack
from compleak.benchmarks.audit import AuditError
from compleak.benchmarks.audit.encoder.attacked import KNOWN_ATTACKS
from compleak.benchmarks.audit.encoder.audit import Encoder, audit_encoder
from compleak.benchmarks.audit.encoder.images import read_images, tiles
from compleak.benchmarks.audit.encoder.questions import Questions
from compleak.benchmarks.cli import app, main
from compleak.models.inputs import Normalization
from compleak.results.publishing.verify import verify
from compleak.results.records import bootstrap_seed, evaluate
from compleak.results.store import open_results

SIDE = 32
PLAIN = Normalization(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
FEW = Questions(views=3, crops=4, jitter=0)
LPLA = "lpla-l2-gaussian-known"


def drawn(count, seed=0, side=SIDE):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3)).astype(np.uint8)


class Stub:
    """A linear encoder whose embeddings of some images are longer; it counts the images that it is shown."""

    def __init__(self, members=(), factor=1.6):
        self.weights = np.random.default_rng(9).normal(size=(SIDE * SIDE * 3, 8))
        self.members = {PLAIN(image[None]).tobytes() for image in members}
        self.factor, self.shown = factor, 0

    def embed(self, images):
        self.shown += len(images)
        longer = [self.factor if image.tobytes() in self.members else 1.0 for image in images]
        return images.reshape(len(images), -1) @ self.weights * np.asarray(longer)[:, None]

    def feature_map(self, images):
        self.shown += len(images)
        return images.reshape(len(images), 4, -1)[..., :8]


def run(members, nonmembers, access=None, **more):
    encoder = Encoder(access or Stub(), (SIDE, SIDE, 3), PLAIN, sha256="1")
    return audit_encoder(encoder, members, nonmembers, **{"questions": FEW, "resamples": 100, **more})


def words(text):
    return " ".join(text.split())


@pytest.fixture(scope="session")
def vit(tmp_path_factory):
    import torch
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    folder = tmp_path_factory.mktemp("encoders") / "tiny vit"
    ViTModel(ViTConfig(**sizes, image_size=SIDE, patch_size=8)).save_pretrained(folder)
    return folder


@pytest.fixture
def groups(tmp_path):
    images = drawn(60)
    for name, part in (("members", images[:30]), ("nonmembers", images[30:])):
        np.savez(tmp_path / f"{name}.npz", images=part)
    return ["--members", str(tmp_path / "members.npz"), "--nonmembers", str(tmp_path / "nonmembers.npz")]


def test_an_encoder_that_saw_neither_group(vit, groups, tmp_path):
    """As it is typed: nothing is found, refusals are told, and what is written holds."""
    more = ["--crops", "3", "--views", "4", "--resamples", "100", "--out", str(tmp_path / "out")]
    shown = CliRunner().invoke(app, ["audit-encoder", str(vit), *groups, *more])
    assert shown.exit_code == 0, shown.output
    text = words(shown.stdout)
    assert "Nothing was found" in text
    assert "encodermi-t-known was fixed beforehand" in text
    assert "Left out: lpla-l2-gaussian-known, lpla-l2-lognormal-known, lpla-l2-kde-known. The 2-norms" in text
    assert "TPR at 1 % FPR: undefined, as 15 non-members were attacked" in text
    assert "4 views of each: 60 of 60" in shown.stderr
    results = open_results(tmp_path / "out")
    assert {row.attack for row in results.rows} == {a for a in KNOWN_ATTACKS if "-l2-" not in a}
    assert {(row.model, row.access, row.n_members, row.shadows) for row in results.rows} == {
        ("tiny-vit", "partial-known", 15, 0)
    }
    assert all(row.accuracy is None and row.latency_ms is None for row in results.rows)
    queries = {row.attack.partition("-")[0]: row.queries for row in results.rows}
    assert queries == {"lpla": 1, "encodermi": 4, "partcrop": 4}
    assert verify(tmp_path / "out").sound
    summary = (tmp_path / "out" / "summary.txt").read_text()
    (tmp_path / "out" / "summary.txt").write_text(summary.replace("Nothing", "Something"))
    assert [problem.file for problem in verify(tmp_path / "out").problems] == ["summary.txt"]


def test_where_nothing_leaks_intervals_cover_a_half():
    """Over 4 pairs of random groups; LpLA and EncoderMI-T, which train no network."""
    chosen = [name for name in KNOWN_ATTACKS if name.startswith("lpla") or name == "encodermi-t-known"]
    results = [run(drawn(60, 2 * s), drawn(60, 2 * s + 1), attacks=chosen) for s in range(4)]
    rows = [row for result in results for row in result.rows]
    assert np.mean([row.auc_low <= 0.5 <= row.auc_high for row in rows]) >= 0.85
    assert sum("Nothing was found" in result.summary for result in results) >= 3


def test_a_planted_leak_is_found():
    members, nonmembers = drawn(60), drawn(60, seed=1)
    result = run(members, nonmembers, Stub(members))
    rows = {row.attack: row for row in result.rows}
    assert rows[LPLA].auc_low > 0.8
    assert rows["encodermi-t-known"].auc_low < 0.5 < rows["encodermi-t-known"].auc_high
    text = words(result.summary)
    assert "encodermi-t-known shows nothing: AUC" in text
    assert "Audit an encoder that was trained on neither group with the same images" in text
    assert "DISTRIBUTION SHIFT" not in text
    kept = {scores.sha256: scores for scores in result.scores}
    for row in result.rows:
        own = kept[row.scores_sha256]
        found = evaluate(own.score, own.member, own.threshold, seed=bootstrap_seed(own.sha256), resamples=100).cells
        assert {
            name: getattr(row, name) for name in ("auc", "auc_low", "balanced_accuracy_high")
        }.items() <= found.items()


def test_no_attack_scores_what_it_was_fitted_on_nor_sees_the_answer(monkeypatch):
    seen = {"fit": [], "score": []}
    fit, score = EncoderAttack.fit, EncoderAttack.score

    def spied_fit(self, features, member, examples):
        seen["fit"].append((set(examples.tolist()), int(member.sum())))
        return fit(self, features, member, examples)

    def spied_score(self, features, examples):
        seen["score"].append(set(examples.tolist()))
        return score(self, features, examples)

    monkeypatch.setattr(EncoderAttack, "fit", spied_fit)
    monkeypatch.setattr(EncoderAttack, "score", spied_score)
    result = run(drawn(31), drawn(24, seed=1), attacks=[LPLA, "encodermi-t-known"])
    ((known, members), *others), attacked = seen["fit"], seen["score"]
    assert others == [(known, members)]
    assert attacked == [set(range(55)) - known] * 2
    assert (members, len(known)) == (15, 27)
    assert all(set(scores.example.tolist()) == attacked[0] for scores in result.scores)
    # An id is a place in a shuffled row: it does not tell the groups apart.
    turns = [np.diff(scores.member[np.argsort(scores.example)]).sum() for scores in result.scores]
    assert min(turns) > 5
    assert (result.rows[0].n_members, result.rows[0].n_nonmembers) == (16, 12)


def test_queries_in_rows_are_those_that_were_asked():
    for attack, queries in ((LPLA, 1), ("encodermi-v-known", 3), ("partcrop-v1-known", 5)):
        stub = Stub()
        result = run(drawn(20), drawn(20, seed=1), stub, attacks=[attack])
        assert (stub.shown, [row.queries for row in result.rows]) == (40 * queries, [queries])


def test_groups_that_differ_without_the_encoder_are_told():
    brighter = np.clip(drawn(60).astype(int) + 40, 0, 255).astype(np.uint8)
    text = words(run(brighter, drawn(60, seed=1), attacks=[LPLA, "encodermi-t-known"]).summary)
    assert "DISTRIBUTION SHIFT: without the encoder, from the images alone" in text
    assert "so what the attacks find may be that difference and no leak" in text
    assert "If it holds" not in text


class Vector(Stub):
    """Gives out one normalised vector an image, and no map."""

    def embed(self, images):
        found = super().embed(images)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def feature_map(self, images):
        raise NotImplementedError


def test_attacks_that_an_encoder_refuses_are_left_out_and_the_rest_is_run():
    result = run(drawn(20), drawn(20, seed=1), Vector(), attacks=[LPLA, "encodermi-t-known", "partcrop-v1-known"])
    assert [row.attack for row in result.rows] == ["encodermi-t-known"]
    text = words(result.summary)
    assert "Left out: partcrop-v1-known. This encoder gives out no feature map" in text
    assert "The 2-norms of these 20 embeddings tell nothing" in text
    with pytest.raises(AuditError, match=r"None of the attacks can be made.*no feature map"):
        run(drawn(20), drawn(20, seed=1), Vector(), attacks=["partcrop-v1-known"])
    first = run(drawn(20), drawn(20, seed=1), attacks=[LPLA]).summary
    assert f"{LPLA} stands for the encoder: it is the first of the attacks, and encodermi-t-known was not run" in words(
        first
    )


def test_an_image_twice_in_a_group_is_taken_out_and_in_both_is_refused():
    members, nonmembers = drawn(25), drawn(25, seed=1)
    result = run(np.concatenate([members, members[:3]]), nonmembers, attacks=[LPLA])
    assert "3 images were in their group already, and were taken out" in words(result.summary)
    assert result.rows[0].auc == run(members, nonmembers, attacks=[LPLA]).rows[0].auc
    with pytest.raises(AuditError, match="2 images are members and non-members at once"):
        run(members, np.concatenate([nonmembers, members[5:7]]))


def test_another_audit_in_the_folder_is_seen_before_anything_is_asked(tmp_path):
    members, nonmembers = drawn(20), drawn(20, seed=1)
    run(members, nonmembers, attacks=[LPLA]).write(tmp_path / "a")
    again = run(members, nonmembers, attacks=[LPLA], place=tmp_path / "a").write(tmp_path / "a")
    assert verify(again).sound
    stub = Stub()
    with pytest.raises(AuditError, match="holds something else"):
        run(members, nonmembers, stub, attacks=[LPLA], seed=1, place=tmp_path / "a")
    assert stub.shown == 0


def test_a_folder_of_images_is_read_as_an_npz_is(tmp_path):
    from PIL import Image

    images = drawn(4, side=12)
    (tmp_path / "seen" / "cats").mkdir(parents=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "seen" / ("cats" if i < 2 else ".") / f"{'ab'[i // 2]}{i}.png")
    (tmp_path / "seen" / "notes.txt").write_text("no image")
    np.savez(tmp_path / "seen.npz", images=images, labels=np.arange(4))
    of_folder, of_file = (read_images(tmp_path / name, (12, 12, 3)) for name in ("seen", "seen.npz"))
    assert np.array_equal(of_file, images)
    assert sorted(image.tobytes() for image in of_folder) == sorted(image.tobytes() for image in images)
    with pytest.raises(AuditError, match=r"a2\.png|b2\.png|a0\.png: images of 12×12 pixels, the encoder takes 24×24"):
        read_images(tmp_path / "seen", (24, 24, 3))


def test_tiles_keep_neighbours_and_reach_every_edge():
    ramp = np.arange(200, dtype=np.uint8)[None, :, None, None] * np.ones((1, 1, 50, 1), dtype=np.uint8)
    seen = tiles(ramp)
    assert seen.shape == (1, 64, 50, 1)
    rows = seen[0, :, 0, 0].astype(int)
    assert (rows[0], rows[-1]) == (0, 199)
    assert (np.diff(rows) == 1).sum() == 8 * 7


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{v}", "--members", "{t}/none", "--nonmembers", "{t}/n.npz"], "There is no file or folder"),
        (["{v}", "--members", "{t}/n.npz", "--nonmembers", "{t}/n.npz"], "Members and non-members are both"),
        (["{v}", "--members", "{t}/n.npz", "--nonmembers", "{t}/copy.npz"], "20 images are members and non-members"),
        (["{v}", "--members", "{t}/small.npz", "--nonmembers", "{t}/n.npz"], "16×16 pixels, the encoder takes 32×32"),
        (["{v}", "--members", "{t}/grey.npz", "--nonmembers", "{t}/n.npz"], "have 1 channels, the encoder takes 3"),
        (["{v}", "--members", "{t}/float.npz", "--nonmembers", "{t}/n.npz"], "images are float64"),
        (["{v}", "--members", "{t}/few.npz", "--nonmembers", "{t}/n.npz"], "Only 5 different images in the members"),
        (["{v}", "--members", "{t}/empty", "--nonmembers", "{t}/n.npz"], "has no images in it"),
        (["{t}/empty", "--members", "{t}/m.npz", "--nonmembers", "{t}/n.npz"], "No encoder in"),
        (["{v}", "--members", "{t}/m.npz", "--nonmembers", "{t}/n.npz", "--attack", "encodermi-t-knwon"],
         "'encodermi-t-knwon' is not known. Did you mean 'encodermi-t-known'?"),
        (["{v}", "--members", "{t}/m.npz", "--nonmembers", "{t}/n.npz", "--attack", "encodermi-t"],
         "needs shadow encoders"),
        (["{v}", "--members", "{t}/m.npz", "--nonmembers", "{t}/n.npz", "--crop-scale", "0.5", "0.9"], "shares of the"),
        (["{v}", "--members", "{t}/m.npz", "--nonmembers", "{t}/n.npz", "--view-scale", "1", "0.2"], "Views of shares"),
        (["{v}", "--members", "{t}/m.npz", "--nonmembers", "{t}/n.npz", "--views", "1"], "give 2 or more, got 1"),
        (["{v}", "--members", "{t}/m.npz", "--nonmembers", "{t}/n.npz", "--device", "moon"], "no device 'moon'"),
        (["{v}", "--members", "{t}/m.npz", "--nonmembers", "{t}/n.npz", "--resamples", "9"], "resamples must be 100"),
        (["{v}", "--members", "{t}/m.npz", "--nonmembers", "{t}/n.npz", "--out", "{t}"], "holds something else"),
    ],
)  # fmt: skip
def test_a_mistake_ends_with_code_2_and_says_what_to_do(arguments, says, vit, tmp_path, monkeypatch, capsys):
    kinds = {"m": drawn(20), "n": drawn(20, seed=1), "copy": drawn(20, seed=1), "small": drawn(20, side=16)}
    kinds |= {"grey": drawn(20)[..., :1], "float": drawn(20) / 255, "few": drawn(5)}
    for name, images in kinds.items():
        np.savez(tmp_path / f"{name}.npz", images=images)
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    filled = [argument.format(v=vit, t=tmp_path) for argument in arguments]
    monkeypatch.setattr(sys, "argv", ["compleak", "audit-encoder", *filled])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main()
    said = words(capsys.readouterr().err)
    assert stopped.value.code == 2
    assert says.replace(" ", "") in said.replace(" ", "")  # however the console folds it
    assert sorted(Path(tmp_path).rglob("*")) == before
