"""COCO's JSON of object detection: boxes are x y width height."""

from typing import Any

CATEGORIES = [{"id": 1, "name": "face"}]


def annotation(number: int, image: int, box: list[float], crowd: bool = False, **more: Any) -> dict[str, Any]:
    """A face of the image with that id. box: x1 y1 x2 y2, pixels. crowd: a region to ignore."""
    x1, y1, x2, y2 = box
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "bbox": [round(value, 3) for value in (x1, y1, x2 - x1, y2 - y1)],
        "area": round((x2 - x1) * (y2 - y1), 3),
        "iscrowd": int(crowd),
        **more,
    }
