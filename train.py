"""Fine-tune a face detector on a data folder: `python train.py --epochs 10`.

What it writes, in runs/NAME: config.json (what was asked for, on what), first_batches.png (what the model sees),
metrics.jsonl (a line every few steps and one an epoch), state.pt (what --resume needs), last.safetensors and
best.safetensors (by AP on the validation part; with the score threshold of the best F1 there), curves.png, pr.png,
predictions.png (validation photos with finds). docs/training.md has the rest.
"""

import json
import math
import multiprocessing
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dataset.checks import check_files, fingerprint
from dataset.faces import FaceDataset, Photo, collate, load_photos
from dataset.split import Shares
from dataset.transforms import PRESETS, preset
from dataset.validation import evaluate
from visavis.command import InputError, Seconds, main, say
from visavis.faces import Faces
from visavis.files import replaced
from visavis.images import Picture, encode, read
from visavis.metrics import Scores, or_none
from visavis.training import config
from visavis.training.pace import Pace
from visavis.training.record import Record, draw_precision_recall

if TYPE_CHECKING:
    import torch
    from torchvision.models.detection import FasterRCNN

    from visavis.training.distributed import World
    from visavis.training.learner import Learner
    from visavis.training.sampler import Batches, Drawn
    from visavis.training.stopping import Stop

SHOWN = 24
"""Pictures on a contact sheet."""

ANEW = ("data", "device", "workers", "save_every")
"""Options that may be given anew with --resume: nothing that is learnt depends on them."""


@dataclass
class Options:
    """Fine-tune a face detector on the photos of a data folder."""

    data: Path = Path("data")
    """Data folder, as download and clean (or `python -m dataset import`) make it."""
    out: Path = Path("runs/faces")
    """Folder for the weights and the record of the run. Without --resume, it must not hold one."""
    arch: str = "resnet50_fpn"
    """resnet50_fpn, resnet50_fpn_v2, mobilenet_v3_large_320_fpn or mobilenet_v2_fpn (the one for a CPU)."""
    init: str = "coco"
    """Weights to start from: coco, imagenet, none, or a file (.safetensors of ours, .pth of torchvision's)."""
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
    """Processes that decode and augment. auto: as many as there are cores, at most 8; 0: none."""
    save_every: Seconds = 300
    """Save this often within an epoch, too: what a killed run loses at most."""
    seed: int = 0
    """Of the weights that start at random, the order of the photos and the augmentation."""
    deterministic: bool = False
    """The same weights each time on a GPU, too, though more slowly; on a CPU they always are."""
    resume: bool = False
    """Go on with the run in --out; its options are read from there."""


def train(options: Options) -> int:
    """Train, evaluate after each epoch, and leave the best weights in `options.out`. Returns the exit status: 0 done,
    1 another process of the run is gone, 130 or 143 stopped and saved. Raises InputError for what cannot work.
    """
    from visavis.training import distributed, precision

    try:
        with distributed.joined() as world:
            options = _resumed(options, world) if options.resume else options
            with precision.deterministic(options.deterministic):
                return _train(options, world)
    except distributed.PeerLost as error:
        process = os.environ.get("RANK", "0")
        say(f"process {process} ends: {error}; go on with python train.py --resume --out {options.out}")
        return 1


def _train(options: Options, world: "World") -> int:
    from visavis.training import state
    from visavis.training.stopping import Stop

    photos, held_out = _check(options)
    facts = _facts(options, photos, held_out)
    if options.resume and config.read(options.out)["data"] != facts["data"]:
        raise InputError(
            f"--resume: the tables in {options.data} are not those that the run began with; start another one from its "
            f"weights with --init {options.out / 'last.safetensors'} --out NEW"
        )
    run = Run(options, world, photos, held_out)
    world.gather(None)  # all have looked at --out: now something may be written there
    if options.resume and (options.out / state.NAME).exists():
        run.restore()
    elif world.first:
        config.write(options.out, facts | run.described)
        run.show_first_batches()
    with Stop(run.save) as stop:
        return run.go(stop)


