"""Which data set, and where from."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .catalog import DATASETS

Source = Literal["auto", "package", "dir", "hub"]


class DataConfig(BaseModel):
    """Which data set, and where from.

    Attributes:
        name: a key of ``DATASETS``, or any name for data of the user's own in ``path``.
        source: ``auto`` reads ``path`` where one is given, and nothing else, so that a mistyped path never becomes
            other data; without a path it tries the package, then the hub.
        path: a folder of parquet files or an npz file, for the sources ``dir`` and ``auto``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    source: Source = "auto"
    path: Path | None = None

    @model_validator(mode="after")
    def _possible(self) -> DataConfig:
        if self.source == "dir" and self.path is None:
            raise ValueError("The data source 'dir' needs a path: a folder of parquet files, or an npz file.")
        if self.source in ("package", "hub") and self.path is not None:
            raise ValueError(f"The data source {self.source!r} takes no path. Leave it out, or say source: dir.")
        if self.path is None and self.name not in DATASETS:
            near = difflib.get_close_matches(self.name, DATASETS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"Unknown data set {self.name!r}.{hint} Known: {', '.join(DATASETS)}. "
                "For data of your own, give a path to a folder of parquet files or an npz file."
            )
        if self.source == "package" and DATASETS[self.name].package is None:
            raise ValueError(f"No package holds {self.name}. Use the source hub, or dir with a path.")
        return self
