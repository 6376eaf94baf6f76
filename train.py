"""Fine-tune a face detector on a data folder, or a network that tells what faces tell: `python train.py --epochs 10`.

What it writes, in runs/NAME: config.json (what was asked for, on what), first_batches.png (what the model sees),
metrics.jsonl (a line every few steps and one an epoch), state.pt (what --resume needs), last.safetensors and
best.safetensors (by AP on the validation part; with the score threshold of the best F1 there), curves.png, pr.png,
predictions.png (validation photos with finds). docs/training.md has the rest.
"""

import math
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from dataset import subjects
from dataset.checks import fingerprint
from dataset.photos import Photos
from dataset.split import Shares
from visavis import kinds
from visavis.commands.commandline import DataFolder, Device, Seconds, main
from visavis.errors import InputError
from visavis.messages import say
from visavis.options import Count, Range, TrainingPrecision
from visavis.training import config, start
from visavis.training.recipe import Recipe
from visavis.training.run import Run

if TYPE_CHECKING:
    from visavis.training.distributed import World

ANEW = ("data", "teacher", "device", "workers", "save_every")
"""Options that may be given anew with --resume: nothing that is learnt depends on them. The data's tables and the
teacher's file must hold what they held."""

_ARCH = (
    f"{', '.join(kinds.archs())}. mobilenet_v2_fpnlite is light enough for a CPU, mobilenet_v2_slim_fpnlite lighter "
    "still; the shipped weights are of it. face_attributes tells mask, age and gender, from attributes.csv in --data; "
    "age_cnn, gender_cnn and mask_mobilenet_v2 tell one of them each, as other systems do. By default that of the "
    "weights to start from; without --init, resnet50_fpn on a GPU and mobilenet_v2_slim_fpnlite on a CPU."
)


@dataclass
class Options:
    """Fine-tune a face detector on the photos of a data folder, or a network that tells mask, age and gender."""

    data: DataFolder = Path("data")
    out: Path = Path("runs/faces")
    """Folder for the weights and the record of the run. Without --resume, it must not hold one."""
    arch: Annotated[str | None, tyro.conf.arg(help=_ARCH)] = None
    init: str | None = None
    """Weights to start from: shipped (those that come with visavis), coco, imagenet, none (random ones), or a file
    (a .safetensors file that train.py wrote, or a .pth file of torchvision's). By default coco, shipped for the
    architecture of the shipped weights, imagenet for face_attributes and mask_mobilenet_v2, and none for the small
    networks age_cnn and gender_cnn."""
    recipe: Recipe = Recipe()
    teacher: Path | None = None
    """A checkpoint of a better network with the same pyramid: learn to see what that sees, too."""
    trainable_layers: Annotated[int, Range(0, 6)] = 3
    """Backbone stages that learn, counted from the output; the others stay as they are."""
    freeze: Literal["heads-only", "backbone", "nothing"] | None = None
    """In place of --trainable-layers: only the heads learn; all but the backbone does; or everything does."""
    transforms: Literal["none", "light", "full", "affine"] | None = None
    """Augmentation: none, light (mirror, colours), full (also zoom out, crop, grey, blur, JPEG) or, where faces are
    looked at one by one, affine (mirror, turn, shift, scale, shear). By default affine for mask_mobilenet_v2, none for
    age_cnn and gender_cnn, and full for all others."""
    mosaic: Annotated[int | None, Range(64, 4096)] = None
    """Train on squares of this side, in pixels, put together from several photos, with faces of all sizes; else on
    each photo as it is. With it, `full` does not zoom out or crop: the mosaic does."""
    patience: Count | None = None
    """Stop after this many epochs without a better validation."""
    size: Count | None = None
    """Shorter side of the photos in training, pixels (the longer is at most 4/3 of it); else the architecture's own."""
    shares: Shares = Shares()
    limit: Count | None = None
    """Use at most this many training photos, and a tenth as many for validation, chosen by the seed."""
    device: Device = "auto"
    precision: TrainingPrecision = "auto"
    """auto takes bf16 on a CUDA GPU that has it, else fp32. The weights, and validation, are always fp32."""
    compile: bool = False
    """Have torch compile the backbone. Takes a minute at first."""
    channels_last: bool = True
    """Keep colours next to each other in memory, as convolutions on GPUs and CPUs like it."""
    workers: Annotated[int | Literal["auto"], Range(0)] = "auto"
    """Processes that decode and augment. auto: as many as there are cores, at most 16; 0: none."""
    save_every: Seconds = 300
    """Save this often within an epoch, too: what a killed run loses at most."""
    seed: Annotated[int, Range(0)] = 0
    """Of the weights that start at random, the order of the photos and the augmentation."""
    deterministic: bool = False
    """The same weights each time on a GPU, too, though more slowly; on a CPU they always are."""
    resume: bool = False
    """Go on with the run in --out; its options are read from there."""


