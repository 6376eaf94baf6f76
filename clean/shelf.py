"""A sequence of any items in a temporary file: memory holds only their offsets."""

import pickle
from array import array
from collections.abc import Iterable, Iterator, Sequence
from tempfile import TemporaryFile
from typing import TypeVar, overload

Item = TypeVar("Item")


class Shelf(Sequence[Item]):
    """Items are appended, and copied from the file at each access. Each takes eight bytes of memory.

    The file has no name and disappears with the process. For use by one process and one thread.
    """

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._file = TemporaryFile()  # noqa: SIM115
        self._ends = array("Q", [0])
        for item in items:
            self.append(item)

    def append(self, item: Item) -> None:
        """Append an item."""
        data = pickle.dumps(item, pickle.HIGHEST_PROTOCOL)
        self._file.seek(self._ends[-1])
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))

    def __reduce__(self) -> tuple[type["Shelf"], tuple[list[Item]]]:
        """Pickle the items themselves: the other process may be on another machine."""
        return Shelf, (list(self),)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[Item]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> "Shelf[Item]": ...
    def __getitem__(self, index: int | slice) -> "Item | Shelf[Item]":
        if isinstance(index, slice):
            return Shelf(self[one] for one in range(len(self))[index])
        place = range(len(self))[index]
        self._file.seek(self._ends[place])
        item: Item = pickle.loads(self._file.read(self._ends[place + 1] - self._ends[place]))
        return item
