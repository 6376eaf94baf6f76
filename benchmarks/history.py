"""Photos for the table of docs/history.md: a data folder of validation photos in groups, which evaluate.py scores.

    python -m benchmarks.history --data DATA --out history
    python evaluate.py --data history --split all --groups --detector shipped window_cnn viola_jones opencv_haar

The groups are those of DATA (the part of the image_id before the slash), a sample of each, and `grey`: the photos of
one of them without their colours, as the scans that the first detectors were measured on.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset import tables
from dataset.photos import Photo, Photos
from visavis.commands.commandline import main
from visavis.data.split import Shares
from visavis.errors import ImageError, InputError
from visavis.evaluation.groups import group_of
from visavis.images import encode, grey, read
from visavis.messages import say
from visavis.options import Count


@dataclass
class Options:
    """Make a data folder of validation photos in groups, one of them in grey."""

    data: Path
    """The data folder to take photos from; it stays as it is, and its photos are referred to."""
    out: Path
    """The new one."""
    groups: tuple[str, ...] = ("web", "wider")
    """The groups to take."""
    grey: str = "web"
    """The one of them that comes in grey as well."""
    count: Count = 200
    """How many photos of each group, chosen by --seed."""
    seed: int = 0
    """Seed of the choice."""
    shares: Shares = Shares()


def run(options: Options) -> int:
    """Write the tables, and the photos in grey."""
    if options.out.exists():
        raise InputError(f"{options.out} exists already; give another --out")
    if options.grey not in options.groups:
        raise InputError(f"--grey {options.grey} is not one of --groups {' '.join(options.groups)}; add it there")
    known = Photos.load(options.data, "val", options.shares)
    chosen: list[tuple[str, Photo, Path]] = []
    for group in options.groups:
        photos = Photos(photo for photo in known if group_of(photo.image_id) == group)
        if not photos:
            raise InputError(f"{options.data} has no validation photos {group}/...; give other --groups")
        some = photos.sample(min(options.count, len(photos)), options.seed)
        for number, photo in enumerate(some):
            try:
                picture = read(photo.path, photo.max_pixels)
            except ImageError as error:
                say(f"left out: {photo.path}: {error}")
                continue
            chosen.append((photo.image_id, photo, photo.path.resolve()))
            if group == options.grey:
                path = options.out / "images" / "grey" / f"{number:04}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encode(np.repeat(grey(picture)[..., None], 3, axis=2), "PNG"))
                chosen.append((f"grey/{number:04}", photo, path.relative_to(options.out)))
    options.out.mkdir(exist_ok=True)
    faces = [
        {"image_id": name, "source": "label", "use": use} | dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
        for name, photo, _ in chosen
        for use, boxes in (("train", photo.boxes), ("ignore", photo.ignore))
        for box in boxes.tolist()
    ]
    tables.write(options.out / "faces.csv", faces)
    tables.write(options.out / "labels.csv", [])
    downloads = [{"image_id": name, "status": "ok", "path": path} for name, _, path in chosen]
    tables.write(options.out / "downloads.csv", downloads)
    print(f"{options.out}: {len(chosen)} photos, {sum(face['use'] == 'train' for face in faces)} faces")
    return 0


if __name__ == "__main__":
    main(run, Options)
