"""What a small head and few regions cost and save: `python -m benchmarks.levers --data DATA`.

The same MobileNetV2 is trained twice, for the same number of steps, on the same photos in the same order: as
`mobilenet_v2_fpn`, and as torchvision's FasterRCNN comes by default: 2,000 proposals, of which 512 are learnt from,
256 channels in the pyramid, three shapes of anchors, 1,024 values in the box head. Photos a second, loading included,
the share of the time that is spent waiting for photos, memory, and the AP of both; figures:
benchmarks/results/levers.json.
"""

import json
import multiprocessing
import os
import resource
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import train
from dataset import subjects
from dataset.photos import Photos
from dataset.split import Shares
from visavis.commands.commandline import main
from visavis.errors import InputError
from visavis.training import config
from visavis.training.recipe import Recipe

OURS, PLAIN = "mobilenet_v2_fpn", "mobilenet_v2_by_default"


@dataclass
class Options:
    """Train our light network and torchvision's defaults for the same number of steps, and compare."""

    data: Path = Path("data")
    """Data folder, as for train.py."""
    init: str = "imagenet"
    """Weights to start from: imagenet, or a file with those of MobileNetV2."""
    steps: int = 100
    """Steps of each training."""
    batch_size: int = 4
    """Photos in a step."""
    lr: float = 5e-4
    """Peak learning rate: high, since there are few steps."""
    size: int = 320
    """Shorter side of the photos in training, pixels."""
    held_out: int = 100
    """Photos for validation."""
    workers: int = 1
    """Processes that load photos."""
    seed: int = 0
    """As train.py's."""
    results: Path = Path("benchmarks/results")
    """Folder for the JSON."""


def run(options: Options) -> int:
    """Train both, print a table, write the figures."""
    rows = {}
    context = multiprocessing.get_context("spawn")
    for arch in (OURS, PLAIN):
        ours, theirs = context.Pipe()
        process = context.Process(target=_measure, args=(options, arch, theirs))
        process.start()
        theirs.close()
        try:
            rows[arch] = ours.recv()
        except EOFError:
            process.join()
            raise InputError(f"{arch}: training ended with status {process.exitcode}; see above") from None
        process.join()
    print(f"{'':<26}{'photos/s':>9}{'waiting':>9}{'peak MiB':>10}{'AP':>8}{'AP50':>8}")
    for arch, row in rows.items():
        speed = f"{row['photos_per_second']:9.2f}{row['waiting_for_photos']:9.1%}{row['peak_mib']:10.0f}"
        print(f"{arch:<26}{speed}{row['ap']:8.3f}{row['ap50']:8.3f}")
    settings = config.plain(options) | {"data": options.data.name, "init": Path(options.init).name, "results": ""}
    record = {"rows": rows, "settings": settings, "load": os.getloadavg()} | config.surroundings()
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "levers.json").write_text(json.dumps(record, indent=2) + "\n")
    return 0


def _measure(options: Options, arch: str, answer: Any) -> None:
    """Train and validate one of the two, in this process; send its figures."""
    from visavis.detectors.faster_rcnn import architectures as faster_rcnn
    from visavis.training.distributed import World
    from visavis.training.stopping import Stop

    ours = faster_rcnn.ARCHS[OURS]
    faster_rcnn.ARCHS[PLAIN] = faster_rcnn.Arch(_by_default, ours.stages, ours.imagenet, in_use=ours.in_use)
    photos = Photos.load(options.data, "train", Shares(0.2, 0)).sample(options.steps * options.batch_size, options.seed)
    held_out = Photos.load(options.data, "val", Shares(0.2, 0)).sample(options.held_out, options.seed)
    epochs = max(1, options.steps * options.batch_size // len(photos))
    with tempfile.TemporaryDirectory() as folder:
        asked = train.Options(
            Path(), Path(folder) / "run", arch, options.init,
            recipe=Recipe(epochs=epochs, batch_size=options.batch_size, ema=0.9, lr=options.lr),
            size=options.size, workers=options.workers, seed=options.seed, device="cpu",
        )  # fmt: skip
        session = train.begin(asked, World(), subjects.of(arch)(options.data, photos, held_out))
        with Stop(session.save) as stop:
            status = session.go(stop)
        lines = session.history.lines if session.history and not status else []
    steps = [line for line in lines if "loss" in line]
    figures = {name: steps[-1][name] for name in ("step", "photos_per_second", "waiting_for_photos")}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    answer.send(lines[-1] | figures | {"peak_mib": peak})


def _by_default() -> Any:
    """torchvision's Faster R-CNN on MobileNetV2, as it comes, but for the number of classes."""
    from torchvision.models import detection, mobilenet_v2
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.backbone_utils import BackboneWithFPN
    from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

    pyramid = BackboneWithFPN(
        mobilenet_v2().features, {"6": "0", "13": "1", "17": "2"}, [32, 96, 320], 256, LastLevelMaxPool()
    )
    sizes = ((32,), (64,), (128,), (256,))  # one a level, as torchvision's own builders have them
    return detection.FasterRCNN(
        pyramid, num_classes=2, rpn_anchor_generator=AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 4)
    )


if __name__ == "__main__":
    main(run, Options)
