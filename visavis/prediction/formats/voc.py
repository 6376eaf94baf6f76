"""Pascal VOC's folder, voc/: an XML file for each picture."""

from pathlib import Path

from visavis.files import replaced
from visavis.formats import voc
from visavis.prediction.formats.links import link, remove_links
from visavis.prediction.formats.protocol import Records
from visavis.prediction.shots import properties, shots
from visavis.sources import shown

WRITES = "voc"
OF_PICTURES = True


def write(out: Path, records: Records) -> None:
    """Write voc/: Annotations/, and links to the photos in JPEGImages/. Each annotation has the `path` of the input,
    and each object its `score` and attributes."""
    folder = out / WRITES
    pictures, annotations = folder / voc.IMAGES, folder / voc.ANNOTATIONS
    remove_links(pictures, lambda link: (annotations / link.relative_to(pictures)).with_suffix(".xml"))
    for shot in shots(records(), out):
        link(shot, pictures)
        faces = [properties(face) for face in shot.rows]
        text = voc.annotation(shown(shot.name), shot.size, zip(shot.boxes, faces, strict=True), path=shot.path)
        with replaced(annotations / f"{shot.place}.xml", durable=False) as file:
            file.write(text)
