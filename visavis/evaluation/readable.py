"""The photos of an evaluation that can be decoded."""

from collections.abc import Iterator, Sequence

from tqdm import tqdm

from visavis.data.photos import Photo
from visavis.errors import ImageError
from visavis.images import Picture, read
from visavis.messages import say


def readable(photos: Sequence[Photo], unreadable: list[dict[str, str]]) -> Iterator[tuple[Photo, Picture]]:
    """Each photo and its picture, with a progress bar. Those that cannot be decoded are named on stderr and added to
    `unreadable`, with the reason."""
    for photo in tqdm(photos, unit="photo", disable=None):
        try:
            picture = read(photo.path, photo.max_pixels)
        except ImageError as error:
            say(f"left out: {photo.path}: {error}")
            unreadable.append({"image_id": photo.image_id, "reason": error.reason})
        else:
            yield photo, picture
