"""What other packages add: data sets, networks, adapters and attacks, found by entry points, loaded when asked for.

A package names them in its metadata, in one of these groups, and is installed; nothing of ours is edited::

    [options.entry_points]
    compleak.datasets = NAME = MODULE:OBJECT        a models.data.OtherDataset
    compleak.models = NAME = MODULE:OBJECT          a models.networks.OtherNetwork
    compleak.compressors = NAME = MODULE:OBJECT     a compressors.registry.AdapterInfo
    compleak.attacks = NAME = MODULE:OBJECT         an attacks.info.AttackInfo

The object is a description, in a module that is quick to import: names are listed without importing anything, and
code runs only when something of that name is used. Code of other packages is not hashed into the keys of a run's
nodes; their names and versions are (``Registry.provider``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, Literal, TypeVar

Kind = Literal["datasets", "models", "compressors", "attacks"]
OURS = "compleak-bench"
Row = TypeVar("Row")


class PluginError(ValueError):
    """Another package offers something that cannot be used; the message is for the user."""


@cache
def offers(kind: Kind) -> Mapping[str, tuple[EntryPoint, ...]]:
    """Everything that installed packages offer under each name; nothing is imported."""
    found: dict[str, list[EntryPoint]] = defaultdict(list)
    for entry in entry_points(group=f"compleak.{kind}"):
        found[entry.name].append(entry)
    return {name: tuple(sorted(entries, key=provider_of)) for name, entries in sorted(found.items())}


def provider_of(entry: EntryPoint) -> str:
    """Name and version of the package that offers ``entry``."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "an unknown package"


class Registry(MutableMapping[str, Row], Generic[Row]):
    """Rows by name: our own, and those of other packages.

    Looking a name up loads what another package offers under it. A name that is taken belongs to nobody: whichever
    were used, someone would be misled. It is refused when it is used, so that the other names still work.
    """

    def __init__(self, kind: Kind, own: Mapping[str, Row], row: type[Row], taken: Iterable[str] = ()) -> None:
        """A registry.

        Args:
            kind: which entry points belong to it.
            own: this package's rows.
            row: what a row must be.
            taken: names of this package that are kept elsewhere.
        """
        self._kind, self._own, self._row = kind, dict(own), row
        self._taken = {*taken}
        self._loaded: dict[str, Row] = {}

    def __getitem__(self, name: str) -> Row:
        """The row of this name.

        Raises:
            KeyError: there is none.
            PluginError: there are several, or what another package offers cannot be loaded.
        """
        entries = offers(self._kind).get(name, ())
        if len(owners := self._owners(name)) > 1:
            raise PluginError(
                f"The name {name!r} in compleak.{self._kind} is offered by {' and by '.join(owners)}. "
                "Uninstall one of these packages, or ask its authors for another name."
            )
        if name in self._own or not entries:
            return self._own[name]
        if name not in self._loaded:
            self._loaded[name] = self._load(entries[0])
        return self._loaded[name]

    def __setitem__(self, name: str, row: Row) -> None:
        self._own[name] = row

    def __delitem__(self, name: str) -> None:
        del self._own[name]

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in offers(self._kind)

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from (name for name in offers(self._kind) if name not in self._own and name not in self._taken)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def provider(self, name: str) -> str:
        """Name and version of the package that ``name`` comes from; empty where it is this one."""
        entries = offers(self._kind).get(name, ())
        return "" if name in self._own or not entries else provider_of(entries[0])

    def loadable(self) -> dict[str, Row]:
        """All rows but those of other packages that cannot be used."""
        found = {}
        for name in self:
            try:
                found[name] = self[name]
            except PluginError:
                continue
        return found

    def check(self, name: str) -> None:
        """Refuse a name of this package that another package offers too.

        Raises:
            PluginError: see ``__getitem__``.
        """
        if len(self._owners(name)) > 1:
            self[name]

    def _owners(self, name: str) -> list[str]:
        ours = [OURS] if name in self._own or name in self._taken else []
        return ours + [provider_of(entry) for entry in offers(self._kind).get(name, ())]

    def _load(self, entry: EntryPoint) -> Row:
        said = f"{provider_of(entry)} offers {entry.name!r} in compleak.{self._kind} as {entry.value}, which"
        try:
            found = entry.load()
        except Exception as error:  # another package's code may raise anything
            raise PluginError(
                f"{said} cannot be loaded: {type(error).__name__}: {error}. Mend or uninstall that package."
            ) from error
        if not isinstance(found, self._row):
            wanted = f"{self._row.__module__}.{self._row.__name__}"
            raise PluginError(f"{said} is of type {type(found).__name__}, not {wanted}. See docs/extending.md.")
        return found
