"""The encoders, one file each, and how to get one by its name.

To add one is to add a file that has a function which makes an `Encoder`, a line in `ENCODERS`, and what its distances
say in `visavis.analysers.identity.calibration`.
"""

from collections.abc import Callable
from importlib import import_module

from visavis.analysers.identity.encoding import Encoder
from visavis.errors import InputError

ENCODERS: dict[str, str] = {"face_recognition": "visavis.analysers.identity.face_recognition:FaceRecognition"}
"""Name -> `module:function`, which makes an Encoder."""
DEFAULT = "face_recognition"


def load_encoder(name: str = DEFAULT) -> Encoder:
    """An encoder of `ENCODERS`. Raises InputError where there is none of that name, or what it needs is missing."""
    if name not in ENCODERS:
        raise InputError(f"no encoder {name!r}; there are {', '.join(ENCODERS)}")
    module, function = ENCODERS[name].split(":")
    make: Callable[[], Encoder] = getattr(import_module(module), function)
    return make()
