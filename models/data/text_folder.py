"""Texts that the user has: a folder of parquet files in the Hugging Face layout, or a parquet, csv or jsonl file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .folder import content_files
from .folder import key as folder_key
from .pool import DataError
from .tables import choose_column
from .texts import Texts

TEXT_COLUMNS = ("text", "content", "sentence")
LABEL_COLUMNS = ("label", "category", "class")


def key(path: Path) -> str:
    """What the texts of ``path`` are cached under: the content of its files."""
    return folder_key(path, ("text", *TEXT_COLUMNS, *LABEL_COLUMNS))


def load(path: Path, columns: tuple[str, str] | None = None) -> Texts:
    """Read all texts of ``path``.

    Args:
        path: a folder of parquet files, or a parquet, csv or jsonl file.
        columns: of the text and the label, looked for before the usual names.

    Raises:
        DataError: nothing there, a text or label is missing, or labels are neither integers nor names.
    """
    import pandas as pd

    frames = []
    for file in content_files(path):
        try:
            frame = _read(file)
        except (OSError, ValueError) as error:
            raise DataError(f"{file} is not a readable {file.suffix or 'table'} file: {error}") from error
        names = [str(name) for name in frame.columns]
        text = choose_column(names, (*(columns or ())[:1], *TEXT_COLUMNS), "text", str(file))
        label = choose_column(names, (*(columns or ())[1:], *LABEL_COLUMNS), "label", str(file))
        pair = frame[[text, label]].set_axis(["text", "label"], axis=1)
        for column, name in (("text", text), ("label", label)):
            if (missing := int(pair[column].isna().sum())) > 0:
                row = int(pair[column].isna().to_numpy().argmax())
                raise DataError(
                    f"{file}: {missing} empty cells in the column {name}, the first in row {row} (from 0); "
                    "fill them, or leave the rows out."
                )
        frames.append(pair)
    whole = pd.concat(frames, ignore_index=True)
    return Texts([str(t) for t in whole["text"]], _numbers(whole["label"], str(path)), path.suffix[1:] or "parquet")


def _read(file: Path) -> Any:
    import pandas as pd

    if file.suffix == ".csv":
        return pd.read_csv(file)
    if file.suffix == ".jsonl":
        return pd.read_json(file, lines=True)
    if file.suffix == ".parquet":
        return pd.read_parquet(file)
    raise DataError(f"{file} is no parquet, csv or jsonl file.")


def _numbers(labels: Any, where: str) -> list[int]:
    """Class numbers as they are; names become their places in alphabetical order."""
    values: list[Any] = labels.tolist()
    if all(isinstance(value, str) for value in values):
        classes = {name: number for number, name in enumerate(sorted(set(values)))}
        return [classes[value] for value in values]
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        odd = next(value for value in values if not isinstance(value, int) or isinstance(value, bool))
        raise DataError(f"{where}: the label {odd!r} is neither an integer nor, as all others, a name.")
    return values
