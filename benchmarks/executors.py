"""Where nodes run. The runner needs only ``submit(fn, *args) -> Future``; these are the two that ship."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any


class InProcessExecutor(Executor):
    """Runs each call at once, in this process: for one worker, for debugging and for tests."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn`` now and hand back its finished future."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # what went wrong belongs to the caller of result()
            future.set_exception(error)
        return future


def default_workers() -> int:
    """One worker for each core this process may use, at most 8."""
    return max(1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))


def make_executor(workers: int, threads: int = 1) -> Executor:
    """An executor for ``workers`` nodes at a time, of ``threads`` threads each; 0 workers means this process."""
    # The number of threads decides the last bits of sums; children inherit it before any library starts.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    if workers == 0:
        return InProcessExecutor()
    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_quiet_worker,
        initargs=(os.getpid(),),
    )


def terminate(executor: Executor) -> None:
    """Stop an executor's processes now; their half-written folders are swept by the next run."""
    processes = list((getattr(executor, "_processes", None) or {}).values())
    executor.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


def _quiet_worker(parent: int) -> None:
    # Ctrl-C reaches the whole process group; only the parent may answer it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Where torchao is installed, transformers imports it, and it tells of each GPU's library that it cannot load.
    for noisy in ("torchao", "torch.utils._pytree"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    # PyTorch's own kernels for phones warn of deprecations, into the table of progress; read when torch is loaded.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    _end_with(parent)


def _end_with(parent: int) -> None:
    # A killed parent (kill -9) cannot tell its workers; they notice, so that nothing goes on writing.
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
