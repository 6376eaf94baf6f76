"""UTKFace: aligned crops whose names say age and gender: [age]_[gender]_[race]_[date].jpg (Zhang et al. 2017)."""

import re
from collections.abc import Iterator
from pathlib import Path

from dataset.formats import crops
from dataset.formats.imported import ImportedPhoto, Wanted, say_some
from visavis.data.attributes import OLDEST
from visavis.errors import InputError

GENDERS = {"0": "male", "1": "female"}
_NAME = re.compile(r"(\d+)_([01])_")


def read(source: Path, wanted: Wanted) -> Iterator[ImportedPhoto]:
    """The photos of a folder of UTKFace, or of its folder images/. Nobody in it wears a mask: it is of 2017."""
    folder = wanted.images or (source / "images" if (source / "images").is_dir() else source)
    photos, unnamed = [], []
    for path in crops.photos_in(folder):
        named = _NAME.match(path.name)
        if named is None:
            unnamed.append(path.name)
            continue
        if int(named[1]) > OLDEST:
            raise InputError(
                f"{path}: its name says an age of {named[1]}, and {OLDEST} is the most; remove or rename it"
            )
        attributes = {"mask": "none", "age": str(int(named[1])), "gender": GENDERS[named[2]]}
        photos.append(ImportedPhoto(f"utkface/{path.name}", path, str(path), attributes=[attributes]))
    say_some("photo is", "photos are", "left out, as a name must begin with [age]_[gender]_:", unnamed)
    yield from crops.with_faces(photos)
