"""Fine-tune a face detector on a data folder: `python train.py --epochs 10`.

What it writes, in runs/NAME: config.json (what was asked for, on what), first_batches.png (what the model sees),
metrics.jsonl (a line every few steps and one an epoch), state.pt (what --resume needs), last.safetensors and
best.safetensors (by AP on the validation part; with the score threshold of the best F1 there), curves.png, pr.png,
predictions.png (validation photos with finds). docs/training.md has the rest.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dataset.checks import check, fingerprint
from dataset.faces import FaceDataset
from dataset.photos import Photo, Photos
from dataset.split import Shares
from dataset.transforms import PRESETS, SPARE, preset
from dataset.validation import evaluate
from visavis import kinds
from visavis.commands.commandline import Seconds, main
from visavis.errors import InputError
from visavis.messages import say
from visavis.training import config, start
from visavis.training.pictures import SHOWN, Items, draw_batches, set_aside
from visavis.training.run import Run

if TYPE_CHECKING:
    import torch

    from dataset.samplers import Batches
    from visavis.training.distributed import World
    from visavis.training.learner import Learner

ANEW = ("data", "teacher", "device", "workers", "save_every")
"""Options that may be given anew with --resume: nothing that is learnt depends on them. The data's tables and the
teacher's file must hold what they held."""


@dataclass
class Options:
    """Fine-tune a face detector on the photos of a data folder."""

    data: Path = Path("data")
    """Data folder, as download and clean (or `python -m dataset import`) make it."""
    out: Path = Path("runs/faces")
    """Folder for the weights and the record of the run. Without --resume, it must not hold one."""
    arch: str | None = None
    """resnet50_fpn, resnet50_fpn_v2, mobilenet_v3_large_320_fpn, mobilenet_v2_fpn, mobilenet_v2_fpnlite (light enough
    for a CPU), or mobilenet_v2_slim_fpnlite (lighter still; the shipped weights are of it). By default that of the
    weights to start from; without --init, resnet50_fpn on a GPU and mobilenet_v2_slim_fpnlite on a CPU."""
    init: str | None = None
    """Weights to start from: shipped (those that come with visavis), coco, imagenet, none (random ones), or a file
    (a .safetensors file that train.py wrote, or a .pth file of torchvision's). By default coco, and shipped for the
    architecture of the shipped weights."""
    teacher: Path | None = None
    """A checkpoint of a better network with the same pyramid: learn to see what that sees, too."""
    trainable_layers: int = 3
    """Backbone stages that learn, counted from the output; the others stay as they are. 0 to 6."""
    freeze: Literal["heads-only", "backbone", "nothing"] | None = None
    """In place of --trainable-layers: only the heads learn; all but the backbone does; or everything does."""
    epochs: int = 12
    """Times that every training photo is seen."""
    batch_size: int = 16
    """Photos a step, in all processes together."""
    accumulate: int = 1
    """Put them through the network in this many parts, one after the other: takes less memory."""
    optimiser: Literal["adamw", "sgd"] = "adamw"
    """adamw, or sgd with a momentum of 0.9, as torchvision's reference."""
    lr: float | Literal["auto"] = "auto"
    """Peak learning rate. auto: 2e-4 at 16 photos a step for adamw, scaled by the square root of the batch; 0.02 for
    sgd, in proportion to it."""
    weight_decay: float | Literal["auto"] = "auto"
    """On all weights that learn. auto: 0.01 for adamw, 0.0001 for sgd."""
    schedule: Literal["cosine", "steps"] = "cosine"
    """How the rate falls after a short warm-up: along half a cosine, or to a tenth after 62 and 85 percent."""
    transforms: str = "full"
    """Augmentation: none, light (mirror, colours) or full (also zoom out, crop, grey, blur, JPEG)."""
    mosaic: int | None = None
    """Train on squares of this side, in pixels, put together from several photos, with faces of all sizes; else on
    each photo as it is. With it, `full` does not zoom out or crop: the mosaic does."""
    ema: float = 0.999
    """Validate and keep a running mean of the weights that forgets this slowly: 0.999 remembers some 1,000 steps.
    0: the weights themselves."""
    patience: int | None = None
    """Stop after this many epochs without a better AP."""
    size: int | None = None
    """Shorter side of the photos in training, pixels (the longer is at most 4/3 of it); else the architecture's own."""
    val: float = 0.1
    """Share of the identities that is kept for validation."""
    test: float = 0.1
    """Share of the identities that is kept out of all of this, for evaluate.py --split test."""
    limit: int | None = None
    """Use at most this many training photos, and a tenth as many for validation, chosen by the seed."""
    device: str = "auto"
    """auto (a CUDA GPU where there is one), cpu, cuda, cuda:1, mps."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto takes bf16 on a CUDA GPU that has it, else fp32. The weights, and validation, are always fp32."""
    compile: bool = False
    """Have torch compile the backbone. Takes a minute at first."""
    channels_last: bool = True
    """Keep colours next to each other in memory, as convolutions on GPUs and CPUs like it."""
    workers: int | Literal["auto"] = "auto"
    """Processes that decode and augment. auto: as many as there are cores, at most 16; 0: none."""
    save_every: Seconds = 300
    """Save this often within an epoch, too: what a killed run loses at most."""
    seed: int = 0
    """Of the weights that start at random, the order of the photos and the augmentation."""
    deterministic: bool = False
    """The same weights each time on a GPU, too, though more slowly; on a CPU they always are."""
    resume: bool = False
    """Go on with the run in --out; its options are read from there."""


