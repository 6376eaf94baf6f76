"""Score one or several detectors on labelled photos: `python evaluate.py --detector shipped dlib_hog`.

What it prints is a table, on stdout. What it writes, in --out: evaluation.json (all figures), pr.png
(precision over recall), mistakes.jpg (the worst false finds and missed faces; one a detector if several).
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain, combinations, zip_longest
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

import visavis
from dataset.faces import Photo, labels_within, load_photos
from dataset.split import Shares
from visavis import bootstrap, boxes, conventions, metrics
from visavis.boxes import Boxes
from visavis.command import InputError, main, say
from visavis.detectors import Detector
from visavis.draw import boxes_on, contact_sheet
from visavis.faces import Faces
from visavis.files import replaced
from visavis.images import ImageError, Picture, encode, fit, read

LOWEST_SCORE = 0.05
"""Down to here finds are asked for: AP is over the whole curve, not from a threshold on."""

SHOWN, CELL = 24, 360
"""How many photos mistakes.jpg shows, and how large."""


@dataclass
class Options:
    """Score one or several detectors on the labelled photos of a data folder, all on the same photos."""

    detector: tuple[str, ...] = ("shipped",)
    """The project's own (shipped), others (opencv_haar, dlib_hog, dlib_cnn, mtcnn, centerface), and paths of
    checkpoints that train.py wrote: one or several."""
    data: Path = Path("data")
    """Data folder, as download and clean (or `python -m dataset import`) make it."""
    split: Literal["val", "train", "test", "all"] = "val"
    """Which part of the photos; by identity, as training parts them."""
    val: float = 0.1
    """Share of the identities in val: as given to train.py."""
    test: float = 0.1
    """Share of the identities in test: as given to train.py."""
    out: Path = Path("evaluation")
    """Folder for evaluation.json, pr.png and mistakes.jpg; what it holds of these is replaced."""
    threshold: float | None = None
    """Score, 0 to 1, at which precision, recall and mistakes are shown; by default each detector's own."""
    device: str = "auto"
    """auto (a CUDA GPU where there is one), cpu, cuda, cuda:1, mps."""
    batch_size: int = 1
    """Photos that go through the network together; times are then the batch's, divided by its photos."""


@dataclass
class Contestant:
    """A detector, and what it found in each photo that could be read."""

    name: str
    source: str
    """What it was asked for by: a name or a path."""
    detector: Detector
    threshold: float
    found: list[Faces] = field(default_factory=list)
    aligned: list[Faces] = field(default_factory=list)
    """The same, with boxes as the labels would have them; see `aligned`."""
    milliseconds: list[float] = field(default_factory=list)


@dataclass
class Labelled:
    """The photos that could be read, what is known of them, and those that could not: parallel lists."""

    photos: list[Photo] = field(default_factory=list)
    truth: list[Faces] = field(default_factory=list)
    ignore: list[Boxes] = field(default_factory=list)
    unreadable: list[dict[str, str]] = field(default_factory=list)


def evaluate(options: Options) -> int:
    """Score the detectors, print the table, write the files. Returns the exit status: 0, or 3 where some photo
    could not be read. Raises InputError, before anything is written, for options that cannot be used.
    """
    from visavis import device

    names = _check(options)
    photos = load_photos(options.data, options.split, Shares(options.val, options.test))
    on, chosen = device.choose(options.device)
    contestants = []
    for name, source in zip(names, options.detector, strict=True):
        own = visavis.load_detector(source, str(on)).threshold
        detector = visavis.load_detector(source, str(on), LOWEST_SCORE)
        contestants.append(Contestant(name, source, detector, own if options.threshold is None else options.threshold))
    say(f"device: {chosen}; {len(photos)} photos of {options.data} ({options.split})")

    labelled = look(contestants, photos, options.batch_size)
    if not labelled.photos:
        raise InputError(f"none of the {len(photos)} photos can be read; run `python -m clean`")
    results = [figures(contestant, labelled) for contestant in contestants]
    print(table(results))
    compared = differences(contestants, labelled)
    for row in compared:
        print(_sentence(row))
    _write(options, chosen, contestants, labelled, results, compared)
    if labelled.unreadable:
        say(f"{len(labelled.unreadable)} of {len(photos)} photos could not be read (named in evaluation.json)")
    say(f"figures, curves and mistakes: {options.out}")
    return 3 if labelled.unreadable else 0


