"""What is to be looked at: files, folders, globs, lists of names, in a stable order, each exactly once.

Nothing is opened here. What must not be (pipes, devices, links that lead to themselves) or is not wanted (hidden
files, other files than photos) is recognised by its name and its kind, and stays in the list with the reason.
"""

import codecs
import errno
import glob
import os
import re
import stat
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from visavis.errors import InputError
from visavis.images import SUFFIXES
from visavis.messages import say
from visavis.video import recording

NAME_BYTES = 255
"""What file systems allow for a name."""

_ENDINGS = (".jpg", ".txt", ".xml", ".mkv")
"""What files about an input end in besides its own ending: a drawn copy, labels, an annotation, a video's copy."""

_CROP = re.compile(r"\d+(-\d+)?\.jpg", re.IGNORECASE)
"""What the files in a folder of crops are called."""

KINDS = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to look at, or not.

    place: where copies of it and files about it go, below a folder of their own and without an ending; no two share
    one. reason: why it is not opened, a keyword, or empty:

    named_twice    it stands in the list already
    hidden         its name begins with a point (in a folder that is searched through)
    other_ending   its name is none of a photo or a video (in a folder that is searched through)
    folder         a folder that is called as a photo is, or below one that is not searched through
    linked_folder  a link to a folder (in a folder that is searched through): it might lead in circles
    link_loop      a link that leads to itself
    pipe, socket, device
    unreadable_folder
    """

    path: str
    place: str = ""
    reason: str = ""
    camera: str = ""
    """Its number or address, of one that is no file."""

    @property
    def is_video(self) -> bool:
        """It has frames, to be looked at one after the other."""
        return bool(self.camera) or (not self.reason and os.path.splitext(self.path)[1].lower() in recording.SUFFIXES)

    @property
    def status(self) -> str:
        """`skipped` or `unreadable`, of one that is not opened."""
        return "unreadable" if self.reason == "unreadable_folder" else "skipped" if self.reason else ""


def listed(
    given: Iterable[str | os.PathLike[str]], recurse: bool = True, out: str | os.PathLike[str] | None = None
) -> list[Input]:
    """The inputs that `given` names, in its order; what a folder holds goes by name.

    given: files, folders, glob patterns (`**` goes through folders, but through no links), `@list.txt` (a name a line,
    or NUL between them as find's -print0 has it), and `-`, which is such a list on standard input.
    out: the folder of results, which must not lie in what is searched through, nor the other way round.
    Raises InputError where something is not there that was given as such (in a list it is a row), where there is
    nothing at all, and where results would land among the photos.
    """
    found: list[tuple[str, PurePosixPath, str]] = []
    empty: list[str] = []
    taken: set[str] = set()
    for name, demanded, place in _names(given):
        if not os.path.lexists(name) and demanded:
            raise InputError(f"{name or repr(name)} is not there")
        if out is not None:
            _keep_apart(name, out)
        if os.path.isdir(name):
            base = _free(PurePosixPath(_base_name(name)), taken)
            before = len(found)
            found += _searched(name, base, recurse)
            if all(reason for _, _, reason in found[before:]):
                empty.append(name)
        else:
            found.append((name, place, _kind(name)))
    if not found:
        where = f" in {', '.join(empty)}" if empty else ""
        raise InputError(f"no photo to look at{where}; give files, or folders that hold some")
    for folder in empty:
        say(f"no photo in {folder}")
    seen: set[str] = set()
    folders = _folders(place for _, place, reason in found if not reason)
    return [_input(path, place, reason, seen, taken, folders) for path, place, reason in found]


def _keep_apart(name: str, out: str | os.PathLike[str]) -> None:
    """Raise InputError where results in `out` would land on or among what `name` stands for."""
    place, results = Path(os.path.realpath(name)), Path(os.path.realpath(out))
    if os.path.isdir(place) and results.is_relative_to(place):
        raise InputError(f"`out` {out} lies inside {name}, whose photos are only read; give another place")
    if place.is_relative_to(results) and (os.path.isdir(place) or place.parent != results):
        raise InputError(f"{name} lies inside {out}, where results go; give another `out`")


def shown(path: str) -> str:
    """A path as text that any table takes: bytes that are no UTF-8 are written as \\xff."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def ending(path: str) -> str:
    """The file's ending, such as .jpg; what is too long for one is none."""
    suffix = os.path.splitext(path)[1]
    return suffix if len(suffix) <= len(".jpeg2000") else ""


def fitting(name: str, room: int) -> str:
    """As much of a name's beginning as takes no more than `room` bytes."""
    while len(os.fsencode(name)) > room:
        name = name[:-1]
    return name


def _names(given: Iterable[str | os.PathLike[str]]) -> Iterator[tuple[str, bool, PurePosixPath]]:
    """Each name, whether it must be there, and the place of a file: its name, or its path below the folder that all
    names of its list or its pattern have in common."""
    for one in given:
        name, demanded = os.fspath(one), True
        if name == "-":
            names, demanded = _lines(sys.stdin.buffer.read()), False
        elif name.startswith("@") and not os.path.lexists(name):  # a photo may be called so
            try:
                with open(name[1:], "rb") as file:
                    names, demanded = _lines(file.read()), False
            except OSError as error:
                raise InputError(f"{name}: the list {name[1:]} cannot be read: {error.strerror}") from None
        elif not os.path.lexists(name) and glob.has_magic(name):
            names = sorted(set(_matches(name)))
            if not names:
                raise InputError(f"nothing matches {name}")
        else:
            names = [name]
        paths = [os.path.abspath(each) for each in names]
        above = os.path.join(os.path.commonpath(map(os.path.dirname, paths)), "") if paths else ""
        for each, path in zip(names, paths, strict=True):
            yield each, demanded, PurePosixPath(path[len(above) :].lstrip("/"))  # a path may begin with two of them


def _matches(pattern: str) -> Iterator[str]:
    """What glob.glob finds, but `**` follows no links, as a search through a folder does not: they may lead in circles.

    Of two `**`, both may find the same.
    """
    parts = pattern.split("/")
    if "**" not in parts:
        yield from glob.glob(pattern)
        return
    place = parts.index("**")
    before, after = "/".join([*parts[:place], ""]), "/".join(parts[place + 1 :])
    for base in glob.glob(before) if before else ["."]:
        for folder, folders, _ in os.walk(base):
            folders[:] = [name for name in folders if not name.startswith(".")]
            folder = os.path.join(folder, "") if before else os.path.join(folder, "").removeprefix("./")
            if after or not folder:
                yield from _matches(glob.escape(folder) + (after or "*"))
            else:
                yield folder


def _lines(data: bytes) -> list[str]:
    if b"\0" in data:  # each is a name to its last byte
        names = data.split(b"\0")
    else:  # some editors begin a text with a mark, and end lines with two characters
        names = [line.removesuffix(b"\r") for line in data.removeprefix(codecs.BOM_UTF8).split(b"\n")]
    return [os.fsdecode(name) for name in names if name]


def _searched(folder: str, place: PurePosixPath, recurse: bool) -> Iterator[tuple[str, PurePosixPath, str]]:
    """Path, place and reason to skip of everything in a folder, by name."""
    waiting = [(folder, place, "unsearched")]
    while waiting:
        path, below, reason = waiting.pop()
        if reason != "unsearched":
            yield path, below, reason
            continue
        try:
            with os.scandir(path) as found:
                entries = sorted(found, key=lambda entry: entry.name, reverse=True)
        except OSError:
            yield path, below, "unreadable_folder"
            continue
        for entry in entries:
            reason = _reason(entry)
            where = os.path.join(path, entry.name), below / entry.name
            if entry.is_dir(follow_symlinks=False) and reason != "hidden" and recurse:
                waiting.append((*where, "unsearched"))
                reason = reason if _is_photo(entry.name) else "unsearched"
            if reason != "unsearched":
                waiting.append((*where, reason))


def _reason(entry: "os.DirEntry[str]") -> str:
    """Why something in a folder is not opened, or nothing."""
    if entry.name.startswith("."):
        return "hidden"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    if entry.is_symlink() and os.path.isdir(entry.path):
        return "linked_folder"
    return _kind(entry.path) or ("" if _is_photo(entry.name) else "other_ending")


def _is_photo(name: str) -> bool:
    """By its name; a video is one, too."""
    return os.path.splitext(name)[1].lower() in SUFFIXES | recording.SUFFIXES


def _kind(path: str) -> str:
    """Why something that is no folder is not opened, or nothing. What is missing is found out by who opens it."""
    try:
        return KINDS.get(stat.S_IFMT(os.stat(path).st_mode), "")
    except OSError as error:
        return "link_loop" if error.errno == errno.ELOOP else ""


def _input(path: str, place: PurePosixPath, reason: str, seen: set[str], taken: set[str], folders: set[str]) -> Input:
    absolute = os.path.abspath(path)
    if absolute in seen:
        return Input(path, "", "named_twice")
    if reason:  # it may yet be named as one to open
        return Input(path, "", reason)
    seen.add(absolute)
    own = ending(path).casefold()
    room = NAME_BYTES - max(len(".jpg"), len(os.fsencode(ending(path))))
    files = {*_ENDINGS, own, "" if own != ".jpg" else own}
    return Input(path, str(_free(_without_jpg(place), taken, room, folders, files)))


def _base_name(folder: str) -> str:
    return os.path.basename(os.path.realpath(folder))


def _without_jpg(place: PurePosixPath) -> PurePosixPath:
    """Other endings stay: photo.png and photo.jpg may lie side by side."""
    return place.with_suffix("") if place.suffix.lower() == ".jpg" else place


def _folders(places: Iterable[PurePosixPath]) -> set[str]:
    """All that will be folders among the results, and so must not be called as a file there. Capitals do not count.

    As a file of `crops/PLACE/` is called, a folder may be called, too: that PLACE must not be, then.
    """
    folders: set[str] = set()
    for place in places:
        own = _without_jpg(place)
        for folder in (own, *own.parents):
            if folder != own:
                folders.add(str(folder).casefold())
            if _CROP.fullmatch(folder.name):
                folders |= {str(folder.parent).casefold() + each for each in _ENDINGS}
    return folders


def _free(
    place: PurePosixPath,
    taken: set[str],
    room: int = NAME_BYTES,
    folders: Collection[str] = (),
    endings: Collection[str] = (),
) -> PurePosixPath:
    """`place`, or one like it that is not in `taken` (to which it is added), its name no longer than `room` bytes.

    With none of the `endings` it is in `folders`. Names that differ in capitals alone count as equal, since some file
    systems think so.
    """
    number, wanted = 1, place
    while wanted.name and (
        (name := str(wanted).casefold()) in taken
        or len(os.fsencode(wanted.name)) > room
        or any(name + each in folders for each in endings)
    ):
        mark = f"-{number}" if number > 1 else ""
        wanted = place.with_name(fitting(place.name, room - len(mark)) + mark)
        number += 1
    taken.add(str(wanted).casefold())
    return wanted
