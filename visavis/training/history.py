"""What a run records for people: metrics.jsonl, TensorBoard's events, curves.png."""

import json
from pathlib import Path
from typing import Any

from visavis import charts
from visavis.files import replaced
from visavis.journal import lines

NAME = "metrics.jsonl"

Line = dict[str, Any]

SHARES = {
    "ap": "AP",
    "ap50": "AP50",
    "best_f1": "best F1",
    "mask_recall": "mask: mean recall",
    "gender_accuracy": "gender: right",
    "age_within_5": "age: within 5 years",
}
"""What is drawn of a validation, all from 0 to 1."""


class History:
    """metrics.jsonl of a run, a line every few steps (`loss`) and one for each epoch's validation, and its charts.

    A file that is there already is continued. Lines after step `done`, validations after epoch `evaluated` and a torn
    last line come from a run that was killed, and are dropped.
    """

    def __init__(self, folder: Path, done: int = 0, evaluated: int = 0) -> None:
        self.folder = folder
        self.lines = [
            line
            for line in _read(folder / NAME)
            if line["step"] <= done and (not _of_epoch(line) or line["epoch"] <= evaluated)
        ]
        with replaced(folder / NAME) as file:
            file.writelines(map(_text, self.lines))
        self.events = _events(folder, done)

    def add(self, line: Line) -> None:
        """Append one line, with at least `step` and `epoch`, and flush it."""
        self.lines.append(line)
        with (self.folder / NAME).open("a") as file:
            file.write(_text(line))
        if self.events is not None:
            group = "validation" if _of_epoch(line) else "training"
            for name, value in line.items():
                if isinstance(value, int | float) and name not in ("step", "epoch"):
                    self.events.add_scalar(f"{group}/{name}", value, line["step"])
            self.events.flush()

    def chart(self) -> None:
        """curves.png: the losses by step, and the results of validations by epoch (`SHARES`)."""
        steps = [line for line in self.lines if "loss" in line]
        epochs = [line for line in self.lines if _of_epoch(line)]
        figure = charts.blank(11, 4)
        left, right = figure.subplots(1, 2)
        for name in [key for key in steps[0] if key.startswith("loss")] if steps else []:
            label = "all" if name == "loss" else name.removeprefix("loss_").replace("_", " ")
            left.plot([line["step"] for line in steps], [line[name] for line in steps], label=label, lw=1.2)
        left.set(xlabel="step", ylabel="loss", title="Training loss")
        left.set_ylim(bottom=0)
        for name, label in SHARES.items():
            known = [line for line in epochs if line.get(name) is not None]
            if known:
                right.plot([line["epoch"] for line in known], [line[name] for line in known], "o-", label=label)
        right.set(xlabel="epoch", title="Validation", ylim=(0, 1))
        right.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        charts.finish(figure, self.folder / "curves.png")

    def close(self) -> None:
        """Finish TensorBoard's file."""
        if self.events is not None:
            self.events.close()


def _of_epoch(line: Line) -> bool:
    """Whether the line is of a validation."""
    return "loss" not in line and "resumed" not in line


def _events(folder: Path, done: int) -> Any:
    """TensorBoard's writer, if it is installed. TensorBoard does not show events that it wrote after step `done`."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1 if done else None)


def _read(path: Path) -> list[Line]:
    if not path.exists():
        return []
    with path.open("rb") as file:
        return [json.loads(line) for _, line in lines(file)]


def _text(line: Line) -> str:
    short = {name: round(value, 6) if isinstance(value, float) else value for name, value in line.items()}
    return json.dumps(short) + "\n"
