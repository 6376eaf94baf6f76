"""The tables of a data folder for the astronaut under several names."""

from pathlib import Path

from dataset import tables

FACE = {"x1": 175, "y1": 70, "x2": 280, "y2": 205}  # of skimage's astronaut, 512 x 512


def labels(folder: Path, ids: list[str], **more: object) -> None:
    """labels.csv, with one face for each photo."""
    tables.write(folder / "labels.csv", [{"image_id": n, "identity": n.split("/")[0], **FACE, **more} for n in ids])


def downloads(folder: Path, ids: list[str], size: int = 512) -> None:
    """downloads.csv, with all of the photos there."""
    tables.write(
        folder / "downloads.csv",
        [
            {"image_id": name, "status": "ok", "path": f"images/{name}.jpg", "width": size, "height": size}
            for name in ids
        ],
    )