LIMITS: dict[str, tuple[float, float]] = {  # least and most that may be asked for
    **dict.fromkeys(("epochs", "batch_size", "accumulate", "patience", "limit", "size"), (1, math.inf)),
    **dict.fromkeys(("lr", "weight_decay", "seed"), (0, math.inf)),
    "workers": (0, math.inf),
    "trainable_layers": (0, 6),
    "ema": (0, 1 - 1e-9),
    "mosaic": (64, 4096),
}


def train(options: Options) -> int:
    """Train, evaluate after each epoch, and leave the best weights in `options.out`. Returns the exit status: 0 done,
    1 another process of the run is gone, 130 or 143 stopped and saved. Raises InputError for what cannot work.
    """
    from visavis.training import distributed, precision

    try:
        with distributed.joined() as world:
            if options.resume:
                options = config.resumed(options, ANEW, tell=world.first)
            with precision.deterministic(options.deterministic):
                return _train(*_settled(options, world), world)
    except distributed.PeerLost as error:
        rank = os.environ.get("RANK", "0")
        say(f"process {rank} ends: {error}; go on with python train.py --resume --out {options.out}")
        return 1


def _train(options: Options, why: str, world: "World") -> int:
    from visavis.training import state
    from visavis.training.learner import NotFinite
    from visavis.training.stopping import Stop

    photos, held_out = _check(options)
    if world.first and why:
        say(why)
    data = fingerprint(options.data, photos, held_out)
    if options.resume and config.read(options.out)["data"] != data:
        raise InputError(
            f"--resume: the tables in {options.data} are not those that the run began with; start another one from its "
            f"weights with --init {options.out / 'last.safetensors'} --out NEW"
        )
    run = begin(options, world, photos, held_out)
    teacher = run.described["teacher"]
    if options.resume and config.read(options.out).get("teacher", teacher) != teacher:
        raise InputError(
            f"--resume: {options.teacher} is not the teacher that the run began with; give that as --teacher"
        )
    world.gather(None)  # all have looked at --out: now something may be written there
    if options.resume and (options.out / state.NAME).exists():
        run.restore()
    elif world.first:
        asked = config.plain(options) | {"resume": False}
        config.write(options.out, {"options": asked, "data": data} | config.surroundings() | run.described)
        draw_batches(options.out / "first_batches.png", run.learner, *_seen(options, run, 1, 0, SHOWN))
    try:
        with Stop(run.save) as stop:
            return run.go(stop)
    except NotFinite as error:
        raise _not_finite(options, run, error.values) from None


