"""visavis.options: ranges of numbers, and options in options."""

from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from typed import typed

import clean.__main__ as clean
import dataset.__main__ as dataset
import demo.__main__ as demo
import train
from dataset.__main__ import Look, Sheet
from download import images, lists, merge
from visavis.commands import COMMANDS, evaluate, predict, slim
from visavis.commands.network import Network
from visavis.data.split import Shares
from visavis.errors import InputError
from visavis.options import Range, hold, plain, renewed
from visavis.training.recipe import Recipe


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (train.Options(recipe=Recipe(epochs=0)), "`epochs` must be at least 1, not 0"),
        (train.Options(recipe=Recipe(lr=-1.0)), "`lr` must be at least 0, not -1"),
        (train.Options(recipe=Recipe(lr=float("nan"))), "`lr` must be a finite number, at least 0, not nan"),
        (train.Options(recipe=Recipe(ema=1.0)), "`ema` must be at least 0 and less than 1, not 1"),
        (train.Options(seed=-1), "`seed` must be at least 0, not -1"),
        (train.Options(patience=0), "`patience` must be at least 1, not 0"),
        (train.Options(mosaic=10), "`mosaic` must be at least 64 and at most 4096, not 10"),
        (train.Options(workers=-1), "`workers` must be at least 0, not -1"),
        (train.Options(trainable_layers=7), "`trainable_layers` must be at least 0 and at most 6, not 7"),
        (predict.Options(every=0), "`every` must be at least 1, not 0"),
        (predict.Options(min_size=-1.0), "`min_size` must be at least 0, not -1"),
        (predict.Options(grow=float("inf")), "`grow` must be a finite number, at least 0, not inf"),
        (predict.Options(margin=float("nan")), "`margin` must be a finite number, at least 0, not nan"),
        (predict.Options(redact_threshold=1.5), "`redact_threshold` must be at least 0 and at most 1, not 1.5"),
        (predict.Options(workers=0), "`workers` must be at least 1, not 0"),
        (predict.Options(timeout=0.0), "`timeout` must be more than 0, not 0"),
        (predict.Options(network=Network(size=0)), "`size` must be at least 1 and at most 3072, not 0"),
        (predict.Options(network=Network(size=100_000)), "`size` must be at least 1 and at most 3072, not 100000"),
        (evaluate.Options(threshold=0.01), "`threshold` must be at least 0.05 and at most 1, not 0.01"),
        (evaluate.Options(batch_size=0), "`batch_size` must be at least 1, not 0"),
        (slim.Options(Path(), Path(), Path(), count=-1), "`count` must be at least 1, not -1"),
        (clean.Options(min_side=0), "`min_side` must be at least 1, not 0"),
        (images.Options(connections=0), "`connections` must be at least 1, not 0"),
        (images.Options(per_host=-1), "`per_host` must be at least 1, not -1"),
        (images.Options(max_bytes=0), "`max_bytes` must be at least 1, not 0"),
        (images.Options(max_pixels=-5), "`max_pixels` must be at least 1, not -5"),
        (images.Options(deadline=0.0), "`deadline` must be more than 0, not 0"),
        (images.Options(retries=-1), "`retries` must be at least 0, not -1"),
        (lists.Options("list.tar.gz", per_identity=0), "`per_identity` must be at least 1, not 0"),
        (Sheet(mosaic=63), "`mosaic` must be at least 64, not 63"),
        (Sheet(seed=-1), "`seed` must be at least 0, not -1"),
        (Look(threshold=7.0), "`threshold` must be at least 0 and at most 1, not 7"),
        (merge.Options((), placeholder=-1), "`placeholder` must be at least 0, not -1"),
        (predict.Options(threshold=2.0), "`threshold` must be at least 0 and at most 1, not 2"),
        (evaluate.Options(false_positives=(10, -1)), "`false_positives` must be at least 0, not -1"),
        (evaluate.Options(shares=Shares(val=-0.1)), "`val` must be at least 0 and at most 1, not -0.1"),
        (lists.Options("list.tar.gz", min_score=float("nan")), "`min_score` must be a finite number, not nan"),
    ],
)
def test_a_number_outside_its_range_is_refused_by_name(options: Any, said: str):
    with pytest.raises(InputError) as caught:
        hold(options)
    assert str(caught.value) == said


def numbers_without_a_range(options: Any) -> list[str]:
    """The fields of a dataclass of options, and of those in it, that are numbers of any size."""
    hints, found = get_type_hints(options, include_extras=True), []
    for field in fields(options):
        hint = hints[field.name]
        if is_dataclass(hint):
            found += numbers_without_a_range(hint)
        elif {int, float} & parts(hint) and not any(isinstance(part, Range) for part in parts(hint)):
            found.append(f"{options.__module__}: {field.name}")
    return found


def parts(hint: Any) -> set[Any]:
    """A type and all that it is made of."""
    return {hint}.union(*map(parts, get_args(hint))) if not isinstance(hint, str) else set()


def test_every_number_of_every_command_has_a_range():
    commands = [import_module(place.split(":")[0]).Options for place, _ in COMMANDS.values()]
    commands += [clean.Options, images.Options, lists.Options, merge.Options, train.Options, demo.Options]
    commands += get_args(dataset.Options)
    assert len(commands) == 19
    assert [name for command in commands for name in numbers_without_a_range(command)] == []


def test_the_ends_of_a_range_words_and_what_is_not_given_are_taken():
    hold(train.Options(recipe=Recipe(lr=0.0, ema=0.0, weight_decay="auto"), mosaic=64, workers=0, trainable_layers=6))
    hold(predict.Options(batch_size="auto", redact_threshold=1.0, grow=0.0, max_pixels=1))
    hold(evaluate.Options(threshold=0.05))
    hold(images.Options(placeholder=0))


def test_options_in_options_are_told_as_one_flat_list_and_set_by_their_names():
    told = plain(train.Options(data=Path("d"), recipe=Recipe(epochs=3), shares=Shares(0.3, 0.0)))
    assert (told["data"], told["epochs"], told["val"], told["test"], told["arch"]) == ("d", 3, 0.3, 0.0, None)
    assert "recipe" not in told and "shares" not in told
    again = renewed(train.Options(), {"epochs": 3, "val": 0.3, "data": Path("d"), "unknown": 1})
    assert again == train.Options(data=Path("d"), recipe=Recipe(epochs=3), shares=Shares(0.3, 0.1))


@pytest.mark.parametrize("line", ["predict.py a.png --out", "train.py --data", "serve.py --people", "-m clean --data"])
def test_an_empty_path_is_not_the_current_folder(line: str):
    *words, option = line.split()
    done = typed(*words, option, "")
    assert done.returncode == 2
    assert f"Error parsing {option}: the path is empty; give one" in done.stderr  # the rest is on another line


@pytest.mark.parametrize("line", ["predict.py a.png --out o --filter", "predict.py a.png --out o --analyse",
                                  "predict.py a.png --out o --format", "evaluate.py --analyse"])  # fmt: skip
@pytest.mark.parametrize("text", ["", "points,"])
def test_a_list_of_names_has_no_empty_one(line: str, text: str):
    *words, option = line.split()
    done = typed(*words, option, text)
    assert done.returncode == 2 and f"Error parsing {option}: {text!r} has an empty name" in done.stderr
