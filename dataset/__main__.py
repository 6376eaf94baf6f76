"""python -m dataset summary|sheet|import: look at a data folder, or make one from other labels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from dataset.split import SPLITS, Shares
from visavis.command import InputError, main, say


@dataclass
class Summary:
    """Print how many photos, faces and identities each split of a data folder has, and how large the faces are."""

    data: Path = Path("data")
    """Data folder."""
    val: float = 0.1
    """Share of the identities for validation, as given to train.py."""
    test: float = 0.1
    """Share of the identities for the test."""


@dataclass
class Sheet:
    """Draw a contact sheet of what the detector will learn from: faces blue, ignored regions grey."""

    data: Path = Path("data")
    """Data folder."""
    out: Path = Path("sheet.jpg")
    """Picture to write (JPEG)."""
    split: Literal["train", "val", "test", "all"] = "train"
    """Which photos."""
    transforms: Literal["none", "light", "full"] = "none"
    """Augmentation to show, by the names that train.py has for it."""
    count: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 48
    """How many photos, chosen at random."""
    seed: int = 0
    """Of the choice and of the augmentation."""


@dataclass
class Import:
    """Make a data folder of your own photos and a CSV of boxes (image,x1,y1,x2,y2[,identity]), one row a face."""

    source: tyro.conf.Positional[Path]
    """The CSV; its images lie beside it or in images/ beside it. Empty coordinates: a photo without a face."""
    out: Path
    """Data folder to make."""
    negatives: Path | None = None
    """A folder of photos without any face, to be added."""


def run(options: Summary | Sheet | Import) -> int:
    """Do what the subcommand says. Returns the exit status."""
    if isinstance(options, Summary):
        return summary(options)
    return sheet(options) if isinstance(options, Sheet) else import_boxes(options)


def summary(options: Summary) -> int:
    """Print a table of the splits on stdout."""
    import numpy as np

    from dataset.faces import load_photos

    photos = load_photos(options.data, shares=Shares(options.val, options.test))
    print(f"{'split':<8}{'photos':>8}{'faces':>8}{'ignored':>9}{'identities':>12}   face height: 10 %, half, 90 %")
    for split in SPLITS:
        some = [p for p in photos if split in ("all", p.side)]
        heights = np.concatenate([p.boxes[:, 3] - p.boxes[:, 1] for p in some] or [np.zeros(0)])
        sizes = ", ".join(f"{value:.0f}" for value in np.percentile(heights, (10, 50, 90))) if heights.size else "none"
        print(
            f"{split:<8}{len(some):>8}{heights.size:>8}{sum(len(p.ignore) for p in some):>9}"
            f"{len({p.identity for p in some if p.identity}):>12}   {sizes}"
        )
    return 0


def sheet(options: Sheet) -> int:
    """Write the contact sheet."""
    import random

    import torch

    from dataset.faces import FaceDataset, load_photos
    from dataset.transforms import preset
    from visavis.draw import boxes_on, contact_sheet
    from visavis.faces import Faces
    from visavis.images import encode

    photos = load_photos(options.data, options.split)
    chosen = random.Random(options.seed).sample(photos, min(options.count, len(photos)))
    torch.manual_seed(options.seed)
    drawn = []
    for image, target in map(FaceDataset(chosen, preset(options.transforms)).__getitem__, range(len(chosen))):
        picture = (image.permute(1, 2, 0) * 255).round().byte().numpy()
        picture = boxes_on(picture, Faces(target["ignore"].numpy()), "ignore")
        drawn.append(boxes_on(picture, Faces(target["boxes"].numpy()), "label"))
    if options.out.is_dir():
        raise InputError(f"--out {options.out} is a folder; give the name of a picture, such as sheet.jpg")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(encode(contact_sheet(drawn, [photo.image_id for photo in chosen], columns=8)))
    say(f"{len(chosen)} photos of {options.split}, transforms {options.transforms}, seed {options.seed}: {options.out}")
    return 0


def import_boxes(options: Import) -> int:
    """Import and say what was taken."""
    from dataset.formats import import_csv

    photos, faces, failed = import_csv(options.source, options.out, options.negatives)
    say(f"{photos - failed} photos with {faces} faces in {options.out}; {failed} could not be read (downloads.csv)")
    return 3 if failed else 0


Command = (
    Annotated[Summary, tyro.conf.subcommand("summary")]
    | Annotated[Sheet, tyro.conf.subcommand("sheet")]
    | Annotated[Import, tyro.conf.subcommand("import")]
)

if __name__ == "__main__":
    main(run, Command)  # type: ignore[bad-argument-type]  # a union of dataclasses, which tyro makes subcommands of
