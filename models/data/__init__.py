"""Data sets by name, each as one pool of examples. Heavy libraries are imported by the source that needs them.

``catalog`` says what is known of each, ``package``, ``folder`` and ``hub`` read, ``pool`` joins, deduplicates and
sorts, and ``sources`` goes from a name to a pool.
"""

from .catalog import DATASETS, DatasetInfo
from .config import DataConfig
from .other import OtherDataset
from .pool import DataError, Pool
from .sources import class_count, default_cache, fetch, load_pool, normalization, status

__all__ = [
    "DATASETS",
    "DataConfig",
    "DataError",
    "DatasetInfo",
    "OtherDataset",
    "Pool",
    "class_count",
    "default_cache",
    "fetch",
    "load_pool",
    "normalization",
    "status",
]
