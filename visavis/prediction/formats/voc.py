"""Pascal VOC's folder, voc/: an XML file a picture."""

from pathlib import Path

from visavis.files import replaced
from visavis.formats import voc
from visavis.prediction.formats.links import forget, link
from visavis.prediction.formats.protocol import Records
from visavis.prediction.shots import besides, shots
from visavis.sources import shown

WRITES = "voc"
OF_PICTURES = True


def write(out: Path, records: Records) -> None:
    """voc/: Annotations/, and links to the photos in JPEGImages/. `path` is the input's, `score` a face's, and so are
    the attributes."""
    folder = out / WRITES
    pictures, annotations = folder / voc.IMAGES, folder / voc.ANNOTATIONS
    forget(pictures, lambda link: (annotations / link.relative_to(pictures)).with_suffix(".xml"))
    for shot in shots(records(), out):
        link(shot, pictures)
        told = [besides(face) for face in shot.rows]
        text = voc.annotation(shown(shot.name), shot.size, zip(shot.boxes, told, strict=True), path=shot.path)
        with replaced(annotations / f"{shot.place}.xml", durable=False) as file:
            file.write(text)
