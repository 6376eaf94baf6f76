"""Train a face detector, or an analyser of faces, on a data folder: `python train.py --epochs 10`.

It writes into runs/NAME: config.json (options, versions and hardware), first_batches.png (what the network sees),
metrics.jsonl (a line every few steps, and one for each epoch), state.pt (what --resume needs), last.safetensors and
best.safetensors (of the best validation AP, with the score threshold of the best F1), curves.png, pr.png and
predictions.png (validation photos with detections). More in docs/training.md.
"""

import math
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from dataset import subjects
from dataset.checks import fingerprint, summary
from dataset.photos import Photos
from dataset.split import Shares
from visavis import kinds
from visavis.commands.commandline import DataFolder, Device, Seconds, main
from visavis.errors import InputError
from visavis.messages import counted, say
from visavis.options import Count, Range, Seed, TrainingPrecision
from visavis.training import config, start
from visavis.training.recipe import Recipe
from visavis.training.run import Run

if TYPE_CHECKING:
    from visavis.training.distributed import World

ANEW = ("data", "teacher", "device", "workers", "save_every")
"""Options that may change with --resume, since nothing that is learnt depends on them. The tables of the data and the
file of the teacher must have the same content."""

DESIGN = ("blocks", "dropout", "alpha", "sizes", "stride")
"""Options that say how networks of some architectures are built (visavis.kinds)."""

_ARCH = (
    f"{', '.join(kinds.archs())}. mobilenet_v2_fpnlite is light enough for a CPU, mobilenet_v2_slim_fpnlite lighter "
    "still and that of the shipped weights. single_face (VGG16) and its variants find one face a photo at most, by "
    "regression. face_attributes learns mask, age and gender from attributes.csv in --data; "
    "age_cnn, gender_cnn and mask_mobilenet_v2 learn one of these, as other systems do. face_points learns 68 points "
    "of a face and keypoints_cnn 15, from points.csv. window_cnn, window_cnn_small "
    "and window_trees judge sliding windows. By default that of the initial weights; without --init, "
    "resnet50_fpn on a GPU and mobilenet_v2_slim_fpnlite on a CPU."
)


@dataclass
class Options:
    """Train a face detector, or a network for mask, age and gender or for points of faces, on the photos of a data
    folder."""

    data: DataFolder = Path("data")
    out: Path = Path("runs/faces")
    """Folder for the weights and the record of the run. It must not hold a run, except with --resume."""
    arch: Annotated[str | None, tyro.conf.arg(help=_ARCH)] = None
    init: str | None = None
    """Initial weights: shipped (those that come with visavis), coco, imagenet, none (random ones), or a file
    (a .safetensors file that train.py wrote, or a .pth file of torchvision's). By default coco, shipped for the
    architecture of the shipped weights and single_face_mobilenet_v2_slim, imagenet for the other single_face ones,
    face_attributes and mask_mobilenet_v2, and none for the small networks age_cnn and gender_cnn."""
    recipe: Recipe = Recipe()
    teacher: Path | None = None
    """A checkpoint of a better network with the same pyramid, whose features to imitate as well (distillation)."""
    trainable_layers: Annotated[int, Range(0, 6)] = 3
    """How many stages of the backbone learn, counted from the output; the others are frozen."""
    freeze: Literal["heads-only", "backbone", "nothing"] | None = None
    """In place of --trainable-layers: only the heads learn; the backbone is frozen; or nothing is."""
    blocks: Annotated[int | None, Range(1, 3)] = None
    """Blocks of keypoints_cnn; by default 3."""
    dropout: Annotated[float | None, Range(0, 1, without=(1,))] = None
    """Dropout rate of keypoints_cnn; by default 0.3."""
    alpha: Annotated[float | None, Range(0, 1, without=(0, 1))] = None
    """Weight of the windows with a face in the loss of window_cnn and its like; those without have the rest. By default
    0.35."""
    sizes: str | None = None
    """Sizes of windows, HEIGHTxWIDTH in pixels, such as 100x85,200x170, for photos of at most 450 pixels a side (larger
    ones are reduced to that); by default six from 40x28 to 330x231. `python -m dataset windows search` finds others."""
    stride: Annotated[float | None, Range(1, 100)] = None
    """Percent of a window's height and width from one window to the next; by default 30 for window_cnn and 12.5 for
    window_cnn_small."""
    transforms: Literal["none", "light", "full", "affine"] | None = None
    """Augmentation: none, light (mirror, colours), full (also zoom out, crop, grey, blur, JPEG) or, for networks that
    take single faces, affine (mirror, turn, shift, scale, shear). By default affine for mask_mobilenet_v2, none for
    age_cnn and gender_cnn, light for keypoints_cnn, and full for all others."""
    mosaic: Annotated[int | None, Range(64, 4096)] = None
    """Train on squares of this side, in pixels, that are assembled from several photos, with faces of all sizes; by
    default on single photos. The mosaic then replaces the zooming out and cropping of `full`."""
    patience: Count | None = None
    """Stop after this many epochs without a better validation result."""
    size: Count | None = None
    """Shorter side of the photos in training, in pixels (the longer is at most 4/3 of it); by default the
    architecture's."""
    shares: Shares = Shares()
    limit: Count | None = None
    """Use at most this many training photos, and a tenth as many for validation, chosen by the seed."""
    device: Device = "auto"
    precision: TrainingPrecision = "auto"
    """auto: bf16 on a CUDA GPU that supports it, else fp32. The weights, and validation, are always fp32."""
    compile: bool = False
    """Compile the backbone with torch, which takes a minute at the start."""
    channels_last: bool = True
    """Use the memory layout channels last, with which convolutions are faster."""
    workers: Annotated[int | Literal["auto"], Range(0)] = "auto"
    """Processes that decode and augment. auto: one for each core, at most 16; 0: none."""
    save_every: Seconds = 300
    """How often to save within an epoch: a killed run loses no more than this."""
    seed: Seed = 0
    """Seed of random weights, of the order of the photos and of the augmentation."""
    deterministic: bool = False
    """Make runs on a GPU reproducible, too, though slower; on a CPU they always are."""
    resume: bool = False
    """Continue the run in --out, with the options that it was started with."""


