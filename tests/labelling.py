"""A photo as labelling tools are given it, and the boxes that are imported of what they write."""

from pathlib import Path

from PIL import Image
from skimage import data

from dataset import formats
from dataset.formats.imported import Wanted
from dataset.photos import load_photos

FACE = (180.0, 68.0, 272.0, 186.0)


def oriented(photo: Path, orientation: int, name: str = "a.jpg", side: int = 300) -> None:
    """A photo that is stored 512 wide and `side` high, with that EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(data.astronaut()[:side]).save(photo / "images" / name, exif=exif)


def all_boxes(kind: str, source: Path, wanted: Wanted = Wanted()) -> dict[str, list[list[float]]]:
    """image_id -> boxes of the photos that are imported, all of which must have been found."""
    out = (source if source.is_dir() else source.parent) / "out"
    assert formats.import_labels(kind, source, out, None, wanted)[2] == 0
    return {one.image_id: one.boxes.astype(float).round(2).tolist() for one in load_photos(out)}
