"""Pictures that a run saves: its first batches, batches whose loss is not finite, and detections."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visavis.drawing import boxes_on, contact_sheet
from visavis.faces import Faces
from visavis.files import replaced
from visavis.images import Picture, encode, read

if TYPE_CHECKING:
    from torch import Tensor

    from visavis.training.learner import Learner

SHOWN = 24
"""The number of pictures on a contact sheet."""

Items = Sequence[tuple["Tensor", dict[str, Any]]]
"""(image, target) as the network receives them in training; each target has `draw`, its seed."""


def draw_batches(path: Path, learner: "Learner", items: Items, names: Sequence[str]) -> None:
    """Write a sheet of training pictures as the network receives them, with labels and ignored regions."""
    import torch

    transform = learner.model.train().transform
    learner.draws.begin([target["draw"] for _, target in items])
    moved = [{name: target[name] for name in ("boxes", "ignore")} for _, target in items]
    shown, targets = transform([image for image, _ in items], moved)
    deviation, mean = (torch.tensor(values)[:, None, None] for values in (transform.image_std, transform.image_mean))
    drawn = []
    for tensor, target in zip(shown.tensors, targets, strict=True):
        picture = boxes_on(as_picture(tensor * deviation + mean), Faces(target["ignore"].numpy()), "ignore")
        drawn.append(boxes_on(picture, Faces(target["boxes"].numpy()), "label"))
    write(path, contact_sheet(drawn, list(names)))


def draw_finds(path: Path, photos: Sequence[Any], finds: dict[str, Faces], threshold: float) -> None:
    """Write a sheet of the first photos that have detections: labels, and the detections above the threshold.

    photos: with image_id, path, max_pixels and boxes. finds: by image_id.
    """
    shown = [photo for photo in photos if photo.image_id in finds][:SHOWN]
    drawn = []
    for photo in shown:
        picture = boxes_on(read(photo.path, photo.max_pixels), Faces(photo.boxes), "label")
        drawn.append(boxes_on(picture, finds[photo.image_id].above(threshold)))
    write(path, contact_sheet(drawn, [photo.image_id for photo in shown]))


def set_aside(folder: Path, items: Items, names: Sequence[str], losses: dict[str, float]) -> None:
    """Save a batch into a folder: its pictures as the network received them, and batch.json with boxes and losses."""
    labels = [{kind: target[kind].tolist() for kind in ("boxes", "ignore")} for _, target in items]
    written_aside(folder, items, labels, names, losses)


def written_aside(
    folder: Path, items: Items, labels: Sequence[dict[str, Any]], names: Sequence[str], losses: dict[str, float]
) -> None:
    """Pictures, and batch.json with what is known of each and the losses."""
    rows = []
    for number, ((image, _), label, name) in enumerate(zip(items, labels, names, strict=True)):
        write(folder / f"{number:02}.png", as_picture(image))
        rows.append({"file": f"{number:02}.png", "image_id": name} | label)
    with replaced(folder / "batch.json") as file:
        json.dump({"losses": {name: str(value) for name, value in losses.items()}, "photos": rows}, file, indent=2)


def as_picture(image: "Tensor") -> Picture:
    """(3, height, width) bytes, or floats in 0..1, as a picture."""
    if not image.is_floating_point():
        return image.permute(1, 2, 0).contiguous().numpy()
    return image.detach().cpu().clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).contiguous().numpy()


def write(path: Path, picture: Picture) -> None:
    """Write a picture as a PNG file, whole or not at all."""
    with replaced(path, "wb") as file:
        file.write(encode(picture, "PNG"))
