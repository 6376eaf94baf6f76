"""Fine-tune a face detector on a data folder: `python train.py --epochs 10`.

What it writes, in runs/NAME: config.json (what was asked for, on what), metrics.jsonl (a line every few
steps and one an epoch), last.safetensors and best.safetensors (by AP on the validation part; with the
score threshold of the best F1 there), curves.png, predictions.jpg (validation photos with finds).
"""

import json
import math
import os
import platform
import random
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset.faces import FaceDataset, Photo, collate, labels_within, load_photos
from dataset.split import Shares
from dataset.transforms import PRESETS, preset
from visavis.command import InputError, Seconds, main, say
from visavis.faces import Faces
from visavis.images import ImageError, encode, read
from visavis.metrics import Scores, score

if TYPE_CHECKING:
    import torch
    from torchvision.models.detection import FasterRCNN

LOWEST_SCORE = 0.05
"""Finds below it are not looked at: AP hardly changes, and there are very many."""


@dataclass
class Options:
    """Fine-tune a face detector on the photos of a data folder."""

    data: Path = Path("data")
    """Data folder, as download and clean (or `python -m dataset import`) make it."""
    out: Path = Path("runs/faces")
    """Folder for the weights and the record of the run. It must not hold a finished run."""
    arch: str = "resnet50_fpn"
    """resnet50_fpn, resnet50_fpn_v2, mobilenet_v3_large_320_fpn or mobilenet_v2_fpn (the one for a CPU)."""
    init: str = "coco"
    """Weights to start from: coco, imagenet, none, or a file (.safetensors of ours, .pth of torchvision's)."""
    trainable_layers: int = 3
    """Backbone stages that learn, counted from the output; the others stay as they are. 0 to 6."""
    epochs: int = 12
    """Times that every training photo is seen."""
    batch_size: int = 8
    """Photos a step."""
    lr: float | None = None
    """Peak learning rate of AdamW; without one, 2e-4 at 16 photos a step, scaled by the square root."""
    weight_decay: float = 0.01
    """AdamW's, on all weights that learn."""
    transforms: str = "full"
    """Augmentation: none, light (mirror, colours) or full (also zoom out, crop, grey, blur, JPEG)."""
    mosaic: int | None = None
    """Train on squares of this side, in pixels, put together from several photos, with faces of all sizes; else on
    each photo as it is. With it, `full` does not zoom out or crop: the mosaic does."""
    ema: float = 0.0
    """Validate and keep a running mean of the weights that forgets this slowly: 0.999 remembers some 1,000 steps.
    0: the weights themselves."""
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
    workers: int | None = None
    """Processes that decode and augment; without one, as many as there are cores, at most 8."""
    save_every: Seconds = 300
    """Write last.safetensors this often within an epoch, too; it has no validation figures then."""
    seed: int = 0
    """Of the weights that start at random, the order of the photos and the augmentation."""


def train(options: Options) -> int:
    """Train, evaluate after each epoch, and leave the best weights in `options.out`. Returns the exit status."""
    import torch

    from visavis import checkpoint, device
    from visavis.detectors.faster_rcnn import build

    photos, held_out = _check(options)
    torch.manual_seed(options.seed)
    model = build(options.arch, options.init, options.trainable_layers)
    in_use = model.transform.min_size, model.transform.max_size
    on, chosen = device.choose(options.device)
    model.to(on).to(memory_format=torch.channels_last)
    lr = options.lr or 2e-4 * math.sqrt(options.batch_size / 16)
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr, weight_decay=options.weight_decay)
    dataset = FaceDataset(photos, preset(options.transforms, reframe=options.mosaic is None), options.mosaic)
    loader = _loader(dataset, options)
    steps = options.epochs * len(loader)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _warm_up_then_cosine(step, steps))
    averaged = None
    if options.ema:
        averaged = torch.optim.swa_utils.AveragedModel(
            model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(options.ema)
        )
    kept = averaged.module if averaged else model
    in_training = options.size or options.mosaic

    options.out.mkdir(parents=True, exist_ok=True)
    record = Record(options.out)
    described = {"options": _plain(options), "lr": lr, "photos": {"train": len(photos), "val": len(held_out)}}
    machine = {"python": platform.python_version(), "torch": torch.__version__, "device": chosen}
    (options.out / "config.json").write_text(json.dumps(described | machine, indent=2) + "\n")
    say(f"device: {chosen}")
    say(
        f"{options.arch} from {options.init}: {sum(p.numel() for p in learning):,} of "
        f"{sum(p.numel() for p in model.parameters()):,} parameters learn; {len(photos)} photos, {len(held_out)} for "
        f"validation; {steps} steps of {options.batch_size}, learning rate {lr:.2g}"
    )

    def save(name: str, epoch: int, scores: Scores | None) -> None:
        checkpoint.save(options.out / name, kept.state_dict(), _metadata(options, kept, epoch, scores))

    best = -1.0
    for epoch in range(1, options.epochs + 1):
        progress = Progress(record, epoch, options.save_every, partial(save, "last.safetensors", epoch, None))
        if in_training is not None:
            model.transform.min_size, model.transform.max_size = (in_training,), in_training * 4 // 3
        try:
            train_one_epoch(model, optimiser, schedule, loader, on, progress, averaged)
        except KeyboardInterrupt:
            save("last.safetensors", epoch, None)
            say(f"stopped in epoch {epoch}; what was learnt so far is in {options.out / 'last.safetensors'}")
            raise
        model.transform.min_size, model.transform.max_size = in_use
        scores, finds = evaluate(kept, held_out, on)
        record.add({"epoch": epoch, "step": epoch * len(loader), **asdict(scores)})
        say(
            f"epoch {epoch}: AP {scores.ap:.3f}, AP50 {scores.ap50:.3f}, best F1 {scores.best_f1:.3f} at a score of "
            f"{scores.best_threshold:.2f}, on {scores.photos} photos with {scores.faces} faces"
        )
        save("last.safetensors", epoch, scores)
        if scores.ap > best:
            best = scores.ap
            save("best.safetensors", epoch, scores)
            _draw(options.out / "predictions.jpg", held_out, finds, scores.best_threshold)
        record.chart()
    weights = options.out / "best.safetensors"
    say(f"best AP {best:.3f}: {weights}; curves in {options.out / 'curves.png'}")
    say(f"find the faces in your photos: python predict.py PHOTOS --detector {weights} --out boxed")
    return 0


