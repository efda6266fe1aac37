import numpy as np
import pytest

from compleak.models.batches import cosine_learning_rate, epoch_batches
from compleak.models.inputs import Normalization, augment


def test_normalization_by_hand() -> None:
    images = np.array([[[[0, 255]]]], dtype=np.uint8)
    out = Normalization(mean=(0.5, 0.2), std=(0.25, 0.4))(images)
    assert out.dtype == np.float32
    assert out.ravel() == pytest.approx([-2.0, 2.0], abs=1e-6)


def test_normalization_refuses_floats_and_other_channels() -> None:
    one = Normalization(mean=(0.5,), std=(0.5,))
    with pytest.raises(ValueError, match="uint8"):
        one(np.zeros((1, 2, 2, 1), np.float32))
    with pytest.raises(ValueError, match=r"\[1, 2, 2, 3\]"):
        one(np.zeros((1, 2, 2, 3), np.uint8))


def test_crops_are_windows_of_the_padded_image() -> None:
    rng = np.random.default_rng(0)
    image = np.arange(1, 65, dtype=np.uint8).reshape(1, 8, 8, 1)
    padded = np.pad(image[0, :, :, 0], 4)
    windows = {padded[t : t + 8, x : x + 8].tobytes() for t in range(9) for x in range(9)}
    windows |= {
        np.ascontiguousarray(padded[t : t + 8, x : x + 8][:, ::-1]).tobytes() for t in range(9) for x in range(9)
    }
    out = augment(np.repeat(image, 50, axis=0), "crop-flip", rng)
    assert {np.ascontiguousarray(o[:, :, 0]).tobytes() for o in out} <= windows
    assert len({o.tobytes() for o in out}) > 20


def test_an_epoch_visits_every_example_once_and_repeats_for_its_seed() -> None:
    images = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    labels = np.arange(10)
    identity = Normalization(mean=(0.0,), std=(1 / 255,))

    def visit(epoch: int) -> list[int]:
        batches = epoch_batches(
            images, labels, batch_size=4, augmentation="none", normalization=identity, seed=5, epoch=epoch
        )
        seen = []
        for x, y in batches:
            assert x.ravel() == pytest.approx(y)
            seen += y.tolist()
        return seen

    assert sorted(visit(0)) == list(range(10))
    assert visit(0) == visit(0) != visit(1)


def test_the_cosine_goes_from_peak_to_zero() -> None:
    assert cosine_learning_rate(0.1, 0, 100) == pytest.approx(0.1)
    assert cosine_learning_rate(0.1, 50, 100) == pytest.approx(0.05)
    assert cosine_learning_rate(0.1, 100, 100) == pytest.approx(0)
