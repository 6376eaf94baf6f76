"""Lists of faces for tests, packed as the archive is, and what python -m download lists makes of them."""

import io
import tarfile
from pathlib import Path

from dataset import tables
from download import lists

LINE = "00000001 http://a.test/1.jpg 1.50 2.00 30.00 40.00 3.00 2.27 1"


def line(**changes: str) -> str:
    """A good line with some fields replaced."""
    keys = ("id", "url", "x1", "y1", "x2", "y2", "pose", "score", "curated")
    return " ".join((dict(zip(keys, LINE.split(), strict=True)) | changes).values())


def archive(path: Path, files: dict[str, str | bytes], mode: str = "w:gz") -> Path:
    """An archive of these files."""
    with tarfile.open(path, mode) as tar:
        for name, text in files.items():
            data = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def run(source: object, data: Path, **options) -> tuple[list[dict], list[dict]]:
    """The rows of labels.csv and of labels_rejected.csv."""
    assert lists.run(lists.Options(source=str(source), data=data, **options)) == 0
    return list(tables.rows(data / "labels.csv")), list(tables.rows(data / "labels_rejected.csv"))


SMALL = {
    "vgg_face_dataset/README": "id url left top right bottom pose detection_score curation\n",
    "vgg_face_dataset/files/Ann_Lee.txt": "\n".join(
        line(id=f"{i:08}", url=f"http://a.test/{i}.jpg", pose=f"{i}.00", score=f"{i / 2}", curated=str(i % 2))
        for i in range(1, 7)
    ),
    "vgg_face_dataset/files/Bob.txt": LINE + "\n",
    "vgg_face_dataset/files/Cy.txt": line(id="2") + "\r\n" + line(id="3") + "\r\n",
}
"""The files of a small archive: three people with six, one and two faces."""