def train(options: Options) -> int:
    """Train, validate after each epoch, and write the best weights into `options.out`. Returns the exit status: 0 done,
    1 if another process of the run has gone, 130 or 143 stopped and saved. Raises InputError for what cannot work.
    """
    from visavis.training import distributed, precision, state
    from visavis.training.stopping import Stop

    try:
        with distributed.joined() as world:
            if options.resume:
                options = config.resumed(options, ANEW, tell=world.first)
            with precision.deterministic(options.deterministic):
                options, why = _settled(options, world)
                subject = learnt(options)
                if world.first and why:
                    say(why)
                if isinstance(subject, subjects.Grown):
                    return _grow(options, subject)
                data = fingerprint(options.data, subject.photos, subject.held_out)
                if options.resume:
                    config.check_data(options.out, data, options.data)
                run = begin(options, world, subject)
                if options.resume:
                    config.check_teacher(options.out, run.described["teacher"], options.teacher)
                world.gather(None)  # only now that all processes have checked --out may something be written there
                if options.resume and (options.out / state.NAME).exists():
                    run.restore()
                elif world.first:
                    asked = config.plain(options) | {"resume": False}
                    config.write(options.out, {"options": asked, "data": data} | config.surroundings() | run.described)
                    run.draw_first()
                with Stop(run.save) as stop:
                    return run.go(stop)
    except distributed.PeerLost as error:
        rank = os.environ.get("RANK", "0")
        say(f"process {rank} ends: {error}; continue with python train.py --resume --out {options.out}")
        return 1


def learnt(options: Options) -> subjects.Subject:
    """The photos to train on and those to validate on. Raises InputError, before anything is written."""
    if options.freeze is not None and options.trainable_layers != Options.trainable_layers:
        raise InputError("`freeze` and `trainable_layers` exclude each other; give one of them")
    if options.freeze == "heads-only" and options.teacher is not None:
        raise InputError("`freeze` heads-only freezes the pyramid, which learns from `teacher`; give one of them")
    of_arch = getattr(kinds.of_arch(str(options.arch))[1], "DESIGN", {}).get(options.arch, ())
    for name in DESIGN:
        if getattr(options, name) is not None and name not in of_arch:
            raise InputError(f"`{name}` means nothing to {options.arch}; leave it out")
    if not options.resume:
        config.check_new(options.out)
    photos, held_out = (Photos.load(options.data, split, options.shares) for split in ("train", "val"))
    made = subjects.of(str(options.arch))(options.data, photos, held_out)
    given = config.plain(options)
    for name, value in made.only.items():
        if given[name] != value:
            raise InputError(f"`{name}` means nothing to {options.arch}; leave it out")
    if options.limit is not None:  # only now: photos without usable labels do not count
        made.photos = made.photos.sample(options.limit, options.seed)
        made.held_out = made.held_out.sample(math.ceil(options.limit / 10), options.seed)
    made.check()
    return made


def _grow(options: Options, subject: subjects.Grown) -> int:
    """Train what learns in one go, and write its record. Returns the exit status. Raises InputError."""
    data, asked = fingerprint(options.data, subject.photos, subject.held_out), config.plain(options)
    config.write(options.out, {"options": asked, "data": data} | config.surroundings())
    names = {name: getattr(options, name).name for name in ("data", "out")}  # checkpoints are passed on
    metadata = {"kind": kinds.of_arch(str(options.arch))[0], "arch": options.arch, "options": asked | names}
    design = {name: value for name in DESIGN if (value := getattr(options, name)) is not None}
    outcome, weights = subject.grow(options.out, metadata, options.seed, **design), options.out / "best.safetensors"
    say(
        f"{outcome.sentence()}: {weights}; find the faces in your photos: python predict.py PHOTOS --detector {weights}"
    )
    return 0


