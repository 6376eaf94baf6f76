"""python -m dataset summary|sheet|look|windows search|import|export: view a data folder, make one from other labels, or
export it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from dataset.split import Shares, Split
from dataset.transforms import Preset
from visavis.commands.commandline import DataFolder, main
from visavis.errors import InputError
from visavis.messages import counted, say
from visavis.options import Count, Range, Seed, Share


@dataclass
class Summary:
    """Print the number of photos, faces and identities of each split of a data folder, and the sizes of the faces."""

    data: DataFolder = Path("data")
    shares: Shares = Shares()
    picture: Path | None = None
    """Also write histograms of the sizes, shapes and positions of the faces (PNG)."""


@dataclass
class Sheet:
    """Draw a contact sheet of what the detector will learn from: faces in blue, ignored regions in grey."""

    data: DataFolder = Path("data")
    out: Path = Path("sheet.jpg")
    """Picture to write (JPEG)."""
    split: Split = "train"
    """Which photos."""
    transforms: Preset = "none"
    """Augmentation to show, as for train.py --transforms."""
    count: Annotated[Count, tyro.conf.arg(aliases=["-n"])] = 48
    """How many photos, chosen at random."""
    seed: Seed = 0
    """Seed of the choice of photos and of the augmentation."""
    mosaic: Annotated[int | None, Range(64)] = None
    """Show mosaics of several photos, squares with this side in pixels, as with train.py --mosaic."""
    shares: Shares = Shares()


@dataclass
class Look:
    """Write a page (HTML) to view a data folder in a browser, sort and filter it. It needs no network."""

    data: DataFolder = Path("data")
    out: Path = Path("look.html")
    """Page to write."""
    split: Split = "all"
    """Which photos."""
    found: Path | None = None
    """Folder of predict.py's results: also show its detections, compared with the labels."""
    threshold: Share = 0.0
    """Leave out detections with a score below this."""
    dropped: bool = False
    """Also show the photos that clean.csv drops, and why; only with the split all."""
    count: Annotated[Count | None, tyro.conf.arg(aliases=["-n"])] = None
    """At most this many photos, chosen at random; 10,000 make a page of 30 MB."""
    seed: Seed = 0
    """Seed of the choice of photos."""
    shares: Shares = Shares()


@dataclass
class Import:
    """Make a data folder of your own photos and labels: WIDER FACE, COCO, Pascal VOC, YOLO, CVAT, Label Studio, a
    CSV of boxes, UTKFace, FairFace, photos of people with and without masks, or faces whose points are known."""

    source: tyro.conf.Positional[tuple[str, ...]]
    """[wider|coco|voc|yolo|cvat|label-studio|csv] and the labels: wider_face_*_bbx_gt.txt, COCO's JSON, VOC's folder,
    YOLO's data.yaml, CVAT's annotations.xml (CVAT for images 1.1), Label Studio's JSON or JSON-MIN, or a CSV
    image,x1,y1,x2,y2[,identity][,use] with a row a face (empty coordinates: a photo without one). Or
    utkface|fairface|masks and the folder of that set (docs/attributes.md), or points68 and a CSV or folder of .pts
    files, or kaggle-keypoints and its training.csv (docs/points.md): these may join others in --out."""
    out: Path
    """Data folder to make."""
    images: Path | None = None
    """Folder to which the names of images are relative; by default where the format usually has them."""
    negatives: Path | None = None
    """Also import this folder of photos without faces."""
    category: str | None = None
    """Name of the class that is a face; by default `face`, or the only one."""
    ignore_heavy: bool = False
    """Leave heavily blurred and heavily occluded faces (WIDER FACE) out of the loss instead of learning from them."""
    incomplete: bool = False
    """Also take faces of which some points are not known (kaggle-keypoints); those cells stay out of the loss."""
    exif: Literal["auto", "applied", "ignored"] = "auto"
    """Whether the labelling tool showed photos turned by their EXIF orientation (applied), as browsers do, or as
    stored (ignored); auto: according to the sizes in the labels, or else applied."""


@dataclass
class Export:
    """Write the photos and labels of a data folder as COCO, Pascal VOC, YOLO, or a CSV of boxes."""

    kind: tyro.conf.Positional[Literal["coco", "voc", "yolo", "csv"]]
    """Format."""
    out: Path
    """Folder to make. Photos are hard-linked into it, or copied if the file system has no hard links."""
    data: DataFolder = Path("data")
    split: Split = "all"
    """Which photos."""
    shares: Shares = Shares()


@dataclass
class Windows:
    """Compare sizes and strides of sliding windows: how many faces a perfect judge of windows could find, and at how
    many windows. Also finds the best sizes."""

    data: DataFolder = Path("data")
    sizes: tuple[str, ...] = ("100x85,200x100,250x212",)
    """Sets of sizes, each HEIGHTxWIDTH in pixels, with commas between; several sets with spaces between."""
    strides: str = "30,35,40"
    """Strides in percent of a window's height and width, with commas between."""
    find: Annotated[int, Range(0, 20)] = 6
    """For each stride, also find the best set of this many sizes; 0: do not."""
    picture: Path | None = None
    """Also write a chart (PNG)."""
    split: Split = "all"
    """Which photos."""
    shares: Shares = Shares()