def train_one_epoch(
    model: "FasterRCNN",
    optimiser: Any,
    schedule: Any,
    loader: Any,
    on: "torch.device",
    progress: "Progress",
    averaged: Any = None,
) -> None:
    """One pass over `loader`; `averaged`, a torch.optim.swa_utils.AveragedModel, follows each step.

    Raises InputError where the loss is not finite, naming the photos.
    """
    import torch
    from tqdm import tqdm

    model.train()
    learning = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    bar = tqdm(loader, desc=f"epoch {progress.epoch}", unit="step", file=sys.stderr)
    for step, (images, targets) in enumerate(bar, start=1):
        images = [image.to(on) for image in images]
        moved = [{name: _to(value, on) for name, value in target.items()} for target in targets]
        losses = model(images, moved)
        loss = torch.stack(list(losses.values())).sum()
        if not math.isfinite(loss.item()):
            names = [loader.dataset.photos[target["image_id"]].image_id for target in targets]
            raise InputError(
                f"the loss is {loss.item()} in epoch {progress.epoch}, step {step}; lower --lr; see {', '.join(names)}"
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 10.0)
        optimiser.step()
        if averaged is not None:
            averaged.update_parameters(model)
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
        progress.step(step, loader, losses, schedule.get_last_lr()[0])


class Progress:
    """What happens between the steps of an epoch: a line in the record now and then, and the weights saved."""

    def __init__(self, record: "Record", epoch: int, save_every: float, save: Callable[[], None]) -> None:
        self.record, self.epoch, self.save_every, self.save = record, epoch, save_every, save
        self.begun = self.saved = time.monotonic()

    def step(self, step: int, loader: Any, losses: dict[str, Any], lr: float) -> None:
        """Step number `step` of the epoch, from 1 on, is done."""
        now = time.monotonic()
        if step % 10 == 0 or step == len(loader):
            parts = {name: value.item() for name, value in losses.items()}
            photos = min(step * loader.batch_size, len(loader.dataset))
            done = {"epoch": self.epoch, "step": (self.epoch - 1) * len(loader) + step}
            speed = {"lr": lr, "photos_per_second": photos / (now - self.begun)}
            self.record.add(done | {"loss": sum(parts.values())} | parts | speed)
        if now - self.saved >= self.save_every:
            self.save()
            self.saved = now


def evaluate(model: "FasterRCNN", photos: list[Photo], on: "torch.device") -> tuple[Scores, dict[str, Faces]]:
    """Score the model on labelled photos; also what it found in each, by image_id. Unreadable ones are left out."""
    from tqdm import tqdm

    from visavis.detectors.faster_rcnn import FasterRCNNDetector

    detector = FasterRCNNDetector(model, LOWEST_SCORE, on)
    finds, truth, ignore = {}, [], []
    for photo in tqdm(photos, desc="validation", unit="photo", file=sys.stderr, leave=False):
        try:
            picture = read(photo.path)
        except ImageError as error:
            say(f"left out: {photo.path}: {error}")
            continue
        finds[photo.image_id] = detector.detect([picture])[0]
        labels, left = labels_within(photo, picture.shape[:2])
        truth.append(labels)
        ignore.append(left)
    return score(truth, list(finds.values()), ignore), finds