def _settled(options: Options, world: "World") -> tuple[Options, str]:
    """The options with an architecture and initial weights, and, if no architecture was given, a message about the
    choice. Raises InputError where there are no such weights."""
    from visavis import device

    on, _ = device.choose(world.device(options.device))
    arch, init = start.settle(options.arch, options.init, on.type != "cpu")
    start.check(arch, start.weights(init, options.out, options.resume), options.teacher)
    where = "on a CPU" if on.type == "cpu" else f"on {on.type}"
    why = f"no --arch was given: {where}, that is {arch}, from {init}" if options.arch is None else ""
    return replace(options, arch=arch, init=init), why


def begin(options: Options, world: "World", subject: subjects.Subject) -> Run:
    """Set up the network, the photos and the training. Nothing is learnt or written before `go`."""
    import torch

    from dataset.loader import loader
    from dataset.samplers import Batches
    from visavis import device
    from visavis.training import cost, precision
    from visavis.training.draws import Draws
    from visavis.training.learner import Learner
    from visavis.training.stopping import in_worker

    recipe, arch = options.recipe, str(options.arch)
    init = start.weights(str(options.init), options.out, options.resume)
    named, kind = kinds.of_arch(arch)
    transforms = options.transforms or kind.defaults(arch)[1]
    on, chosen = device.choose(world.device(options.device))
    if on.type == "cuda" and world.size > 1:
        torch.cuda.set_device(on)
    arithmetic, why = precision.choose(options.precision, on)
    count, ratios = subject.count(), subject.ratios(options.mosaic)
    size = min(recipe.batch_size, count)
    batches = Batches(count, size, options.seed, ratios, recipe.accumulate, world.rank, world.size)
    torch.manual_seed(options.seed)
    design = {name: value for name in DESIGN if (value := getattr(options, name)) is not None}
    model = kind.network(arch, init, options.trainable_layers, options.freeze, **design)
    model = kind.ready(model, on, options.size or options.mosaic)
    if options.channels_last:
        model.to(memory_format=torch.channels_last)
    draws = getattr(kind, "draws", lambda _: Draws())
    steps = recipe.epochs * batches.steps
    teacher = None if options.teacher is None else Path(options.teacher)
    sizes = batches.sizes
    learner = Learner.of(model, draws, recipe, steps, sizes, on, arithmetic, world, teacher, options.compile)
    if on.type == "cpu" and world.first and not options.resume and arch not in kind.LIGHT:
        item = getattr(kind, "example", cost.photo)(model, options.mosaic is not None)
        cost.say_what_a_step_takes(model, draws, arch, batches.sizes, item, kind.LIGHTER)
    dataset = subject.dataset(model, transforms, options.mosaic, options.seed)
    workers = world.cores() if options.workers == "auto" else options.workers
    scoring, threshold = start.scoring(init, named)
    # Checkpoints are passed on: they hold names, not the folders of the machine that made them.
    paths = {name: getattr(options, name) for name in ("data", "out", "init", "teacher")}
    names = {name: path and Path(path).name for name, path in paths.items()}
    names |= {"resume": False, "transforms": transforms}
    run = Run(
        options.out,
        learner,
        batches,
        loader(dataset, batches, workers, in_worker),
        subject,
        validate=lambda model, stop: subject.judged(model, on, world, stop, named, scoring),
        epochs=recipe.epochs,
        patience=options.patience,
        save_every=options.save_every,
        threshold=threshold,
        metadata={"kind": named, "arch": arch, "options": config.plain(options) | names}
        | (asdict(scoring) if scoring else {}),
        described={
            "device": chosen,
            "precision": arithmetic,
            "lr": learner.rate,
            "processes": world.size,
            "teacher": learner.teacher and learner.teacher.fingerprint,
        },
        epoch_over=dataset.tell_unreadable,
    )
    _introduce(options, run, f"device: {chosen}", f"precision: {why}")
    return run


def _introduce(options: Options, run: Run, *how: str) -> None:
    """Print what is going to be learnt, from what and how, defaults included."""
    recipe, learner = options.recipe, run.learner
    if run.batches.batch_size < recipe.batch_size:
        count = len(run.loader.dataset)
        run.tell(f"--batch-size {recipe.batch_size} is larger than the training set: the batch size is {count}")
    if options.init == "none" and options.freeze is None:
        run.tell("--init none: all layers learn, whatever --trainable-layers says")
    processes = (f"process 1 of {learner.world.size}",) if learner.world.size > 1 else ()
    run.tell("; ".join([how[0], *processes, *how[1:], "compiled" if options.compile else "not compiled"]))
    parts = f" in {recipe.accumulate} parts" if recipe.accumulate > 1 else ""
    run.tell(
        f"{options.arch} from {options.init}: {sum(p.numel() for p in learner.learning):,} of "
        f"{sum(p.numel() for p in learner.model.parameters()):,} parameters learn; "
        f"{summary(run.subject.photos)}, {len(run.subject.held_out)} for validation; "
        f"{counted(run.steps, 'step')} of {run.batches.batch_size}{parts}, {recipe.optimiser}, learning rate "
        f"{learner.rate:.2g}, {recipe.schedule}"
    )


if __name__ == "__main__":
    main(train, Options)
