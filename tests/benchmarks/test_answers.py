"""What models are asked, by their task, and what their answers are worth."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from compleak.benchmarks.stages import answers, utility
from compleak.benchmarks.stages.attack import known_half
from compleak.benchmarks.stages.collect import _control
from compleak.benchmarks.stages.pool import asked_ids
from compleak.benchmarks.suite_files import load_suite
from compleak.models.encoders.recipe import EncoderRecipe
from compleak.models.inputs import Normalization, Tokens
from compleak.models.membership import NULL, Membership, Split

RECIPE = EncoderRecipe(method="simclr", epochs=1, batch_size=2, crop_scale=(0.5, 1.0))
PLAIN = Normalization(mean=(0.0,), std=(1.0,))


def encoder(transform):
    """Means of rows as the embedding, the rows as the map; counts what it is asked."""

    def predict(images):
        encoder.asked += len(images)
        rows = transform(images).mean(axis=-1)
        return np.concatenate([rows.mean(axis=1, keepdims=True), rows], axis=1).astype(np.float32)

    return predict


def test_an_encoder_is_asked_what_the_suite_says_and_no_more():
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
    queries = {
        "view_cosines": {"count": 4, "recipe": RECIPE.model_dump(mode="json", exclude_none=True), "seed": 1},
        "part_features": {"count": 3, "scale": [0.1, 0.2], "seed": 2},
    }
    encoder.asked = 0
    found = answers.of_encoder(encoder, PLAIN, images, np.arange(5), queries)
    assert {name: values.shape for name, values in found.items()} == {
        "embedding": (5, 8),
        "view_cosines": (5, 6),
        "part_features": (5, 6),
    }
    assert encoder.asked == 5 * (1 + 4 + 1 + 3)
    assert_allclose(found["embedding"], (images / 255).mean(axis=(1, 3)), rtol=1e-5)
    again = answers.of_encoder(encoder, PLAIN, images[3:], np.arange(3, 5), queries)
    for name, values in found.items():
        assert_allclose(again[name], values[3:], rtol=1e-5, err_msg=f"{name} depends on the company")


def test_an_encoder_that_diverged_is_an_error():
    with pytest.raises(FloatingPointError, match="diverged"):
        answers.of_encoder(lambda _: lambda x: np.full((len(x), 3, 2), np.nan), PLAIN, np.zeros((2, 4, 4, 1)), [], {})


def test_a_language_models_answers_by_hand():
    """Two texts over the tokens 1 and 2; what stands at padding counts nowhere."""
    logits = np.zeros((2, 3, 3), dtype=np.float32)
    logits[0, 0] = [9, np.log(3), 0]  # 3 to 1 for token 1; padding is no choice
    logits[0, 1] = [9, 0, np.log(4)]
    logits[1, 0] = [9, 0, 0.001]
    ids = np.array([[1, 1, 2], [2, 2, 0]])
    found = answers.of_language_model(lambda _: lambda part: logits, Tokens(vocabulary=3, length=3), ids)
    assert_allclose(found["log_likelihood"], np.log([[3 / 4, 4 / 5], [1 / 2, np.nan]]), atol=1e-3)
    assert_array_equal(found["foretold"][0], [1, 2])
    judged = utility.of_language_model(found["log_likelihood"].astype(float), found["foretold"], ids)
    assert_array_equal(judged.right, [1, 1])
    other = utility.of_language_model(found["log_likelihood"].astype(float), np.array([[1, 1], [2, 1]]), ids)
    inside, outside = np.array([True, False]), np.array([False, True])
    cells = utility.utility("language-model", other, judged, inside, outside)
    assert cells["accuracy"] == 1.0 and cells["accuracy_members"] == 0.5
    assert cells["agreement"] == 1.0  # its second foretold token stands at padding
    assert cells["notes"] == ["Perplexity 1.999 on the non-members, 1.291 on the members."]


def test_an_encoders_probe_is_fitted_on_the_dev_examples_alone():
    rng = np.random.default_rng(0)
    dev_labels, labels = np.arange(60) % 3, np.arange(12) % 3
    dev, embedding = np.eye(3)[dev_labels] + 0.01 * rng.normal(size=(60, 3)), np.eye(3)[labels]
    judged = utility.of_encoder(embedding, labels, dev, dev_labels)
    shuffled = utility.of_encoder(embedding[:, [1, 2, 0]], labels, dev, dev_labels)
    outside = np.ones(12, dtype=bool)
    assert utility.utility("encoder", judged, judged, outside, outside)["accuracy"] == 1
    cells = utility.utility("encoder", shuffled, judged, outside, outside)
    assert (cells["accuracy"], cells["agreement"]) == (0, 0)
    assert cells["notes"] == ["Nearest neighbours among the dev examples: accuracy 0.0000."]


def test_an_encoder_is_asked_about_its_own_examples_only():
    membership = Membership(train=20, evaluate=10, shadows=2, dev=5)
    split = Split(membership, np.arange(200), seed=0)
    asked = {m: asked_ids({"network": {"name": "resnet8-encoder"}, "model": m}, split) for m in membership.models()}
    for model, ids in asked.items():
        assert (len(ids), len(set(ids))) == (20, 20)
        of = "target-0" if model == NULL else model
        assert split.member(of, ids).sum() == 10 and not set(ids) & set(split.dev)
    # No shadow is asked what the target is, and the null control nothing else.
    assert set(asked[NULL]) == set(asked["target-0"])
    assert not set(asked["target-0"]) & (set(asked["shadow-0"]) | set(asked["shadow-1"]))
    assert set(asked["shadow-0"]) != set(asked["shadow-1"])
    classifier = asked_ids({"network": {"name": "resnet8"}, "model": "target-0"}, split)
    assert set(classifier) > set(np.concatenate(list(asked.values()))) and not set(classifier) & set(split.dev)


def test_half_of_each_group_is_known():
    member = np.random.default_rng(0).permutation(101) < 41
    known = known_half(member, 7)
    assert (known & member).sum() == 20 and (known & ~member).sum() == 30
    assert_array_equal(known, known_half(member, 7))
    assert (known != known_half(member, 8)).any()


def test_queries_in_a_row_are_the_suites():
    from compleak.benchmarks.questions import queries_of

    suite = load_suite("encoders/simclr", ["encoder_queries={views: 6, crops: 20}"])
    assert [queries_of(suite, a) for a in ("lpla-l2-kde-standardised", "encodermi-t", "partcrop-v1")] == [1, 6, 21]


def test_texts_of_which_there_is_nothing_to_say_count_nowhere():
    likelihood = np.array([[-1.0, -1.0], [np.nan, np.nan], [-1.0, np.nan], [np.nan, np.nan]])
    ids = np.array([[1, 2, 2], [1, 0, 0], [1, 2, 0], [1, 0, 0]])
    judged = utility.of_language_model(likelihood, np.full((4, 2), 2), ids)
    inside = np.array([True, True, False, False])
    cells = utility.utility("language-model", judged, judged, inside, ~inside)
    assert (cells["accuracy"], cells["accuracy_members"], cells["agreement"]) == (1, 1, 1)


@pytest.mark.parametrize("lift", [0.0, 3.0])
def test_a_base_model_that_knows_the_members_stops_the_run(lift):
    rng = np.random.default_rng(0)
    inside = np.arange(200) < 100
    base = rng.normal(size=(200, 5)).astype(np.float32) + (lift * inside)[:, None].astype(np.float32)
    base[:, 3:] = np.nan
    if lift:
        with pytest.raises(ValueError, match=r"before any fine-tuning: AUC 1\.000"):
            _control(base, inside, ~inside, targets=1)
    else:
        assert _control(base, inside, ~inside, targets=1).startswith("lm-loss on the model before fine-tuning: AUC 0.")


def test_the_control_of_the_base_model_is_for_all_targets_together():
    # One in a thousand does as much by chance (z = 3.5); of a hundred targets, one in twenty.
    inside, lift = np.arange(400) < 200, 0.36
    base = np.sort(np.random.default_rng(1).normal(size=200)).astype(np.float32)
    base = np.concatenate([base + lift, base])[:, None]
    with pytest.raises(ValueError, match="corrected for 1 targets"):
        _control(base, inside, ~inside, targets=1)
    assert _control(base, inside, ~inside, targets=100)