class Run:
    """A training run: what learns, from which photos, how far it is, and the folder that it writes to."""

    def __init__(self, options: Options, world: "World", photos: list[Photo], held_out: list[Photo]) -> None:
        import torch

        from visavis import device
        from visavis.training import precision
        from visavis.training.sampler import Drawn

        self.options, self.world, self.photos, self.held_out = options, world, photos, held_out
        self.on, chosen = device.choose(world.device(options.device))
        if self.on.type == "cuda" and world.size > 1:
            torch.cuda.set_device(self.on)
        self.precision, why = precision.choose(options.precision, self.on)
        self.dataset = FaceDataset(photos, preset(options.transforms, reframe=options.mosaic is None), options.mosaic)
        self.drawn = Drawn(self.dataset, options.seed)
        self.batches = _batches(options, len(photos), world.rank, world.size)
        self.steps = options.epochs * self.batches.steps
        self.learner = _learner(options, world, self.on, self.precision, self.batches.sizes, self.steps)
        transform = self.learner.model.transform
        self.in_use = transform.min_size, transform.max_size
        self.evaluated, self.worse, self.best, self.threshold = 0, 0, -1.0, 0.5
        self.described = {
            "device": chosen,
            "precision": self.precision,
            "lr": self.learner.optimiser.param_groups[0]["initial_lr"],
            "processes": world.size,
        }
        self._say_what(chosen, why)

    def go(self, stop: "Stop") -> int:
        """All that is left to do of the run. Returns the exit status."""
        from visavis.training.distributed import pad_alike

        self.learner.guard = stop.guard
        if self.world.size > 1:
            pad_alike(self.learner.model, self.on)
        self.record = Record(self.options.out, self.learner.done, self.evaluated) if self.world.first else None
        if self.record and self.record.events is None:
            say("TensorBoard is not installed, and gets no events; the same figures are in metrics.jsonl, curves.png")
        if self.record and 0 < self.learner.done < self.steps:
            self.record.add({"epoch": self.evaluated + 1, "step": self.learner.done, "resumed": True} | self.described)
        self.pace = Pace(self.options.save_every)
        loader = self.loader()
        while self.evaluated < self.options.epochs and not self._enough():
            self.batches.start(self.evaluated + 1, self.learner.done - self.evaluated * self.batches.steps)
            if not (self._learn(loader, stop) and self._validate(stop)):
                self.save()
                self._tell(
                    f"stopped in epoch {self.evaluated + 1}, step {self.learner.done} of {self.steps}, and saved; "
                    f"go on with python train.py --resume --out {self.options.out}"
                )
                return stop.status or 1
        self._tell_end()
        return 0

    def save(self, scores: Scores | None = None) -> None:
        """Save the training state, and the weights, as they are now; scores: theirs, if they were validated."""
        from visavis.training import state

        if not self.world.first:
            return
        with self.learner.guard:
            own = {"evaluated": self.evaluated, "worse": self.worse, "best": self.best, "threshold": self.threshold}
            state.save(self.options.out / state.NAME, self.learner.state() | own)
            self.keep("last.safetensors", scores)

    def restore(self) -> None:
        """Take up the run where it was saved."""
        from visavis.training import state

        if self.world.first:
            state.clear_torn(self.options.out)
        saved = state.load(self.options.out / state.NAME)
        self.learner.restore(saved)
        self.evaluated, self.worse = saved["evaluated"], saved["worse"]
        self.best, self.threshold = saved["best"], saved["threshold"]
        self._tell(f"goes on after step {self.learner.done} of {self.steps}, with {self.evaluated} epochs validated")

    def loader(self) -> Any:
        """Batches of (images, targets): all that are left of the epoch that `batches` was started on."""
        return _loader(self.drawn, self.batches, self.options, self.world)

    def show_first_batches(self) -> None:
        """first_batches.png: the first training pictures as the network sees them, with labels and what is ignored."""
        import torch

        from visavis.draw import boxes_on, contact_sheet

        batches = _batches(self.options, len(self.photos), 0, 1)
        keys = [key for _, batch in zip(range(2), batches, strict=False) for key in batch][:SHOWN]
        items = [self.drawn[key] for key in keys]
        with self.as_in_training() as model:
            self.learner.draws.begin([target["draw"] for _, target in items])
            moved = [{name: target[name] for name in ("boxes", "ignore")} for _, target in items]
            shown, targets = model.transform([image for image, _ in items], moved)
        deviation, mean = (
            torch.tensor(values)[:, None, None] for values in (model.transform.image_std, model.transform.image_mean)
        )
        drawn = []
        for tensor, target in zip(shown.tensors, targets, strict=True):
            picture = boxes_on(_as_picture(tensor * deviation + mean), Faces(target["ignore"].numpy()), "ignore")
            drawn.append(boxes_on(picture, Faces(target["boxes"].numpy()), "label"))
        with replaced(self.options.out / "first_batches.png", "wb") as file:
            file.write(encode(contact_sheet(drawn, [self._name(key) for key in keys]), "PNG"))

    def _learn(self, loader: Any, stop: "Stop") -> bool:
        """The steps that are left of an epoch; False where the run is to stop."""
        from tqdm import tqdm

        from visavis.training.learner import NotFinite

        epoch, left = self.evaluated + 1, len(self.batches)
        if not left:
            return True
        self.pace.begin()
        bar = tqdm(total=left, desc=f"epoch {epoch}", unit="step", file=sys.stderr, disable=not self.world.first)
        with self.as_in_training(), bar:
            for images, targets in loader:
                self.pace.loaded()
                try:
                    share, stopped = self.learner.step(images, targets, stop.wanted)
                except NotFinite as error:
                    raise self._not_finite(epoch, error.values) from None
                told = self.pace.stepped(self.batches.batch_size)
                bar.update()
                step = self.learner.done
                if step % 10 == 0 or step % self.batches.steps == 0:
                    losses = self.learner.losses(share)
                    rate = self.learner.schedule.get_last_lr()[0]
                    line = {"epoch": epoch, "step": step, "loss": sum(losses.values())} | losses
                    bar.set_postfix(loss=f"{line['loss']:.3f}", refresh=False)
                    if self.record:
                        self.record.add(line | {"lr": rate} | self.pace.figures())
                if told:
                    self._tell(self.pace.estimate(self.steps - step, self.options.epochs - self.evaluated))
                if stopped:
                    return False
                if self.pace.due():
                    self.save()
        self.dataset.tell_unreadable()
        return True

    def _validate(self, stop: "Stop") -> bool:
        """Score the weights, keep them if they are the best, save; False where the run is to stop."""
        import torch

        self.save()
        validation = evaluate(self.learner.kept, self.held_out, self.on, self.world, stop)
        if not self.options.channels_last:  # the detector has put its colours last
            self.learner.model.to(memory_format=torch.contiguous_format)
        if validation is None:
            return False
        scores, epoch = validation.scores, self.evaluated + 1
        with self.learner.guard:
            self.worse = 0 if scores.ap > self.best else self.worse + 1
            if self.record:
                figures = {name: or_none(value) for name, value in asdict(scores).items()}
                self.record.add({"epoch": epoch, "step": self.learner.done} | figures)
                if scores.ap > self.best:
                    self.keep("best.safetensors", scores)
                    _draw(self.options.out / "predictions.png", self.held_out, validation.finds, scores.best_threshold)
                    draw_precision_recall(self.options.out / "pr.png", validation.judged, scores.best_threshold)
                self.record.chart()
            if scores.ap > self.best:
                self.best, self.threshold = scores.ap, scores.best_threshold
            self.evaluated = epoch
            self.save(scores)
        self._tell(
            f"epoch {epoch}: AP {scores.ap:.3f}, AP50 {scores.ap50:.3f}, best F1 {scores.best_f1:.3f} at a score of "
            f"{scores.best_threshold:.2f}, on {scores.photos} photos with {scores.faces} faces"
        )
        return True

    def _not_finite(self, epoch: int, values: dict[str, float]) -> InputError:
        """What to say of a loss that is not finite; all pictures of that batch are put aside, in not_finite/."""
        batches = _batches(self.options, len(self.photos), 0, 1)
        batches.start(epoch, self.learner.done - self.evaluated * self.batches.steps)
        keys = next(iter(batches))
        names = ", ".join(dict.fromkeys(self._name(key) for key in keys))
        aside = self.options.out / "not_finite"
        if self.world.first:
            rows = []
            for number, key in enumerate(keys):
                image, target = self.drawn[key]
                with replaced(aside / f"{number:02}.png", "wb") as file:
                    file.write(encode(_as_picture(image), "PNG"))
                boxes = {name: target[name].tolist() for name in ("boxes", "ignore")}
                rows.append({"file": f"{number:02}.png", "image_id": self._name(key)} | boxes)
            with replaced(aside / "batch.json") as file:
                json.dump(
                    {"losses": {name: str(value) for name, value in values.items()}, "photos": rows}, file, indent=2
                )
        parts = ", ".join(f"{name} {value}" for name, value in values.items())
        return InputError(
            f"the loss is {sum(values.values())} in epoch {epoch}, step {self.learner.done + 1} ({parts}); lower --lr; "
            f"see {names}; they are in {aside} as the network got them"
        )

    @contextmanager
    def as_in_training(self) -> "Iterator[FasterRCNN]":
        """Pictures take the size that was asked for in training, instead of that in use."""
        model, wanted = self.learner.model.train(), self.options.size or self.options.mosaic
        if wanted is not None:
            model.transform.min_size, model.transform.max_size = (wanted,), wanted * 4 // 3
        try:
            yield model
        finally:
            model.transform.min_size, model.transform.max_size = self.in_use

    def keep(self, name: str, scores: Scores | None) -> None:
        """Write a checkpoint of that name; scores: what the weights are worth, if they were validated."""
        from visavis import checkpoint
        from visavis.detectors.faster_rcnn import norm_eps

        options = self.options
        # A checkpoint travels: names, not the folders of the machine that made it.
        names = {"data": options.data.name, "out": options.out.name, "init": Path(options.init).name}
        figures = {key: or_none(round(value, 4)) for key, value in asdict(scores).items()} if scores else {}
        metadata = {
            "arch": options.arch,
            "norm_eps": norm_eps(self.learner.kept),
            "threshold": round(scores.best_threshold if scores else self.threshold, 4),
            "epoch": self.evaluated + (scores is None),
            "validation": figures,
            "options": config.plain(options) | names | {"resume": False},
            "boxes": "x1 y1 x2 y2 in pixels, by the convention of the labels that it was trained on",
        }
        checkpoint.save(options.out / name, self.learner.kept.state_dict(), metadata)

    def _name(self, key: tuple[int, int, int]) -> str:
        return self.photos[key[2]].image_id

    def _enough(self) -> bool:
        return self.options.patience is not None and self.worse >= self.options.patience

    def _tell(self, message: str) -> None:
        if self.world.first:
            say(message)

    def _say_what(self, chosen: str, why: str) -> None:
        """What will be done, before the first step."""
        options, model = self.options, self.learner.model
        processes = f"; process 1 of {self.world.size}" if self.world.size > 1 else ""
        self._tell(f"device: {chosen}{processes}; precision: {why}; {'' if options.compile else 'not '}compiled")
        parts = f" in {options.accumulate} parts" if options.accumulate > 1 else ""
        self._tell(
            f"{options.arch} from {options.init}: {sum(p.numel() for p in self.learner.learning):,} of "
            f"{sum(p.numel() for p in model.parameters()):,} parameters learn; {len(self.photos)} photos, "
            f"{len(self.held_out)} for validation; {self.steps} steps of {self.batches.batch_size}{parts}, "
            f"{options.optimiser}, learning rate {self.described['lr']:.2g}, {options.schedule}"
        )
        if self.batches.batch_size < options.batch_size:
            self._tell(f"--batch-size {options.batch_size} is more than there are photos: {len(self.photos)} a step")
        if options.init == "none" and options.freeze is None:
            self._tell("--init none: all layers learn, whatever --trainable-layers says")

    def _tell_end(self) -> None:
        if self._enough():
            self._tell(f"no better AP in {self.worse} epochs: stopped, as --patience asks")
        weights = self.options.out / "best.safetensors"
        self._tell(f"best AP {self.best:.3f}: {weights}; curves in {self.options.out / 'curves.png'}")
        self._tell(f"find the faces in your photos: python predict.py PHOTOS --detector {weights} --out boxed")


