from pathlib import Path

import pytest
import torch

from compleak.benchmarks.stages.job import Job


def job(device: str) -> Job:
    return Job(config={}, parents={}, out=Path(), device=device)


@pytest.mark.parametrize("here", [True, False])
def test_a_named_device_is_taken_and_auto_takes_what_is_here(monkeypatch: pytest.MonkeyPatch, here: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: here)
    assert job("cpu").torch_device() == "cpu"
    assert job("cuda").torch_device() == "cuda"
    assert job("auto").torch_device() == ("cuda" if here else "cpu")