def look(contestants: list[Contestant], photos: list[Photo], batch_size: int) -> Labelled:
    """Decode each photo once and show it to every detector, whose `found`, `aligned` and `milliseconds` grow."""
    labelled = Labelled()
    warm = False
    for batch in _batches(_readable(photos, labelled), batch_size):
        for contestant in contestants:
            if not warm:
                contestant.detector.detect(batch)  # the first time costs what no later one does
            began = time.perf_counter()
            contestant.found += contestant.detector.detect(batch)
            spent = (time.perf_counter() - began) * 1000 / len(batch)
            contestant.milliseconds += [spent] * len(batch)
        warm = True
    for contestant in contestants:
        contestant.aligned = aligned(contestant, labelled)
    return labelled


def figures(contestant: Contestant, labelled: Labelled) -> dict[str, Any]:
    """All that is measured of one detector, ready for JSON (None where there is no such number)."""
    scores = metrics.score(labelled.truth, contestant.found, labelled.ignore)
    judged = metrics.judge(labelled.truth, contestant.found, 0.5, labelled.ignore)
    precision, recall, f1 = metrics.at_threshold(judged, contestant.threshold)
    values = asdict(scores) | {
        "threshold": contestant.threshold,
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "ms_median": float(np.median(contestant.milliseconds)),
        "ms_p95": float(np.percentile(contestant.milliseconds, 95)),
    }
    drawn = bootstrap.draw(judged, labelled.truth)
    same_boxes = metrics.judge(labelled.truth, contestant.aligned, 0.5, labelled.ignore)
    values["ap50_aligned"] = metrics.average_precision(same_boxes)
    values["best_f1_aligned"] = metrics.best_threshold(same_boxes)[1]
    known = {key: metrics.or_none(value) for key, value in values.items()}
    intervals = {"ap50_interval": bootstrap.interval(drawn.ap), "best_f1_interval": bootstrap.interval(drawn.f1)}
    return {"name": contestant.name} | known | intervals


def aligned(contestant: Contestant, labelled: Labelled) -> list[Faces]:
    """What was found, each photo's boxes moved to the labels' convention as the other half of the photos shows it.

    Detectors draw a face by conventions of their own; this is for comparing what they find, not how they draw it.
    """
    moved = list(contestant.found)
    for half in (0, 1):
        pairs = [
            (contestant.found[number].above(contestant.threshold).boxes, labelled.truth[number].boxes)
            for number in range(1 - half, len(moved), 2)
        ]
        shift = conventions.estimate(pairs)
        for number in range(half, len(moved), 2):
            faces = contestant.found[number]
            moved[number] = Faces(shift.move(faces.boxes), faces.scores)
    return moved


def differences(contestants: list[Contestant], labelled: Labelled) -> list[dict[str, Any]]:
    """Of each two detectors, boxes aligned: by how much the first is better, with its 95 % interval.

    Photos are drawn alike for both, so what is hard for both takes no part. `known`: whether the interval
    leaves out 0, without which neither is called better.
    """
    drawn = []
    for contestant in contestants:
        judged = metrics.judge(labelled.truth, contestant.aligned, 0.5, labelled.ignore)
        drawn.append((contestant.name, metrics.average_precision(judged), bootstrap.draw(judged, labelled.truth).ap))
    rows = []
    for (first, mine, draws), (second, other, others) in combinations(drawn, 2):
        if (between := bootstrap.interval(draws - others)) is not None:
            known = not between[0] <= 0 <= between[1]
            row = {"first": first, "second": second, "ap50_aligned": mine - other, "interval": between, "known": known}
            rows.append(row)
    return rows


