"""The formats in which a run's faces are written at its end, one file each.

To add one, add a file with what visavis.prediction.formats.protocol asks for, and a line in `FORMATS`. csv is not among
them: its tables grow with each record (visavis.prediction.results).
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
    """The names of the files and folders that all formats write in a folder of results."""
    return [load_format(name).WRITES for name in FORMATS]
