from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.datasets import load_digits


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real images that need no network: scikit-learn's 1,797 handwritten digits, at 16x16."""
    x, y = load_digits(return_X_y=True)
    images = np.kron(x.reshape(-1, 8, 8) * (255 / 16), np.ones((2, 2))).round().astype(np.uint8)
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    np.savez(path, images=images[..., None], labels=y.astype(np.int64))
    return path


@pytest.fixture
def suite(digits: Path, tmp_path: Path) -> Path:
    """A suite of seconds: one target, two shadows and the null control, both frameworks."""
    content = {
        "name": "tiny",
        "data": {"name": "digits", "source": "dir", "path": str(digits)},
        "membership": {"train": 120, "evaluate": 120, "shadows": 2, "dev": 20},
        "network": {"name": "resnet8", "width": 4},
        "training": {"epochs": 6, "batch_size": 32},
        "finetuning": {"epochs": 1, "batch_size": 32},
        "compress": {
            "tflite": ["quantization-dynamic", "quantization-int8-static"],
            "pytorch-mobile": ["pruning-magnitude-0.6", "clustering-k8"],
        },
        "attacks": [
            "compleak-nr-entropy",
            "compleak-nr-train2-rf",
            "compleak-sr2-rf",
            "compleak-mr",
            "compleak-mr-no-original",
        ],
        "statistics": {"resamples": 100},
    }
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path
