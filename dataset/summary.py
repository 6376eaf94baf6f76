"""A data folder in figures and histograms, by which to choose sizes and anchors."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset.photos import Photo, Photos, worthwhile
from dataset.split import SPLITS
from visavis import charts
from visavis.boxes import as_boxes


@dataclass(frozen=True)
class Measures:
    """The faces to learn from of some photos: parallel arrays, with one row per face.

    sides: (N, 2) width and height, pixels. relative: (N,) square root of the share of the photo that a face takes,
    0..1. centres: (N, 2) x and y as shares of the photo. The last two have rows only for photos of known size.
    a_photo: (P,) the number of faces in each photo.
    """

    sides: NDArray[np.float32]
    relative: NDArray[np.float32]
    centres: NDArray[np.float32]
    a_photo: NDArray[np.int64]
    ignored: int
    left_out: int
    identities: int

    @property
    def ratios(self) -> NDArray[np.float32]:
        """(N,) width over height."""
        return np.asarray(self.sides[:, 0] / self.sides[:, 1])


def measure(photos: list[Photo]) -> Measures:
    """Sizes, shapes and positions of all faces. If no table has a photo's size, it is read from the photo."""
    boxes, relative, centres = [as_boxes([])], [np.zeros(0, np.float32)], [np.zeros((0, 2), np.float32)]
    left_out = 0
    for photo in photos:
        boxes.append(photo.boxes)
        height, width = photo.known_size() or (0, 0)
        if not height or not len(photo.boxes):
            continue
        left_out += int((~worthwhile(photo.boxes, (height, width))).sum())
        sides = photo.boxes[:, 2:] - photo.boxes[:, :2]
        relative.append(np.sqrt(sides.prod(axis=1) / (height * width)))
        middles = (photo.boxes[:, :2] + photo.boxes[:, 2:]) / 2
        centres.append(np.asarray(middles / np.array([width, height]), np.float32))
    every = np.concatenate(boxes)
    return Measures(
        every[:, 2:] - every[:, :2],
        np.concatenate(relative),
        np.concatenate(centres),
        np.array([len(photo.boxes) for photo in photos], np.int64),
        sum(len(photo.ignore) for photo in photos),
        left_out,
        len({photo.identity for photo in photos if photo.identity}),
    )


def table(photos: Photos) -> Iterator[str]:
    """The lines of a table with one row per split."""
    yield (
        f"{'split':<6}{'photos':>9}{'faces':>9}{'ignored':>9}{'left out':>10}{'identities':>12}{'/ photo':>9}   "
        f"{'width':<16}{'height':<16}{'width / height':<18}share of the side"
    )
    every = list(photos)
    for split in SPLITS:
        some = [photo for photo in every if split in ("all", photo.side)]
        seen = measure(some)
        a_photo = f"{seen.a_photo.mean():.2f}" if len(some) else "none"
        yield (
            f"{split:<6}{len(some):>9}{len(seen.sides):>9}{seen.ignored:>9}{seen.left_out:>10}{seen.identities:>12}"
            f"{a_photo:>9}   {_spread(seen.sides[:, 0], 0):<16}{_spread(seen.sides[:, 1], 0):<16}"
            f"{_spread(seen.ratios, 2):<18}{_spread(seen.relative, 2):<18}"
        ).rstrip()
    yield "(sizes: 10 % of the faces are below the first figure, half below the second, 10 % above the third)"


def picture(measures: Measures, path: Path) -> None:
    """Write the histograms: width, height, ratio, size relative to the photo, faces per photo, and positions."""
    figure = charts.blank(13, 7)
    draw(measures, figure.subplots(2, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def draw(measures: Measures, axes: np.ndarray) -> None:
    """The six histograms of `picture` on (2, 3) matplotlib axes."""
    from matplotlib.ticker import ScalarFormatter

    (width, height, ratio), (relative, a_photo, place) = axes
    for one, side, name in ((width, 0, "width"), (height, 1, "height")):
        values = measures.sides[:, side]
        if len(values):
            one.hist(values, bins=np.geomspace(max(1, values.min()), values.max() + 1, 40), color="#3d7ea6")
        one.set_xscale("log", base=2)
        one.xaxis.set_major_formatter(ScalarFormatter())
        one.set(xlabel="pixels of the photo", title=f"{name} of a face")
    if len(measures.sides):
        ratio.hist(np.clip(measures.ratios, 0, 2.5), bins=np.linspace(0, 2.5, 51), color="#3d7ea6")
        median = float(np.median(measures.ratios))
        ratio.axvline(median, color="#d1495b", lw=1.5, label=f"half below {median:.2f}")
        ratio.legend(frameon=False)
    ratio.set(title="width / height", xlabel="(an anchor's shape is its inverse)")
    relative.hist(measures.relative, bins=np.linspace(0, 1, 41), color="#3d7ea6")
    relative.set(title="side of a face / side of the photo", xlabel="square root of the share of the area")
    a_photo.hist(measures.a_photo, bins=np.arange(-0.5, max(3, measures.a_photo.max(initial=0)) + 1.5), color="#3d7ea6")
    a_photo.set(title="faces per photo")
    a_photo.xaxis.get_major_locator().set_params(integer=True)
    counts, _, _ = np.histogram2d(measures.centres[:, 1], measures.centres[:, 0], bins=32, range=((0, 1), (0, 1)))
    place.imshow(counts, extent=(0, 1, 1, 0), cmap="magma", aspect="auto")
    place.set(title="where faces are", xlabel="share of the width", ylabel="share of the height")
    for one in axes.flat:
        if one is not place:
            one.set_ylabel("photos" if one is a_photo else "faces")
            one.spines[["top", "right"]].set_visible(False)


def _spread(values: np.ndarray, decimals: int) -> str:
    """The 10th, 50th and 90th percentiles as text."""
    if not len(values):
        return "none"
    return ", ".join(f"{value:.{decimals}f}" for value in np.percentile(values, (10, 50, 90)))
