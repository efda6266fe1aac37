"""Latency is milliseconds for one example, whatever the size of the batch."""

import numpy as np
import pytest

from compleak.benchmarks.stages import latency


def test_what_a_call_takes_is_shared_by_its_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, calls = [0.0], []

    def predict(batch: np.ndarray) -> np.ndarray:
        calls.append(len(batch))
        # The first call warms up, and one is held up by something else: neither decides a median.
        clock[0] += 5.0 if len(calls) in (1, 7) else 0.02
        return batch

    monkeypatch.setattr(latency.time, "perf_counter", lambda: clock[0])
    found = latency.medians([(predict, np.zeros((size, 1))) for size in (1, 4)])
    assert found == {"1": pytest.approx(20), "4": pytest.approx(5)}
    turns = [size for size, before in zip(calls[2:], [None, *calls[2:]], strict=False) if size != before]
    assert turns == [1, 4] * latency.ROUNDS