class Record:
    """metrics.jsonl of a run, and its chart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[dict[str, Any]] = []
        (folder / "metrics.jsonl").write_text("")

    def add(self, line: dict[str, Any]) -> None:
        """Append one line and flush it."""
        self.lines.append(line)
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(
                json.dumps({name: round(v, 6) if isinstance(v, float) else v for name, v in line.items()}) + "\n"
            )

    def chart(self) -> None:
        """curves.png: the losses by step, and AP and F1 by epoch."""
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        steps = [line for line in self.lines if "loss" in line]
        epochs = [line for line in self.lines if "ap" in line]
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
        for name in [key for key in steps[0] if key.startswith("loss")] if steps else []:
            label = "all" if name == "loss" else name.removeprefix("loss_").replace("_", " ")
            left.plot([line["step"] for line in steps], [line[name] for line in steps], label=label, lw=1.2)
        left.set(xlabel="step", ylabel="loss", title="Training loss")
        left.set_ylim(bottom=0)
        for name, label in (("ap", "AP"), ("ap50", "AP50"), ("best_f1", "best F1")):
            right.plot([line["epoch"] for line in epochs], [line[name] for line in epochs], "o-", label=label)
        right.set(xlabel="epoch", title="Validation", ylim=(0, 1))
        right.xaxis.get_major_locator().set_params(integer=True)
        for axes in (left, right):
            axes.grid(alpha=0.3)
            if axes.has_data():
                axes.legend(frameon=False)
        figure.savefig(self.folder / "curves.png", dpi=110)
        pyplot.close(figure)


def _check(options: Options) -> tuple[list[Photo], list[Photo]]:
    """Refuse what cannot work before anything is written; return the photos to train on and to validate on."""
    if options.transforms not in PRESETS:
        raise InputError(f"unknown --transforms {options.transforms!r}; there are {', '.join(PRESETS)}")
    if not 0 <= options.ema < 1:
        raise InputError(f"--ema {options.ema:g}: give 0, or a number below 1 such as 0.999")
    if options.mosaic is not None and not 64 <= options.mosaic <= 4096:
        raise InputError(f"--mosaic {options.mosaic}: give 64 to 4096 pixels")
    for name in ("epochs", "batch_size"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name.replace('_', '-')} must be at least 1")
    if (options.out / "metrics.jsonl").exists():
        raise InputError(f"{options.out} holds a run already; give another --out, or remove it")
    shares = Shares(options.val, options.test)
    photos, held_out = (load_photos(options.data, split, shares) for split in ("train", "val"))
    if options.limit is not None:
        photos = _some(photos, options.limit, options.seed)
        held_out = _some(held_out, math.ceil(options.limit / 10), options.seed)
    return photos, held_out


def _some(photos: list[Photo], count: int, seed: int) -> list[Photo]:
    return random.Random(seed).sample(photos, min(count, len(photos)))


def _loader(dataset: FaceDataset, options: Options) -> Any:
    import torch
    from torch.utils.data import DataLoader

    workers = min(os.cpu_count() or 1, 8) if options.workers is None else options.workers
    return DataLoader(
        dataset,  # type: ignore[bad-argument-type]  # map-style by its methods; it imports no torch to say so
        options.batch_size,
        shuffle=True,
        num_workers=workers,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=workers > 0,
    )


def _warm_up_then_cosine(step: int, steps: int) -> float:
    """Factor of the learning rate: linear over the first 5 % of the steps, then half a cosine to nothing."""
    warm_up = max(1, min(500, steps // 20))
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def _to(value: Any, on: "torch.device") -> Any:
    return value.to(on) if hasattr(value, "to") else value


def _plain(options: Options) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(options).items()}


def _metadata(options: Options, model: "FasterRCNN", epoch: int, scores: Scores | None) -> dict[str, Any]:
    from visavis.detectors.faster_rcnn import norm_eps

    # A checkpoint travels: names, not the folders of the machine that made it.
    names = {"data": options.data.name, "out": options.out.name, "init": Path(options.init).name}
    return {
        "arch": options.arch,
        "norm_eps": norm_eps(model),
        "threshold": round(scores.best_threshold, 4) if scores else 0.5,
        "epoch": epoch,
        "validation": {name: round(value, 4) for name, value in asdict(scores).items()} if scores else {},
        "options": _plain(options) | names,
        "boxes": "x1 y1 x2 y2 in pixels, by the convention of the labels that it was trained on",
    }


def _draw(path: Path, photos: list[Photo], finds: dict[str, Faces], threshold: float) -> None:
    """A sheet of the first validation photos: labels, and what was found above the threshold."""
    from visavis.draw import boxes_on, contact_sheet

    shown = [photo for photo in photos if photo.image_id in finds][:24]
    drawn = []
    for photo in shown:
        picture = boxes_on(read(photo.path), Faces(photo.boxes), "label")
        drawn.append(boxes_on(picture, finds[photo.image_id].above(threshold)))
    path.write_bytes(encode(contact_sheet(drawn, [photo.image_id for photo in shown])))


if __name__ == "__main__":
    main(train, Options)