Options = Summary | Sheet | Look | Windows | Import | Export


def run(options: Options) -> int:
    """Run the subcommand. Returns the exit status."""
    if isinstance(options, Summary):
        return summary(options)
    if isinstance(options, Sheet):
        return sheet(options)
    if isinstance(options, Look):
        return look(options)
    if isinstance(options, Windows):
        return windows(options)
    return import_boxes(options) if isinstance(options, Import) else export(options)


def summary(options: Summary) -> int:
    """Print a table of the splits on stdout."""
    from dataset.photos import Photos
    from dataset.summary import measure, picture, table

    photos = Photos.load(options.data, "all", options.shares)
    for line in table(photos):
        print(line)
    if options.picture is not None:
        _no_folder(options.picture, "--picture", "summary.png")
        picture(measure(list(photos)), options.picture)
        say(f"histograms: {options.picture}")
    return 0


def sheet(options: Sheet) -> int:
    """Write the contact sheet."""
    from dataset.photos import Photos
    from dataset.pictures import chosen, contact
    from visavis.images import encode

    _no_folder(options.out, "--out", "sheet.jpg")
    photos = Photos.load(options.data, options.split, options.shares)
    some = chosen(photos, options.count, options.seed)
    drawn = contact(some, options.transforms, options.seed, options.mosaic)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(encode(drawn))
    how = f"transforms {options.transforms}, seed {options.seed}"
    say(f"{counted(len(some), 'photo')} of {options.split}, {how}: {options.out}")
    return 0


def look(options: Look) -> int:
    """Write the page."""
    import visavis
    from dataset.photos import Photos
    from dataset.pictures import chosen, entries

    _no_folder(options.out, "--out", "look.html")
    photos = Photos.load(options.data, options.split, options.shares, options.dropped)
    some = photos if options.count is None else chosen(photos, options.count, options.seed)
    shown = entries(options.data, some, options.found)
    title = f"{options.data.resolve().name}, {options.split}"
    path = visavis.look(shown, options.out, title, options.threshold)
    say(f"{counted(len(shown), 'photo')}, {path.stat().st_size / 1e6:.1f} MB: {path} (open it in a browser)")
    return 0


def windows(options: Windows) -> int:
    """Print the table on stdout."""
    from dataset.photos import Photos
    from dataset.windows.search import chart, compared, table
    from visavis.detectors.sliding_window.windows import sizes_of, strides_of

    if options.picture is not None:
        _no_folder(options.picture, "--picture", "windows.png")
    photos = Photos.load(options.data, options.split, options.shares)
    rows = compared(photos, [sizes_of(text) for text in options.sizes], strides_of(options.strides), options.find)
    for line in table(rows):
        print(line)
    if options.picture is not None:
        chart(rows, options.picture)
        say(f"chart: {options.picture}")
    return 0


def import_boxes(options: Import) -> int:
    """Import, and report the counts."""
    from dataset.formats import FORMATS, guess, import_labels
    from dataset.formats.imported import Wanted

    *kinds, source = options.source if len(options.source) in (1, 2) else ("", "")
    if not source or (kinds and kinds[0] not in FORMATS):
        raise InputError(f"import needs a format ({', '.join(FORMATS)}) and its labels, such as `import csv boxes.csv`")
    kind = kinds[0] if kinds else guess(Path(source))
    wanted = Wanted(options.images, options.category, options.ignore_heavy, options.exif, options.incomplete)
    photos, faces, failed = import_labels(kind, Path(source), options.out, options.negatives, wanted)
    made = f"{counted(photos - failed, 'photo')} with {counted(faces, 'face')}"
    say(f"{made} in {options.out}; {failed} could not be read (downloads.csv)")
    return 3 if failed else 0


def export(options: Export) -> int:
    """Export, and report the counts."""
    from dataset import formats
    from dataset.photos import Photos

    photos = Photos.load(options.data, options.split, options.shares)
    count, faces = formats.export(options.kind, photos, options.out)
    say(f"{counted(count, 'photo')} with {counted(faces, 'face')} as {options.kind}: {options.out}")
    return 0


def _no_folder(path: Path, option: str, such_as: str) -> None:
    if path.is_dir():
        raise InputError(f"{option} {path} is a folder; give the name of a file, such as {such_as}")


Command = (
    Annotated[Summary, tyro.conf.subcommand("summary")]
    | Annotated[Sheet, tyro.conf.subcommand("sheet")]
    | Annotated[Look, tyro.conf.subcommand("look")]
    | Annotated[Windows, tyro.conf.subcommand("windows search")]
    | Annotated[Import, tyro.conf.subcommand("import")]
    | Annotated[Export, tyro.conf.subcommand("export")]
)

if __name__ == "__main__":
    main(run, Command)  # type: ignore[bad-argument-type]  # a union of dataclasses, which tyro makes subcommands of