def _learner(
    options: Options, world: "World", on: "torch.device", precision: str, parts: list[tuple[int, float]], steps: int
) -> "Learner":
    import torch

    from visavis.detectors.faster_rcnn import build, freeze
    from visavis.training import distributed, draws, schedule
    from visavis.training.learner import Learner
    from visavis.training.precision import compile_backbone

    torch.manual_seed(options.seed)
    model = build(options.arch, options.init, options.trainable_layers)
    if options.freeze is not None:
        freeze(model, options.freeze)
    model.to(on)
    if options.channels_last:
        model.to(memory_format=torch.channels_last)
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    auto = schedule.learning_rate(options.optimiser, options.batch_size)
    rate = auto if options.lr == "auto" else options.lr
    decay = schedule.WEIGHT_DECAY[options.optimiser] if options.weight_decay == "auto" else options.weight_decay
    optimiser = schedule.optimise(options.optimiser, learning, rate, decay)
    course = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: schedule.factor(options.schedule, step, steps))
    averaged = schedule.running_mean(model, options.ema) if options.ema else None
    drawn = draws.from_seeds(model)
    if options.compile:
        compile_backbone(model.backbone, on)
    called: Any = model
    if world.size > 1:
        called = distributed.spread(model, on)
    return Learner(model, called, optimiser, course, averaged, drawn, parts, on, precision, world)


