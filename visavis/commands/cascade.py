"""Learn a cascade of Viola and Jones: `python -m visavis.cascade --data data --out runs/cascade`.

Of the photos of a data folder, those with labels give faces, and those without a face give windows to tell them from.
It writes into --out: config.json, faces.safetensors (the windows with faces), metrics.jsonl (a line for each stage),
state.safetensors (what --resume needs) and cascade.safetensors, which other commands take as --detector. It is a
command of its own since train.py is for networks: a cascade has no epochs, gradients or batches. More in
docs/viola-jones.md.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visavis.commands.commandline import DataFolder
from visavis.data.split import Shares
from visavis.detectors.viola_jones.learning import CascadeRecipe
from visavis.errors import InputError
from visavis.messages import say
from visavis.options import AutoCount, Count, Seed, plain

if TYPE_CHECKING:
    from visavis.detectors.viola_jones.run import LabelledPhoto

ANEW = ("data", "workers")
"""Options that may change with --resume, since nothing that is learnt depends on them."""


@dataclass
class Options:
    """Learn a cascade of Haar-like features (Viola and Jones) from the photos of a data folder, on the CPU."""

    data: DataFolder = Path("data")
    out: Path = Path("runs/cascade")
    """Folder for the cascade and the record of the run. It must not hold a run, except with --resume."""
    recipe: CascadeRecipe = CascadeRecipe()
    shares: Shares = Shares()
    limit: Count | None = None
    """Use at most this many photos with faces, chosen by the seed."""
    workers: AutoCount = "auto"
    """Cores that try features. auto: all."""
    seed: Seed = 0
    """Seed of what is drawn by chance: the variants of faces, the order of photos, and the features that are tried."""
    resume: bool = False
    """Continue the run in --out after its last stage, with the options that it was started with."""


def fingerprint(labelled: "list[LabelledPhoto]", faceless: list[Path]) -> str:
    """Of the photos' names and the labels, on which what is learnt depends."""
    digest = hashlib.sha256()
    for photo in labelled:
        digest.update(photo.path.name.encode("utf-8", "surrogateescape") + photo.boxes.tobytes())
    for path in faceless:
        digest.update(path.name.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def cascade(options: Options) -> int:
    """Learn the cascade. Returns the exit status 0. Raises InputError for what cannot work."""
    from visavis.cores import cores
    from visavis.data.photos import Photos
    from visavis.detectors.viola_jones.boosting import INSTALL
    from visavis.detectors.viola_jones.run import WEIGHTS, LabelledPhoto, Run, cut_faces
    from visavis.extras import needed
    from visavis.training import config

    numba: Any = needed("numba", "learning a cascade", INSTALL)
    if options.resume:
        options = config.resumed(options, ANEW)
    else:
        config.check_new(options.out)
    workers = cores() if options.workers == "auto" else options.workers
    numba.set_num_threads(min(workers, numba.config.NUMBA_NUM_THREADS))
    photos = Photos.load(options.data, "train", options.shares)
    numbers = [number for number, photo in enumerate(photos) if len(photo.boxes)]
    faceless = [photo.path for photo in photos if not len(photo.boxes) and not len(photo.ignore)]
    if not faceless:
        raise InputError(f"{options.data} has no photo without a face; import some with `python -m dataset import`")
    with_faces = photos.take(numbers)
    if options.limit is not None:
        with_faces = with_faces.sample(options.limit, options.seed)
    labelled = [LabelledPhoto(photo.path, photo.boxes) for photo in with_faces]
    data = fingerprint(labelled, faceless)
    if options.resume:
        config.check_data(options.out, data, options.data)
    else:
        asked = plain(options) | {"resume": False}
        config.write(options.out, {"options": asked, "data": data} | config.surroundings())
    cut_faces(options.out, labelled, options.seed)
    names = {"data": options.data.name, "out": options.out.name, "resume": False}
    run = Run(options.out, faceless, options.recipe, options.seed, {"options": plain(options) | names})
    run.go()
    say(f"find the faces in your photos: python predict.py PHOTOS --detector {options.out / WEIGHTS} --out boxed")
    say("set its threshold: python evaluate.py --detector FILE --calibrate --rethreshold, with that file and --data")
    return 0