def begin(options: Options, world: "World", photos: Sequence[Photo], held_out: Sequence[Photo]) -> Run:
    """A run that has learnt nothing yet, and writes nothing before `go`: network, photos, and how it will learn."""
    import torch

    from dataset.loader import loader
    from visavis import device
    from visavis.training import cost, precision
    from visavis.training.stopping import in_worker

    photos = photos if isinstance(photos, Photos) else Photos(photos)
    named, kind = kinds.of_arch(str(options.arch))
    on, chosen = device.choose(world.device(options.device))
    if on.type == "cuda" and world.size > 1:
        torch.cuda.set_device(on)
    arithmetic, why = precision.choose(options.precision, on)
    batches = _batches(options, photos, world)
    learner = _learner(options, world, on, arithmetic, batches)
    if on.type == "cpu" and world.first and not options.resume and options.arch not in kind.LIGHT:
        cost.say_what_a_step_takes(learner.model, str(options.arch), batches.sizes, options.mosaic is not None)
    spare = SPARE[options.transforms] if options.mosaic is None else 2.0
    needed = math.ceil(spare * learner.model.transform.largest)
    scoring, threshold = start.scoring(str(_weights(options)))
    augmented = preset(options.transforms, reframe=options.mosaic is None)
    dataset = FaceDataset(photos, augmented, options.mosaic, needed, options.seed, as_bytes=True)
    workers = world.cores() if options.workers == "auto" else options.workers
    # A checkpoint travels: names, not the folders of the machine that made it.
    paths = {name: getattr(options, name) for name in ("data", "out", "init", "teacher")}
    names = {name: path and Path(path).name for name, path in paths.items()} | {"resume": False}
    run = Run(
        options.out,
        learner,
        batches,
        loader(dataset, batches, workers, in_worker),
        validate=lambda model, stop: evaluate(model, held_out, on, world, stop, named, scoring),
        held_out=held_out,
        epochs=options.epochs,
        patience=options.patience,
        save_every=options.save_every,
        threshold=threshold,
        metadata={"kind": named, "arch": options.arch, "options": config.plain(options) | names}
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
    if batches.batch_size < options.batch_size:
        run.tell(f"--batch-size {options.batch_size} is more than there are photos: {len(photos)} a step")
    if options.init == "none" and options.freeze is None:
        run.tell("--init none: all layers learn, whatever --trainable-layers says")
    parts = f" in {options.accumulate} parts" if options.accumulate > 1 else ""
    processes = f"; process 1 of {world.size}" if world.size > 1 else ""
    run.tell(f"device: {chosen}{processes}; precision: {why}; {'' if options.compile else 'not '}compiled")
    run.tell(
        f"{options.arch} from {options.init}: {sum(p.numel() for p in learner.learning):,} of "
        f"{sum(p.numel() for p in learner.model.parameters()):,} parameters learn; {len(photos)} photos, "
        f"{len(held_out)} for validation; {run.steps} steps of {batches.batch_size}{parts}, {options.optimiser}, "
        f"learning rate {learner.rate:.2g}, {options.schedule}"
    )
    return run


def _learner(options: Options, world: "World", on: "torch.device", precision: str, batches: "Batches") -> "Learner":
    import torch

    from visavis.detectors.faster_rcnn.strides import settle
    from visavis.training import distributed, draws, schedule
    from visavis.training.learner import Learner
    from visavis.training.precision import compile_backbone
    from visavis.training.teacher import Teacher

    torch.manual_seed(options.seed)
    arch, init = str(options.arch), _weights(options)
    model = kinds.of_arch(arch)[1].network(arch, init, options.trainable_layers, options.freeze)
    model.transform.in_training = options.size or options.mosaic
    settle(model.to(on))
    if options.channels_last:
        model.to(memory_format=torch.channels_last)
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    rate = schedule.learning_rate(options.optimiser, options.batch_size) if options.lr == "auto" else options.lr
    decay = schedule.WEIGHT_DECAY[options.optimiser] if options.weight_decay == "auto" else options.weight_decay
    optimiser = schedule.optimise(options.optimiser, learning, rate, decay)
    course = schedule.course(optimiser, options.schedule, options.epochs * batches.steps)
    averaged = schedule.running_mean(model, options.ema) if options.ema else None
    drawn = draws.from_seeds(model)
    if options.compile:
        compile_backbone(model.backbone, on)
    called: Any = distributed.spread(model, on) if world.size > 1 else model
    teacher = Teacher(Path(options.teacher), model, on) if options.teacher is not None else None
    return Learner(
        model, called, optimiser, course, averaged, drawn, batches.sizes, on, precision, world, teacher=teacher
    )


def _settled(options: Options, world: "World") -> tuple[Options, str]:
    """The options with an architecture and weights to start from, also where none were given: then which, and why."""
    from visavis import device

    on, _ = device.choose(world.device(options.device))
    arch, init = start.settle(options.arch, options.init, on.type != "cpu")
    where = "on a CPU" if on.type == "cpu" else f"on {on.type}"
    why = f"no --arch was given: {where}, that is {arch}, from {init}" if options.arch is None else ""
    return replace(options, arch=arch, init=init), why


def _weights(options: Options) -> str:
    """The weights to load. Of a resumed run those that it left, which its state will replace: the ones that it began
    from may be gone."""
    from visavis.training import state

    init, last = str(options.init), options.out / "last.safetensors"
    left = options.resume and init != "none" and last.exists() and (options.out / state.NAME).exists()
    return str(last) if left else init


def _batches(options: Options, photos: Photos, world: "World") -> "Batches":
    from dataset.samplers import Batches

    ratios = photos.ratios() if options.mosaic is None else None  # mosaics have one shape
    size = min(options.batch_size, len(photos))
    try:
        return Batches(len(photos), size, options.seed, ratios, options.accumulate, world.rank, world.size)
    except ValueError as error:
        raise InputError(f"{error}; raise --batch-size or lower --accumulate") from None


def _check(options: Options) -> tuple[Photos, Photos]:
    """Refuse what cannot work before anything is written; return the photos to train on and to validate on."""
    config.hold(options, LIMITS)
    if options.transforms not in PRESETS:
        raise InputError(f"unknown --transforms {options.transforms!r}; there are {', '.join(PRESETS)}")
    if options.freeze is not None and options.trainable_layers != Options.trainable_layers:
        raise InputError("--freeze and --trainable-layers say the same thing twice; give one of them")
    if options.freeze == "heads-only" and options.teacher is not None:
        raise InputError("--freeze heads-only: the pyramid, which learns from --teacher, does not; give one of them")
    if not options.resume and any((options.out / name).exists() for name in (config.NAME, "metrics.jsonl")):
        raise InputError(f"{options.out} holds a run already; go on with --resume, give another --out, or remove it")
    shares = Shares(options.val, options.test)
    some = [Photos.load(options.data, split, shares) for split in ("train", "val")]
    if options.limit is not None:
        counts = options.limit, math.ceil(options.limit / 10)
        some = [photos.sample(count, options.seed) for photos, count in zip(some, counts, strict=True)]
    check(options.data, *some)
    return some[0], some[1]


def _seen(options: Options, run: Run, epoch: int, step: int, count: int) -> tuple[Items, list[str]]:
    """So many items of the batches from a step on, as all processes together see them, and the photos' names."""
    from visavis.training.distributed import World

    dataset = run.loader.dataset
    batches = _batches(options, dataset.photos, World())
    batches.start(epoch, step)
    keys = list(islice(chain.from_iterable(batches), count))
    return [dataset[key] for key in keys], [dataset.photos[key[2]].image_id for key in keys]


def _not_finite(options: Options, run: Run, values: dict[str, float]) -> InputError:
    """What to say of a loss that is not finite; all pictures of that batch are put aside, in not_finite/."""
    epoch, step = run.evaluated + 1, run.learner.done - run.evaluated * run.batches.steps
    items, names = _seen(options, run, epoch, step, run.batches.batch_size)
    aside = options.out / "not_finite"
    if run.first:
        set_aside(aside, items, names, values)
    parts = ", ".join(f"{name} {value}" for name, value in values.items())
    return InputError(
        f"the loss is {sum(values.values())} in epoch {epoch}, step {run.learner.done + 1} ({parts}); lower --lr; see "
        f"{', '.join(dict.fromkeys(names))}; they are in {aside} as the network got them"
    )


if __name__ == "__main__":
    main(train, Options)
