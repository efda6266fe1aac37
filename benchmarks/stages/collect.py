"""Stage ``collect``: all answers in one labelled array set, and what each artifact is still good for."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...attacks.language_model.scores import mean_log_likelihood
from ...attacks.observations import ORIGINAL, Observations
from ...models.data import Pool, default_cache
from ...models.data.tokenizers import load_tokenizer
from ...models.membership import BASE, NULL
from ...models.networks import task_of
from ...results.delong import delong_interval
from ...results.metrics import auc
from . import utility as judge
from .job import Job
from .pool import asked_ids, open_pool, split_of

CONTROL_LEVEL = 0.999


def run(job: Job) -> None:
    """Write ``observations.zarr``, ``utility.json`` and ``evaluation.json``.

    Utility (``utility``) is measured on what each target is attacked on: ``accuracy`` and ``agreement`` on its
    non-members (they are its test set, and choose nothing), ``accuracy_members`` on its members.
    """
    config, data = job.config, job.read("data", "data.json")
    pool = open_pool(config["data"], data)
    split = split_of(config, pool)
    models, variants, ids = config["models"], config["variants"], split.observed_ids()
    first = config["targets"][0]
    # The null control is held to the first target's membership: it has seen neither side.
    member = np.stack([split.member(first if m == NULL else m, ids) for m in models])
    calibration = np.stack([np.isin(ids, split.evaluation_ids(m)) & (m != NULL) for m in models])
    of_model = [asked_ids({**config, "model": model}, split) for model in models]
    task = task_of(config["network"]["name"])
    base = np.load(job.parents[BASE] / "log_likelihood.npy", allow_pickle=False) if BASE in job.parents else None
    Observations.from_answers(
        {name: _of_all(job, name, ids, of_model) for name in config["answers"]},
        pool.labels[ids],
        models=models,
        variants=variants,
        examples=ids,
        member=member,
        calibration=calibration,
        zlib_bytes=_zlib_bytes(pool, ids) if task == "language-model" else None,
        base=base,
    ).save(job.out / "observations.zarr")

    found: dict[str, dict[str, dict[str, Any]]] = {}
    for target in (m for m in models if m in (*config["targets"], NULL)):
        at, examples = models.index(target), of_model[models.index(target)]
        evaluated, inside = np.isin(examples, split.evaluation_ids(target)), member[at][np.isin(ids, examples)]
        judged = dict(zip(variants, _judged(job, pool, target, examples, split.dev), strict=True))
        groups = (evaluated & inside, evaluated & ~inside)
        found[target] = {v: judge.utility(task, one, judged[ORIGINAL], *groups) for v, one in judged.items()}
        if base is not None:
            found[target][ORIGINAL]["notes"].append(_control(base, *groups, targets=len(config["targets"])))
    job.write("utility.json", found)
    job.write("evaluation.json", {t: split.evaluation_ids(t).tolist() for t in found})


def _control(base: NDArray[np.float32], inside: NDArray[np.bool_], outside: NDArray[np.bool_], *, targets: int) -> str:
    """The loss attack on the model before fine-tuning, which must be at chance on each of ``targets`` models' texts.

    Raises:
        ValueError: it is not.
    """
    asked = inside | outside
    scores = mean_log_likelihood(base[asked].astype(np.float64))
    scores, member = scores[judged := ~np.isnan(scores)], inside[asked][judged]
    interval, found = delong_interval(scores, member, level=1 - (1 - CONTROL_LEVEL) / targets), auc(scores, member)
    if not interval.low <= 0.5 <= interval.high:
        raise ValueError(
            f"The base model tells members from non-members before any fine-tuning: AUC {found:.3f} "
            f"({interval.low:.3f} to {interval.high:.3f}, corrected for {targets} targets). Its texts may hold some of "
            "the pool's."
        )
    return f"lm-loss on the model before fine-tuning: AUC {found:.3f}."


def _of_all(job: Job, name: str, ids: NDArray[np.int64], of_model: list[NDArray[np.int64]]) -> NDArray[np.float32]:
    """One kind of answer of every observation, [models, variants, examples, any]; NaN where nobody asked."""
    models, variants = job.config["models"], job.config["variants"]
    stacked: NDArray[np.float32] | None = None
    for m, (model, examples) in enumerate(zip(models, of_model, strict=True)):
        place = np.searchsorted(ids, examples)
        for v, variant in enumerate(variants):
            values = _load(job, model, variant, name)
            if stacked is None:
                stacked = np.full((len(models), len(variants), len(ids), values.shape[1]), np.nan, dtype=np.float32)
            stacked[m, v, place] = values
    if stacked is None:
        raise ValueError("There is no model to collect answers of.")
    return stacked


def _judged(
    job: Job, pool: Pool, model: str, examples: NDArray[np.int64], dev: NDArray[np.int64]
) -> Iterator[judge.Judged]:
    """Every variant of a target, judged by its task."""
    labels = pool.labels[examples]
    for variant in job.config["variants"]:
        match task_of(job.config["network"]["name"]):
            case "classification":
                yield judge.of_classifier(_load(job, model, variant, "logits"), labels)
            case "language-model":
                likelihood, foretold = (_load(job, model, variant, n) for n in ("log_likelihood", "foretold"))
                yield judge.of_language_model(likelihood, foretold, pool.inputs[examples].astype(np.int64))
            case "encoder":
                embedding, of_dev = (_load(job, model, variant, n) for n in ("embedding", "dev"))
                yield judge.of_encoder(embedding, labels, of_dev, pool.labels[dev])


def _load(job: Job, model: str, variant: str, name: str) -> NDArray[Any]:
    values: NDArray[Any] = np.load(job.parents[f"{model}/{variant}"] / f"{name}.npy", allow_pickle=False)
    return values


def _zlib_bytes(pool: Pool, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bytes of each text after zlib, as much of it as the model is shown."""
    if pool.text is None:
        raise ValueError(f"{pool.name} holds no texts.")
    tokenizer = load_tokenizer(pool.text.tokenizer, default_cache())
    return np.asarray(
        [len(zlib.compress(text.encode())) for text in tokenizer.decode(pool.inputs[ids].astype(np.int64))]
    )