def train(options: Options) -> int:
    """Train, evaluate after each epoch, and leave the best weights in `options.out`. Returns the exit status: 0 done,
    1 another process of the run is gone, 130 or 143 stopped and saved. Raises InputError for what cannot work.
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
                data = fingerprint(options.data, subject.photos, subject.held_out)
                if options.resume:
                    config.check_data(options.out, data, options.data)
                run = begin(options, world, subject)
                if options.resume:
                    config.check_teacher(options.out, run.described["teacher"], options.teacher)
                world.gather(None)  # all have looked at --out: now something may be written there
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
        say(f"process {rank} ends: {error}; go on with python train.py --resume --out {options.out}")
        return 1


def learnt(options: Options) -> subjects.Subject:
    """The photos to train on and to validate on. Refuses what cannot work, before anything is written."""
    if options.freeze is not None and options.trainable_layers != Options.trainable_layers:
        raise InputError("`freeze` and `trainable_layers` say the same thing twice; give one of them")
    if options.freeze == "heads-only" and options.teacher is not None:
        raise InputError("`freeze` heads-only: the pyramid, which learns from `teacher`, does not; give one of them")
    if not options.resume:
        config.check_new(options.out)
    photos, held_out = (Photos.load(options.data, split, options.shares) for split in ("train", "val"))
    made = subjects.of(str(options.arch))(options.data, photos, held_out)
    for name, value in made.only.items():
        if getattr(options, name) != value:
            raise InputError(f"`{name}` means nothing to {options.arch}, which is no detector; leave it out")
    if options.limit is not None:  # of the photos that there is something to learn from
        made.photos = made.photos.sample(options.limit, options.seed)
        made.held_out = made.held_out.sample(math.ceil(options.limit / 10), options.seed)
    made.check()
    return made


def _settled(options: Options, world: "World") -> tuple[Options, str]:
    """The options with an architecture and weights to start from, also where none were given: then which, and why."""
    from visavis import device

    on, _ = device.choose(world.device(options.device))
    arch, init = start.settle(options.arch, options.init, on.type != "cpu")
    where = "on a CPU" if on.type == "cpu" else f"on {on.type}"
    why = f"no --arch was given: {where}, that is {arch}, from {init}" if options.arch is None else ""
    return replace(options, arch=arch, init=init), why


def begin(options: Options, world: "World", subject: subjects.Subject) -> Run:
    """A run that has learnt nothing yet, and writes nothing before `go`: network, photos, and how it will learn."""
    import torch

    from dataset.loader import loader
    from dataset.samplers import Batches
    from visavis import device
    from visavis.training import cost, precision
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
    model = kind.network(arch, init, options.trainable_layers, options.freeze)
    model = kind.ready(model, on, options.size or options.mosaic)
    if options.channels_last:
        model.to(memory_format=torch.channels_last)
    steps = recipe.epochs * batches.steps
    teacher = None if options.teacher is None else Path(options.teacher)
    sizes = batches.sizes
    learner = Learner.of(model, kind.draws, recipe, steps, sizes, on, arithmetic, world, teacher, options.compile)
    if on.type == "cpu" and world.first and not options.resume and arch not in kind.LIGHT:
        cost.say_what_a_step_takes(model, arch, batches.sizes, options.mosaic is not None)
    dataset = subject.dataset(model, transforms, options.mosaic, options.seed)
    workers = world.cores() if options.workers == "auto" else options.workers
    scoring, threshold = start.scoring(init)
    # A checkpoint travels: names, not the folders of the machine that made it.
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
    """Say what is going to be learnt, from what, and how: all that was not asked for in so many words."""
    recipe, learner = options.recipe, run.learner
    if run.batches.batch_size < recipe.batch_size:
        count = len(run.loader.dataset)
        run.tell(f"--batch-size {recipe.batch_size} is more than there are to learn from: {count} a step")
    if options.init == "none" and options.freeze is None:
        run.tell("--init none: all layers learn, whatever --trainable-layers says")
    processes = (f"process 1 of {learner.world.size}",) if learner.world.size > 1 else ()
    run.tell("; ".join([how[0], *processes, *how[1:], "compiled" if options.compile else "not compiled"]))
    parts = f" in {recipe.accumulate} parts" if recipe.accumulate > 1 else ""
    run.tell(
        f"{options.arch} from {options.init}: {sum(p.numel() for p in learner.learning):,} of "
        f"{sum(p.numel() for p in learner.model.parameters()):,} parameters learn; {len(run.subject.photos)} photos, "
        f"{len(run.subject.held_out)} for validation; {run.steps} steps of {run.batches.batch_size}{parts}, "
        f"{recipe.optimiser}, learning rate {learner.rate:.2g}, {recipe.schedule}"
    )


if __name__ == "__main__":
    main(train, Options)
