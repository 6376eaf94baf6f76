"""How a detector runs: the options that every command with a detector takes."""

from dataclasses import dataclass
from typing import Literal

from visavis.commands.commandline import Device
from visavis.options import Count


@dataclass(frozen=True)
class Network:
    """What runs the detector, and how large photos are shown to it. Those of other packages run in one way only."""

    device: Device = "auto"
    backend: Literal["auto", "torch", "onnxruntime", "openvino"] = "auto"
    """What runs the network: auto is the fastest that is installed, with the same boxes (docs/backends.md)."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Of the network's arithmetic. 16 bits are faster where the processor has them, and move boxes by a pixel."""
    size: Count | None = None
    """Pixels that a photo's shorter side has in the network, smaller photos too, which are enlarged; by default the
    detector's own (512 for shipped, and little enlargement). Larger finds smaller faces, smaller is faster. The coarse
    and the closer look, where the detector has them, are taken as well."""
    tiles: bool = False
    """Look at large photos in overlapping pieces as well, for small faces; takes several times as long."""
