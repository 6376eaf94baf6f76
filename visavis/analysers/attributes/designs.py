"""The networks that predict attributes of faces, by name: what each predicts, what it is shown, what it starts from.

`face_attributes` is ours. The others are the recipes of systems that predict one thing each: age and gender by a small
convolutional network from scratch, masks by MobileNetV2. Nothing here loads torch.
"""

from dataclasses import dataclass

from visavis.data.attributes import GENDERS, MASKS

YEARS = 101
"""Ages from 0 to 100; who is older is taken for 100."""


@dataclass(frozen=True)
class Design:
    """heads: what it predicts -> how many numbers that is: the probabilities of classes or of ages in years, or 1, the
    age itself. side: pixels of the square that it is shown. margin: how many times as wide as the face's box that
    square is. init, transforms: what a training takes by default."""

    heads: dict[str, int]
    side: int
    margin: float
    init: str
    transforms: str


DESIGNS = {
    "face_attributes": Design({"mask": len(MASKS), "age": YEARS, "gender": len(GENDERS)}, 96, 1.05, "imagenet", "full"),
    "age_cnn": Design({"age": 1}, 200, 1.0, "none", "none"),
    "gender_cnn": Design({"gender": len(GENDERS)}, 200, 1.0, "none", "none"),
    "mask_mobilenet_v2": Design({"mask": len(MASKS)}, 224, 1.1, "imagenet", "affine"),
}
"""The small networks were made for crops of UTKFace, which a face fills."""
