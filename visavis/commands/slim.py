"""Make a smaller network from a trained one: `python -m visavis.slim best.safetensors PHOTOS --out slim.safetensors`.

It has a third of the weights and takes two thirds of the time. Further training makes up for the loss of accuracy:
`train.py --arch mobilenet_v2_slim_fpnlite --init slim.safetensors`, a few epochs at a low rate.
"""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import tyro

from visavis.errors import InputError
from visavis.messages import say
from visavis.options import Count

MEASURED = ("validation", "calibration")
"""The metadata of a checkpoint that describe measurements, which do not hold for the smaller network."""


@dataclass
class Options:
    """Make a smaller network from a trained one, to be trained further. The photos decide what is kept; they need no
    labels."""

    source: tyro.conf.Positional[Path]
    """A checkpoint that train.py wrote, of an architecture that has a smaller variant (mobilenet_v2_fpnlite)."""
    photos: tyro.conf.Positional[Path]
    """A folder of photos with faces, of the kind on which the network will be used."""
    out: Path
    """The checkpoint to write."""
    count: Count = 200
    """How many of the photos to use, the first by name."""


def slim(options: Options) -> int:
    """Write the checkpoint. Raises InputError if it exists or cannot be written, if there is no smaller variant, and if
    there is no photo, or hardly a face in the photos."""
    import torch
    from tqdm import tqdm

    from visavis import checkpoint
    from visavis.detectors.faster_rcnn import architectures as faster_rcnn
    from visavis.errors import ImageError
    from visavis.images import find
    from visavis.reduced_photos import UsefulSize, read_reduced_photo
    from visavis.training import slimming

    if options.out.exists():
        raise InputError(f"{options.out} exists already; give another --out")
    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)  # now, and not after minutes of work
    except OSError as error:
        raise InputError(f"cannot write to {options.out.parent}: {error.strerror}; give another --out") from None
    weights, known = checkpoint.load(options.source)
    model = faster_rcnn.of_checkpoint(weights, known, str(options.source))
    arch = faster_rcnn.ARCHS[known["arch"]].slimmer
    if not arch:
        able = ", ".join(name for name, one in faster_rcnn.ARCHS.items() if one.slimmer)
        raise InputError(f"{options.source} is a {known['arch']}, which has no smaller variant; only {able} has one")
    useful_size = UsefulSize(model.transform.sizing.shorter, model.transform.sizing.longest)
    pictures = []
    for path in islice(find(options.photos), options.count):
        try:
            pictures.append(torch.tensor(read_reduced_photo(path, useful_size).picture).permute(2, 0, 1))
        except ImageError as error:
            say(f"{path} is left out: {error}")
    if not pictures:
        raise InputError(f"no photo in {options.photos}")

    def see(network: torch.nn.Module) -> None:
        for picture in pictures:
            network([picture])
        progress.update()

    with torch.device("meta"):
        goal = faster_rcnn.build(arch)
    with tqdm(total=slimming.passes(model, goal), unit="layer", disable=None) as progress:
        slimming.slim(model, goal, see)
    metadata = {name: value for name, value in known.items() if name not in MEASURED} | {"arch": arch}
    checkpoint.save(options.out, model.state_dict(), metadata)
    say(f"{options.out}: a {arch}, to be trained further: train.py --arch {arch} --init {options.out}")
    return 0
