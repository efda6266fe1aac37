"""Data from the Hugging Face hub, with the ``datasets`` library."""

from __future__ import annotations

from .catalog import Hub
from .pool import DataError, Examples, checked
from .tables import choose_column, decode

ROWS = 2000


def load(hub: Hub) -> Examples:
    """Read all splits of a data set on the hub; its version is the commit of the hub's repository.

    With HF_HUB_OFFLINE=1 the library keeps off the network and reads what it has in its own cache.

    Raises:
        DataError: the hub cannot be reached, or the data set is not what the catalog says.
    """
    import datasets

    where = hub.id
    try:
        builder = datasets.load_dataset_builder(hub.id)
        builder.download_and_prepare()
        splits = builder.as_dataset()
    except Exception as error:  # the library lets through whatever its network and file layers raise
        raise DataError(f"{where}: {type(error).__name__}: {error}") from error
    parts = []
    for name in sorted(splits):
        split = splits[name].with_format("arrow")
        image = choose_column(split.column_names, (hub.image,), "image", where)
        label = choose_column(split.column_names, (hub.label,), "label", where)
        parts.append(decode(split.select_columns([image, label]).iter(ROWS), image, label, f"{where}, {name}"))
    return checked(parts, str(builder.hash or "unknown"), where)
