"""A run that learns a cascade: its folder holds the faces, and after each stage the cascade and what is needed to go
on. What is drawn by chance depends on the seed and on the number of the stage alone, so that a run that was stopped at
any moment goes on to the same cascade."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tqdm import tqdm

from visavis import checkpoint
from visavis.analysers.points.analyser import points
from visavis.boxes import Boxes
from visavis.detectors.viola_jones import crops, features
from visavis.detectors.viola_jones.cascade import Cascade, of_arrays
from visavis.detectors.viola_jones.learning import CascadeRecipe, learn_stage
from visavis.detectors.viola_jones.negatives import Negatives, integrals, standard
from visavis.errors import ImageError, InputError
from visavis.files import replaced
from visavis.messages import counted, say
from visavis.reduced_photos import UsefulSize, read_reduced_photo

CONTRAST = 4.0
"""Windows whose standard deviation is not above this are dropped: fog and sky."""
SMOOTHER = (0.9, 1.0)
"""How smooth windows are: their 24 x 24 pixels are means of a large face's pixels, and vary less. In use, features are
divided by the standard deviation of the latter."""
FEWEST = 50
"""Faces, and windows without one, that a stage needs at least."""
FACES, STATE, WEIGHTS, METRICS = "faces.safetensors", "state.safetensors", "cascade.safetensors", "metrics.jsonl"


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo with the boxes (N, 4) of its faces."""

    path: Path
    boxes: Boxes


def cut_faces(folder: Path, photos: Sequence[LabelledPhoto], seed: int) -> None:
    """Write the windows of all frontal faces into the folder, unless they are there. Raises InputError if there are
    too few."""
    path = folder / FACES
    if path.exists():
        return
    analyser, found, windows = points(), [], []
    for number, photo in enumerate(tqdm(photos, unit="photo", desc="faces", disable=None)):
        try:
            picture = read_reduced_photo(photo.path, UsefulSize()).picture
        except ImageError:  # `python -m clean` names the photos that cannot be read
            continue
        faces = crops.frontal(picture, photo.boxes, analyser)
        found.append(faces)
        windows.append(crops.windows(picture, faces, np.random.default_rng([seed, number])))
    count = sum(map(len, found))
    if count < FEWEST:
        raise InputError(
            f"only {counted(count, 'face looks', 'faces look')} at the camera, in {counted(len(photos), 'photo')}; a "
            f"cascade needs {FEWEST}"
        )
    say(f"{sum(len(photo.boxes) for photo in photos):,} faces, {counted(count, 'looks', 'look')} at the camera")
    framing = np.array(crops.framed(found), np.float32)
    checkpoint.save_arrays(path, {"windows": np.concatenate(windows), "framing": framing}, {})


class Run:
    """A run in a folder that holds faces. Goes on from the last stage that was learnt, if there is one.

    metadata: what the checkpoint will say of how it was made.
    """

    def __init__(
        self, folder: Path, negatives: Sequence[Path], recipe: CascadeRecipe, seed: int, metadata: dict[str, Any]
    ) -> None:
        self._folder, self._recipe, self._seed, self._metadata = folder, recipe, seed, metadata
        faces = load_file(folder / FACES)
        names = ("left", "top", "right", "bottom")
        self._framing = dict(zip(names, map(float, faces["framing"]), strict=True))
        order = np.random.default_rng(seed).permutation(len(faces["windows"]) // crops.VARIANTS)
        same = order[:, None] * crops.VARIANTS + np.arange(crops.VARIANTS)  # all of a face on one side
        smoother = np.random.default_rng(seed).uniform(*SMOOTHER, (same.size, 1, 1)).astype(np.float32)
        self._faces = integrals(standard(faces["windows"][same.ravel()]) * smoother)
        self._negatives = Negatives([negatives[n] for n in np.random.default_rng(seed).permutation(len(negatives))])
        self.cascade = Cascade((), contrast=CONTRAST)
        self._rectangles = features.every()
        self._corners = features.corners(self._rectangles)
        if (folder / STATE).exists():
            self._restore(load_file(folder / STATE))

    def go(self, report: Callable[[str], None] = say) -> Cascade:
        """Learn the stages that are left, and say what each of them is like."""
        while len(self.cascade.stages) < self._recipe.stages:
            number = len(self.cascade.stages)
            self._negatives.fill(self.cascade, self._recipe.negatives, self._recipe.searches, self._seed)
            if len(self._negatives.patches) < FEWEST or self._faces.shape[1] < FEWEST:
                passing = counted(len(self._negatives.patches), "window passes", "windows pass")
                report(f"the cascade is done: {passing} it without a face")
                break
            others = integrals(self._negatives.patches)
            rng = np.random.default_rng([self._seed, number])
            learnt = learn_stage(self._rectangles, self._corners, self._faces, others, self._recipe, rng)
            self._add(learnt.stage)
            row = {
                "stage": number + 1,
                "features": len(learnt.stage),
                "detection": learnt.detection,
                "false": learnt.false,
                "negatives": others.shape[1],
                "searched": self._negatives.next,
                "windows": self._negatives.seen,
            }
            self._save(row)
            report(
                f"stage {number + 1}: {counted(len(learnt.stage), 'feature')}, {learnt.detection:.2%} of faces and "
                f"{learnt.false:.1%} of {others.shape[1]} other windows pass"
            )
        return self.cascade

    def _add(self, stage: Any) -> None:
        """Append a stage, and drop the windows that it does not let through."""
        self.cascade = Cascade((*self.cascade.stages, stage), contrast=CONTRAST)
        self._faces = self._faces[:, stage.margins(self._faces) >= 0]
        self._negatives.keep(self.cascade)

    def _save(self, row: dict[str, Any]) -> None:
        """The state goes last: if the program is killed before, the stage is learnt once more, to the same result."""
        arrays = self.cascade.arrays()
        rows = [*self._rows(), row]
        with replaced(self._folder / METRICS) as file:
            file.writelines(json.dumps(one) + "\n" for one in rows)
        known = self._metadata | {
            "kind": "viola_jones",
            "contrast": CONTRAST,
            "framing": self._framing,
            "threshold": 0.5,
            "stages": rows,
        }
        checkpoint.save_arrays(self._folder / WEIGHTS, arrays, known)
        more = {"patches": self._negatives.patches, "next": np.array([self._negatives.next, self._negatives.seen])}
        checkpoint.save_arrays(self._folder / STATE, arrays | more, {})

    def _rows(self) -> list[dict[str, Any]]:
        """What metrics.jsonl says of the stages before this one."""
        path = self._folder / METRICS
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines[: len(self.cascade.stages) - 1]]

    def _restore(self, state: dict[str, NDArray[Any]]) -> None:
        for stage in of_arrays(state).stages:
            self._add(stage)
        self._negatives.patches = state["patches"]
        self._negatives.next, self._negatives.seen = (int(value) for value in state["next"])
        say(f"resumes after stage {len(self.cascade.stages)}")