ROWS = (
    ("AP (IoU 0.50 to 0.95)", "ap", ".3f"),
    ("AP50", "ap50", ".3f"),
    ("  95 % interval", "ap50_interval", ".3f"),
    ("  boxes aligned", "ap50_aligned", ".3f"),
    ("AP75", "ap75", ".3f"),
    ("AP of faces under 32 x 32 pixels", "ap_small", ".3f"),
    ("  to 96 x 96", "ap_medium", ".3f"),
    ("  above", "ap_large", ".3f"),
    ("best F1 (IoU 0.5)", "best_f1", ".3f"),
    ("  95 % interval", "best_f1_interval", ".3f"),
    ("  boxes aligned", "best_f1_aligned", ".3f"),
    ("  at the score", "best_threshold", ".3f"),
    ("recall at 0.1 false a photo", "recall_at_tenth", ".3f"),
    ("recall at 1 false a photo", "recall_at_one", ".3f"),
    ("its threshold", "threshold", ".3f"),
    ("  precision there", "precision", ".3f"),
    ("  recall there", "recall", ".3f"),
    ("  F1 there", "f1", ".3f"),
    ("ms a photo, median", "ms_median", ".1f"),
    ("ms a photo, 95th percentile", "ms_p95", ".1f"),
    ("photos", "photos", "d"),
    ("faces", "faces", "d"),
)


def table(results: list[dict[str, Any]]) -> str:
    """A line a figure, a column a detector."""
    first = max(len(title) for title, _, _ in ROWS)
    widths = [max(14, len(result["name"])) for result in results]
    lines = [" " * first + "".join(f"  {r['name']:>{width}}" for r, width in zip(results, widths, strict=True))]
    for title, key, form in ROWS:
        cells = [_cell(result[key], form) for result in results]
        lines.append(f"{title:<{first}}" + "".join(f"  {c:>{width}}" for c, width in zip(cells, widths, strict=True)))
    return "\n".join(lines)


def _cell(value: float | tuple[float, float] | None, form: str) -> str:
    if value is None:
        return "-"
    return " to ".join(format(part, form) for part in (value if isinstance(value, tuple) else (value,)))


def _sentence(row: dict[str, Any]) -> str:
    low, high = row["interval"]
    better = row["first"] if row["ap50_aligned"] > 0 else row["second"]
    verdict = f"{better} is better" if row["known"] else "which is better is not known"
    return (
        f"{row['first']} against {row['second']}: AP50, boxes aligned, {row['ap50_aligned']:+.3f} "
        f"({low:+.3f} to {high:+.3f}): {verdict}"
    )


def worst(contestant: Contestant, labelled: Labelled) -> list[int]:
    """Photos by their worst mistake: in turn the surest false find and the largest missed face."""
    false: list[tuple[float, int]] = []
    missed: list[tuple[float, int]] = []
    for number, (truth, found, ignore) in enumerate(
        zip(labelled.truth, contestant.found, labelled.ignore, strict=True)
    ):
        found = found.above(contestant.threshold)
        matches = metrics.match(truth, found, 0.5, ignore)
        wrong = np.asarray(found.scores)[matches == metrics.FALSE]
        lost = boxes.area(np.delete(truth.boxes, matches[matches >= 0], axis=0))
        false += [(-float(wrong.max()), number)] if len(wrong) else []
        missed += [(-float(lost.max()), number)] if len(lost) else []
    ranked = chain.from_iterable(zip_longest(sorted(false), sorted(missed)))
    return list(dict.fromkeys(entry[1] for entry in ranked if entry is not None))


def mistakes(contestant: Contestant, labelled: Labelled) -> Picture:
    """A sheet of the photos with the worst mistakes."""
    pictures, captions = [], []
    for number in worst(contestant, labelled)[:SHOWN]:
        photo, truth = labelled.photos[number], labelled.truth[number]
        found = contestant.found[number].above(contestant.threshold)
        matches = metrics.match(truth, found, 0.5, labelled.ignore[number])
        took = matches >= 0
        lost = np.setdiff1d(np.arange(len(truth)), matches[took])
        picture, factor = fit(read(photo.path), 2 * CELL)

        def small(faces: Faces, factor: float = factor) -> Faces:
            return Faces(boxes.scale(faces.boxes, factor), faces.scores)

        wrong = found[matches == metrics.FALSE]
        unsure = Faces(labelled.ignore[number])
        picture = boxes_on(picture, small(unsure), "ignore")
        picture = boxes_on(picture, small(truth[matches[took]]), "label")
        picture = boxes_on(picture, small(found[took]), "found")
        picture = boxes_on(picture, small(truth[lost]), "missed", ["missed"] * len(lost))
        picture = boxes_on(picture, small(wrong), "false", [f"false {score:.2f}" for score in np.asarray(wrong.scores)])
        pictures.append(picture)
        captions.append(f"{photo.image_id}: {len(lost)} missed, {len(wrong)} false")
    return contact_sheet(pictures, captions, columns=4, cell=CELL)


