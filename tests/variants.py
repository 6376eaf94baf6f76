"""One photo and its labels, written with small faults, and what is taken of them."""

from pathlib import Path

from PIL import Image
from skimage import data

from dataset import formats
from dataset.formats.imported import Wanted
from dataset.photos import load_photos

FACE = [180.0, 68.0, 272.0, 186.0]


def photo(folder: Path, name: str = "images/a.jpg") -> None:
    """A photo of 512 x 512 pixels, upright."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(data.astronaut()).save(folder / name)


def written(folder: Path, files: dict[str, str | bytes]) -> None:
    """These files in the folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def taken(kind: str, source: Path, wanted: Wanted = Wanted()) -> tuple[dict[str, list], dict[str, list]]:
    """Boxes to learn from and to ignore, by image_id; no photo may be missing."""
    out = (source if source.is_dir() else source.parent) / "out"
    assert formats.import_labels(kind, source, out, None, wanted)[2] == 0
    photos = load_photos(out)
    return (
        {one.image_id: one.boxes.astype(float).round(2).tolist() for one in photos},
        {one.image_id: one.ignore.astype(float).round(2).tolist() for one in photos if len(one.ignore)},
    )
