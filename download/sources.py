"""Opens the source of lists, an archive, a folder, one file or an address, as named streams of lines.

`lists.py` parses the lines.
"""

import asyncio
import gzip
import hashlib
import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import urlsplit

from tqdm import tqdm
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from download import address, names
from download.connections import proxies_from_environment
from download.http import Client
from download.reasons import Failure, reason_of
from visavis.errors import InputError
from visavis.messages import say

OFFICIAL = "https://www.robots.ox.ac.uk/~vgg/data/vgg_face/vgg_face_dataset.tar.gz"

MAX_LINE = 65536
"""In bytes. A longer line is cut, and has no line break."""

_TRIES = 5


@dataclass(frozen=True)
class ListFile:
    """One list: its name in the source, and its lines, which must be read before the next list."""

    name: str
    stream: IO[bytes]
    origin: Path

    @property
    def identity(self) -> str:
        """The identity whose photos it lists: its name without folders and `.txt`."""
        return PurePosixPath(self.name).name[: -len(".txt")]

    def lines(self) -> Iterator[bytes]:
        """Each line without its break; one longer than `MAX_LINE` is cut to a byte more. Raises InputError."""
        with _read(self.origin):
            while line := self.stream.readline(MAX_LINE + 1):
                if len(line) > MAX_LINE and not line.endswith(b"\n"):
                    while (rest := self.stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                        pass
                yield line.rstrip(b"\r\n")


def lists(source: str, data: Path) -> Iterator[ListFile]:
    """Yield every list of `source`, in a stable order; read one before the next.

    source: an archive (`.tar.gz` or another that tarfile opens), a folder that is searched, one `.txt`, or the
    http(s) address of an archive, which is kept in `data`. Raises InputError if it cannot be read.
    """
    if source.lower().startswith(("http://", "https://")):
        source = str(fetched(source, data))
    path = Path(source)
    if path.is_dir():
        yield from _folder(path)
    elif not path.exists():
        raise InputError(f"{source} is not there; give an archive, a folder, a .txt or an http(s) address")
    elif path.suffix.lower() == ".txt":
        yield from _file(path, path.name)
    else:
        yield from _archive(path)


def fetched(url: str, data: Path) -> Path:
    """The file at an http(s) address, in `data`; a partial download by an earlier run is continued.

    Raises InputError if it cannot be downloaded.
    """
    end = names.folder_name(PurePosixPath(urlsplit(url).path).name or "list")
    path = data / f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{end}"  # one name for each address
    if path.exists():
        say(f"{url} is here already: {path} (delete it to fetch it again)")
        return path
    data.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    try:
        asyncio.run(_fetch(url, partial))
        os.replace(partial, path)
        _validator(partial).unlink(missing_ok=True)
        return path
    except Failure as failure:
        kept = f"; {_size(partial):,} bytes are kept, start again to continue" if _size(partial) else ""
        raise InputError(f"{url} was not downloaded: {failure}{kept}") from None
    except OSError as error:
        raise InputError(f"{partial} cannot be written: {error.strerror}") from None


async def _fetch(url: str, partial: Path) -> None:
    """Fetch the whole file to `partial`, in a few attempts. Raises Failure."""
    # The user named this host, so it may be private; the targets of redirects may not.
    async with Client(timeout=30, allow=_networks_of(url), proxies=proxies_from_environment()) as client:
        for attempt in range(_TRIES):
            before = _size(partial)
            try:
                return await _fetch_rest(client, url, partial)
            except Failure as failure:
                if failure.status == "refused" or attempt == _TRIES - 1:
                    raise
            await asyncio.sleep(0.1 if _size(partial) > before else 2.0**attempt)


async def _fetch_rest(client: Client, url: str, partial: Path) -> None:
    """Append what is missing to `partial`. Raises Failure if that does not complete it."""
    have = _size(partial)
    validator = _validator(partial)
    headers = {}
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator.exists():
            headers["If-Range"] = validator.read_text(encoding="latin-1")
    async with client.open(url, headers, deadline=float("inf")) as response:
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        if response.status == 416 and have and total == str(have):
            return
        if response.status == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise Failure("protocol", "the server sent another part than was asked for")
        if response.status == 416:
            partial.unlink(missing_ok=True)
            raise Failure("protocol", "the server's file is shorter than what is here; starting again")
        if response.status not in (200, 206):
            raise Failure(reason_of(response.status))
        if response.status == 200:
            have = 0
            etag = response.headers.get("ETag", "")
            known = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
            validator.unlink(missing_ok=True)
            if known:
                validator.write_text(known, encoding="latin-1")
        size = response.content_length
        with (
            partial.open("ab" if have else "wb") as file,
            tqdm(total=have + size if size else None, initial=have, unit="B", unit_scale=True, desc="list") as bar,
        ):
            async for piece in response.content.iter_any():
                file.write(piece)
                bar.update(len(piece))


def _networks_of(url: str) -> list[address.IPNetwork]:
    """The addresses of the host in `url`, as networks of one."""
    try:
        parsed = parse_url(url)
        found = address.lookup(str(parsed.host).strip("[]"), parsed.port or 80)
    except (OSError, ValueError, HTTPError):  # the download will report the error
        return []
    return [ip_network(ip.partition("%")[0]) for ip in found]


def _validator(partial: Path) -> Path:
    """The file that stores the server's validator (ETag) of the version to which `partial` belongs."""
    return partial.with_suffix(".version")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is_list(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() == ".txt" and not path.name.startswith("._")  # macOS adds these beside files


def _folder(folder: Path) -> Iterator[ListFile]:
    for path in sorted(folder.rglob("*")):
        if _is_list(path.name) and path.is_file():
            yield from _file(path, path.relative_to(folder).as_posix())


def _file(path: Path, name: str) -> Iterator[ListFile]:
    with _read(path), path.open("rb") as stream:
        yield ListFile(name, stream, path)


def _archive(path: Path) -> Iterator[ListFile]:
    """Regular files of the archive, in its order; nothing is unpacked to disk."""
    with _read(path), tarfile.open(path, "r:*") as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isreg() and _is_list(member.name) else None
            if stream is not None:
                yield ListFile(member.name, stream, path)


@contextmanager
def _read(path: Path) -> Iterator[None]:
    """Translate the errors of reading a broken file or archive."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is not an archive, or is damaged ({error}); delete it and get it again") from None
    except OSError as error:  # bzip2 has no error of its own
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
