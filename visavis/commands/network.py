"""The options that say which detector finds the faces and how it runs, for every command that has a detector."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from visavis.commands.commandline import Device
from visavis.detectors import DETECTORS
from visavis.options import Backend, Precision, Range

DetectorName = Annotated[
    str,
    tyro.conf.arg(help=f"One of {', '.join(DETECTORS)}, or the path of a checkpoint that train.py wrote."),
]
"""A detector to find faces with."""


@dataclass(frozen=True)
class Network:
    """How the detector runs, and at which size it takes photos. Detectors of other packages run in one way only."""

    device: Device = "auto"
    backend: Backend = "auto"
    """The library that runs the network; auto: the fastest that is installed. All give the same boxes
    (docs/backends.md)."""
    precision: Precision = "fp32"
    """The network's arithmetic. 16 bits are faster if the processor supports them, and move boxes by a pixel."""
    size: Annotated[int | None, Range(1, 3072)] = None
    """Pixels of a photo's shorter side in the network; smaller photos are enlarged to it. The default is the detector's
    own (512 for shipped, which enlarges little). Larger sizes find smaller faces, smaller sizes are faster. The
    detector's further looks at lower and higher resolution are not affected."""
    tiles: bool = False
    """Search large photos in overlapping pieces, too, to find small faces; takes several times as long."""
