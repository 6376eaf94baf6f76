"""Labels of one photo as other programs write them, and the boxes that are imported."""

import json
from pathlib import Path

from dataset import formats
from dataset.formats.imported import Wanted
from dataset.photos import load_photos

FACE = (180.0, 68.0, 272.0, 186.0)


def boxes(kind: str, source: Path, wanted: Wanted = Wanted()) -> list[list[float]]:
    """The boxes of the one photo that is imported, which must have been found."""
    out = (source if source.is_dir() else source.parent) / "out"
    photos, _, failed = formats.import_labels(kind, source, out, None, wanted)
    assert (photos, failed) == (1, 0)
    (one,) = load_photos(out)
    return one.boxes.tolist()


def voc(name: str = "a.jpg", label: str = "face", size: tuple[int, int] = (512, 512), box=(181, 69, 272, 186)) -> str:
    """A file of PASCAL VOC with one face."""
    corners = "".join(
        f"<{key}>{value}</{key}>" for key, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return (
        f"<annotation><filename>{name}</filename><size><width>{size[0]}</width><height>{size[1]}</height></size>"
        f"<object><name>{label}</name><bndbox>{corners}</bndbox></object></annotation>"
    )


def coco(image: dict, annotation: dict, category: dict | None = None) -> str:
    """A file of COCO with one face; what is given replaces what it says."""
    first = {"id": 1, "file_name": "a.jpg", "width": 512, "height": 512}
    face = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [180, 68, 92, 118]}
    return json.dumps(
        {
            "images": [first | image],
            "annotations": [face | annotation],
            "categories": [category or {"id": 1, "name": "face"}],
        }
    )