def _batches(options: Options, photos: int, rank: int, world: int) -> "Batches":
    from visavis.training.sampler import Batches

    try:
        return Batches(photos, min(options.batch_size, photos), options.seed, options.accumulate, rank, world)
    except ValueError as error:
        raise InputError(f"{error}; raise --batch-size or lower --accumulate") from None


def _loader(drawn: "Drawn", batches: "Batches", options: Options, world: "World") -> Any:
    import torch
    from torch.utils.data import DataLoader

    from visavis.training.stopping import in_worker

    here = int(os.environ.get("LOCAL_WORLD_SIZE", world.size))
    forks = "fork" in multiprocessing.get_all_start_methods()  # the transforms cannot be sent to a new process
    workers = min((os.cpu_count() or 1) // here, 8) if options.workers == "auto" else options.workers
    return DataLoader(
        drawn,  # type: ignore[bad-argument-type]  # map-style by its methods
        batch_sampler=batches,  # type: ignore[bad-argument-type]  # an iterable of lists
        num_workers=workers,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=workers > 0,
        worker_init_fn=in_worker,
        multiprocessing_context="fork" if workers and forks else None,
        generator=torch.Generator(),  # its seed for the workers is for nothing here: the process's own stays untouched
    )


def _resumed(options: Options, world: "World") -> Options:
    """The options of the run in --out; what was given and differs is said."""
    stored = config.read(options.out)["options"]
    stored = {name: value for name, value in stored.items() if name not in ("out", "resume")}
    chosen, said = config.resumed(options, stored, ANEW)
    if world.first:
        asked = config.plain(chosen)
        defaults = config.plain(Options())
        usual = {name for name in asked if asked[name] == defaults[name]} | {"resume", "out"}
        words = [f"--{name.replace('_', '-')} {value}" for name, value in asked.items() if name not in usual]
        say(f"resumes {options.out}: {' '.join(words)}")
        for sentence in said:
            say(f"resumes with {sentence}")
    return chosen


def _check(options: Options) -> tuple[list[Photo], list[Photo]]:
    """Refuse what cannot work before anything is written; return the photos to train on and to validate on."""
    if options.transforms not in PRESETS:
        raise InputError(f"unknown --transforms {options.transforms!r}; there are {', '.join(PRESETS)}")
    if not 0 <= options.ema < 1:
        raise InputError(f"--ema {options.ema:g}: give 0, or a number below 1 such as 0.999")
    if options.mosaic is not None and not 64 <= options.mosaic <= 4096:
        raise InputError(f"--mosaic {options.mosaic}: give 64 to 4096 pixels")
    for name in ("epochs", "batch_size", "accumulate", "patience", "limit", "size"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise InputError(f"--{name.replace('_', '-')} must be at least 1")
    for name in ("lr", "weight_decay"):
        if (value := getattr(options, name)) != "auto" and not 0 <= value < math.inf:
            raise InputError(f"--{name.replace('_', '-')} {value:g}: give a number of at least 0, or auto")
    if options.seed < 0:
        raise InputError(f"--seed {options.seed}: give a number of at least 0")
    if options.freeze is not None and options.trainable_layers != Options.trainable_layers:
        raise InputError("--freeze and --trainable-layers say the same thing twice; give one of them")
    if not options.resume and any((options.out / name).exists() for name in (config.NAME, "metrics.jsonl")):
        raise InputError(f"{options.out} holds a run already; go on with --resume, give another --out, or remove it")
    shares = Shares(options.val, options.test)
    photos, held_out = (load_photos(options.data, split, shares) for split in ("train", "val"))
    if options.limit is not None:
        photos = _some(photos, options.limit, options.seed)
        held_out = _some(held_out, math.ceil(options.limit / 10), options.seed)
    for split, some in (("train", photos), ("val", held_out)):
        if not any(len(photo.boxes) for photo in some):
            raise InputError(
                f"{options.data}: none of the {len(some)} photos in the split {split!r} has a labelled face"
            )
    check_files(options.data, photos + held_out)
    return photos, held_out


def _some(photos: list[Photo], count: int, seed: int) -> list[Photo]:
    return random.Random(seed).sample(photos, min(count, len(photos)))


def _facts(options: Options, photos: list[Photo], held_out: list[Photo]) -> dict[str, Any]:
    """For config.json: the options, the surroundings, and by what to know the data again."""
    data = fingerprint(options.data, photos, held_out)
    asked = config.plain(options) | {"resume": False}
    return {"options": asked, "photos": data["photos"], "data": data} | config.surroundings()


def _as_picture(image: "torch.Tensor") -> Picture:
    """(3, height, width) floats in 0..1 as a picture."""
    return image.detach().cpu().clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).contiguous().numpy()


def _draw(path: Path, photos: list[Photo], finds: dict[str, Faces], threshold: float) -> None:
    """A sheet of the first validation photos: labels, and what was found above the threshold."""
    from visavis.draw import boxes_on, contact_sheet

    shown = [photo for photo in photos if photo.image_id in finds][:SHOWN]
    drawn = []
    for photo in shown:
        picture = boxes_on(read(photo.path), Faces(photo.boxes), "label")
        drawn.append(boxes_on(picture, finds[photo.image_id].above(threshold)))
    with replaced(path, "wb") as file:
        file.write(encode(contact_sheet(drawn, [photo.image_id for photo in shown]), "PNG"))


if __name__ == "__main__":
    main(train, Options)