def chart(contestants: list[Contestant], labelled: Labelled, path: Path) -> None:
    """Precision over recall at IoU 0.5, a line a detector, a dot at its threshold."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5.5), layout="constrained")
    axes = figure.subplots()
    for contestant in contestants:
        judged = metrics.judge(labelled.truth, contestant.found, 0.5, labelled.ignore)
        over = metrics.curve(judged)
        label = f"{contestant.name} (AP50 {metrics.average_precision(judged):.3f})"
        (line,) = axes.plot(over.recall, over.precision, label=label)
        precision, recall, _ = metrics.at_threshold(judged, contestant.threshold)
        axes.plot([recall], [precision], "o", color=line.get_color())
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.01))
    axes.set_title(f"{len(labelled.photos)} photos, {sum(map(len, labelled.truth))} faces, IoU 0.5")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower left")
    with replaced(path, "wb") as file:
        figure.savefig(file, format="png", dpi=120)


def _readable(photos: list[Photo], labelled: Labelled) -> Iterator[Picture]:
    """The pictures that decode, while `labelled` takes in what is known of each photo."""
    for photo in tqdm(photos, unit="photo", disable=None):
        try:
            picture = read(photo.path)
        except ImageError as error:
            say(f"left out: {photo.path}: {error}")
            labelled.unreadable.append({"image_id": photo.image_id, "reason": error.reason})
            continue
        truth, ignore = labels_within(photo, (picture.shape[0], picture.shape[1]))
        labelled.photos.append(photo)
        labelled.truth.append(truth)
        labelled.ignore.append(ignore)
        yield picture


def _batches(pictures: Iterator[Picture], size: int) -> Iterator[list[Picture]]:
    batch: list[Picture] = []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _write(
    options: Options,
    chosen: str,
    contestants: list[Contestant],
    labelled: Labelled,
    results: list[dict[str, Any]],
    compared: list[dict[str, Any]],
) -> None:
    for contestant in contestants:
        mark = f"-{contestant.name.replace('/', '_')}" if len(contestants) > 1 else ""
        with replaced(options.out / f"mistakes{mark}.jpg", "wb") as file:
            file.write(encode(mistakes(contestant, labelled)))
    chart(contestants, labelled, options.out / "pr.png")
    record = {
        "data": str(options.data),
        "split": options.split,
        "photos": len(labelled.photos),
        "faces": sum(map(len, labelled.truth)),
        "ignored": sum(map(len, labelled.ignore)),
        "unreadable": labelled.unreadable,
        "device": chosen,
        "batch_size": options.batch_size,
        "lowest_score": LOWEST_SCORE,
        "detectors": [
            {"source": contestant.source} | result for contestant, result in zip(contestants, results, strict=True)
        ],
        "differences": compared,
    }
    with replaced(options.out / "evaluation.json") as file:
        json.dump(record, file, indent=2, allow_nan=False)
        file.write("\n")


def _check(options: Options) -> list[str]:
    """A name for each detector. Raises InputError for options that cannot be used."""
    if options.batch_size < 1:
        raise InputError(f"--batch-size {options.batch_size}: give at least 1")
    if options.threshold is not None and not LOWEST_SCORE <= options.threshold <= 1:
        raise InputError(f"--threshold {options.threshold:g}: give a score from {LOWEST_SCORE} to 1")
    if options.out.exists() and not options.out.is_dir():
        raise InputError(f"--out {options.out} is a file; give a folder")
    if not options.detector:
        raise InputError("--detector: give at least one")
    stems = [Path(source).with_suffix("") for source in options.detector]
    for names in (
        [stem.name for stem in stems],
        ["/".join(stem.parts[-2:]) for stem in stems],
        [str(stem) for stem in stems],
    ):
        if len(set(names)) == len(names):
            return names
    raise InputError("--detector: the same one is named twice")


if __name__ == "__main__":
    main(evaluate, Options)
