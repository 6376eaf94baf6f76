"""The server from which a process of pytest forks workers and trainings: it has imported what any of them needs.

A command has a server of its own, with its own modules loaded. Here many commands run in one process, and without this
the first of them would decide what is loaded: the workers of all others would each import their modules anew, and
trainings torch, which takes seconds of CPU time each.
"""

import multiprocessing
from multiprocessing import forkserver
from typing import Any
from unittest import mock

from clean import inspecting
from download import judge
from visavis import workers
from visavis.prediction.videos import VIDEO_MODULES

LIGHT = (*judge.MODULES, *inspecting._MODULES, "visavis.prediction.pipeline", *VIDEO_MODULES)
TORCH = ("train", "torchvision.models.detection", "tqdm", "torch._dynamo")

_start = workers._start_server
_with_torch = False


def shared() -> Any:
    """A context in which pools of workers share one server."""
    return mock.patch.object(workers, "_start_server", side_effect=lambda modules: _start(LIGHT))


def context_with_torch() -> Any:
    """The context of multiprocessing in which processes are forked from a server that has loaded torch as well."""
    global _with_torch
    if not _with_torch:
        forkserver._forkserver._stop()  # one that is running cannot import more; this is how Python's own tests end it
        _start((*LIGHT, *TORCH))
        _with_torch = True
    return multiprocessing.get_context("forkserver")
