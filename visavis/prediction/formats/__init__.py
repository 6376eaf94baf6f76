"""What a run's faces are written as, one file a format.

To add one is to add a file with what visavis.prediction.formats.protocol says, and a line in `FORMATS`. csv is none of
these: its tables grow while the run does (visavis.prediction.results).
"""

from importlib import import_module
from typing import cast

from visavis.prediction.formats.protocol import Format

FORMATS: dict[str, str] = {
    "json": "visavis.prediction.formats.json_list",
    "jsonl": "visavis.prediction.formats.json_lines",
    "coco": "visavis.prediction.formats.coco",
    "yolo": "visavis.prediction.formats.yolo",
    "voc": "visavis.prediction.formats.voc",
}
"""Name -> module."""


def load_format(name: str) -> Format:
    """The format of that name in `FORMATS`."""
    return cast(Format, import_module(FORMATS[name]))


def written() -> list[str]:
    """The names of what all formats write in a folder of results."""
    return [load_format(name).WRITES for name in FORMATS]
