"""What a training starts from: an architecture, its weights, and the threshold and calibration that come with these."""

from pathlib import Path

from visavis import checkpoint, kinds
from visavis.calibration import THRESHOLD, Calibration
from visavis.calibration import scoring as scoring_of
from visavis.errors import InputError

FULL = "resnet50_fpn"
"""The architecture for a GPU."""
LIGHT = "mobilenet_v2_fpnlite"
"""The architecture for a CPU, if the initial weights are not ours."""


def settle(arch: str | None, init: str | None, gpu: bool) -> tuple[str, str]:
    """The architecture and the initial weights (names or paths); None means the default.

    Without either, a GPU gets torchvision's ResNet-50 from COCO, and a CPU the light network that comes with visavis,
    with its weights: nothing has to be fetched, and a step takes a second or two. If `init` is a checkpoint of ours and
    `arch` is None, the architecture is the checkpoint's. Raises InputError if the checkpoint cannot be read.
    """
    shipped = str(checkpoint.metadata(checkpoint.SHIPPED)["arch"])
    if arch is not None:
        return arch, init or ("shipped" if arch == shipped else kinds.of_arch(arch)[1].defaults(arch)[0])
    if init is None:
        return (FULL, "coco") if gpu else (shipped, "shipped")
    if (path := _checkpoint(init)) is not None:
        return checkpoint.metadata(path)["arch"], init
    return FULL if gpu or init == "coco" else LIGHT, init


def check(arch: str, init: str, teacher: Path | None) -> None:
    """Raise InputError for initial weights that are neither a file nor known to the architecture by that name, and for
    a teacher that is no checkpoint of ours."""
    names = kinds.of_arch(arch)[1].inits(arch)
    if init not in names and not Path(init).is_file():
        raise InputError(
            f"`init` {init}: no such file, nor one of those that {arch} may begin with: {', '.join(names)}"
        )
    if teacher is not None:
        checkpoint.metadata(Path(teacher))  # a text, where the run is resumed


def scoring(init: str, kind: str) -> tuple[Calibration, float]:
    """The calibration and the threshold of the initial weights; no calibration and `THRESHOLD` if they have none, or
    are of another kind than `kind`: of such weights the backbone alone is taken, and what follows it gives the scores.
    """
    if (path := _checkpoint(init)) is None:
        return Calibration(), THRESHOLD
    metadata = checkpoint.metadata(path)
    if metadata.get("kind", "faster_rcnn") != kind:
        return Calibration(), THRESHOLD
    threshold, calibration, _ = scoring_of(metadata)
    return calibration, float(threshold)


def weights(init: str, out: Path, resume: bool) -> str:
    """The weights to load. Of a resumed run those that it left in `out`, which its state will replace: the ones that it
    began from may be gone."""
    from visavis.training import state

    last = out / "last.safetensors"
    left = resume and init != "none" and last.exists() and (out / state.NAME).exists()
    return str(last) if left else init


def _checkpoint(init: str) -> Path | None:
    """The checkpoint of ours that `init` names, if it names one."""
    if init == "shipped":
        return checkpoint.SHIPPED
    path = Path(init)
    return path if path.suffix == ".safetensors" and path.is_file() else None
