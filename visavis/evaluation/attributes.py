"""What an analyser's answers on mask, age and gender are worth, face by face, on the labels of attributes.csv.

Precision is of what is said: of a face of which nothing is said the recall suffers, and nothing else. Intervals are
95 %: Wilson's for shares, the bootstrap over faces for ages.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis import calibration
from visavis.analysers.protocol import Analyser
from visavis.boxes import as_boxes
from visavis.charts import Scored
from visavis.data.attributes import CLASSES, KnownAttributes
from visavis.data.photos import Photo
from visavis.evaluation import bootstrap
from visavis.evaluation.readable import readable
from visavis.evaluation.scoreboard import cell
from visavis.faces import Faces
from visavis.messages import counted

AGES = ((0, 3), (3, 13), (13, 20), (20, 30), (30, 45), (45, 60), (60, 121))
"""From the first year up to the second: children apart, whom many networks take for adults."""
WITHIN = (1, 3, 5, 10)
"""Years: for each, the share of faces is given whose predicted age is off by no more than that."""


@dataclass
class Answers:
    """What was said of faces, and what is known of them: a list entry, and a row of each column, a face."""

    known: list[KnownAttributes] = field(default_factory=list)
    columns: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    unreadable: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def together(cls, several: "Sequence[Answers]") -> "Answers":
        """Those of several sets of photos as one."""
        names = dict.fromkeys(name for one in several for name in one.columns)
        return cls(
            [face for one in several for face in one.known],
            {name: [rows for one in several for rows in one.columns.get(name, [])] for name in names},
            [row for one in several for row in one.unreadable],
        )

    def column(self, name: str) -> NDArray[Any]:
        """(N,) what was said."""
        return np.concatenate(self.columns[name]) if self.columns.get(name) else np.zeros(0)


def ask(analyser: Analyser, photos: Sequence[Photo], labelled: dict[str, list[KnownAttributes]]) -> Answers:
    """Run the analyser on every face that `labelled` has, in its labelled box. labelled: faces by image_id."""
    answers = Answers()
    for photo, picture in readable([one for one in photos if one.image_id in labelled], answers.unreadable):
        known = labelled[photo.image_id]
        given = analyser.analyse(picture, Faces(as_boxes([one.box for one in known]))).attributes
        answers.known += known
        for name in analyser.attributes:
            answers.columns.setdefault(name, []).append(given[name])
    return answers


def figures(answers: Answers) -> dict[str, Any]:
    """Of each attribute that was asked for: its figures, or none if no label has it."""
    found: dict[str, Any] = {}
    for name, classes in CLASSES.items():
        if name in answers.columns:
            truth = np.array([getattr(one, name) for one in answers.known])
            found[name] = of_classes(truth, answers.column(name), answers.column(f"{name}_score"), classes)
    if "age" in answers.columns:
        ages = [one.ages or (np.nan, np.nan) for one in answers.known]
        found["age"] = of_ages(np.array(ages, np.float64).reshape(-1, 2), answers)
    return found


def said_of_classes(answers: Answers) -> dict[str, Scored]:
    """Of each attribute that is a class, if something was said of a face whose label has it."""
    found = {}
    for name in CLASSES:
        if name in answers.columns:
            truth, said = np.array([getattr(one, name) for one in answers.known]), answers.column(name)
            if (spoken := (truth != "") & (said != "")).any():
                found[name] = Scored(answers.column(f"{name}_score")[spoken], (said == truth)[spoken])
    return found


def years_off(answers: Answers) -> NDArray[np.float64]:
    """(N,) by how many years the ages that were said are wrong, of faces whose age is known to the year."""
    if "age" not in answers.columns:
        return np.zeros(0)
    truth = np.array([np.nan if one.age is None else one.age for one in answers.known], np.float64)
    off = np.abs(answers.column("age") - truth)
    return off[~np.isnan(off)]


def of_classes(
    truth: NDArray[np.str_], said: NDArray[np.str_], scores: NDArray[np.float32], classes: Sequence[str]
) -> dict[str, Any]:
    """truth: (N,) "" where nobody knows. said: (N,) "" where nothing is said. scores: (N,) how sure."""
    truth, said, scores = (column[truth != ""] for column in (truth, said, scores))
    spoken = said != ""
    right = spoken & (said == truth)
    values: dict[str, Any] = {
        "faces": len(truth),
        "said": _share(spoken),
        "right_of_said": _share(right[spoken]),
        "right_of_said_interval": bootstrap.share(int(right.sum()), int(spoken.sum())),
        "confusion": {one: {other: int(((truth == one) & (said == other)).sum()) for other in (*classes, "")}
                      for one in classes},
        "classes": {},
    }  # fmt: skip
    if spoken.any():
        values["calibration_error"] = float(calibration.reliability(scores[spoken], right[spoken]).error)
    for one in classes:
        hits = int((right & (truth == one)).sum())
        known, given = int((truth == one).sum()), int((said == one).sum())
        values["classes"][one] = {
            "faces": known,
            "precision": hits / given if given else None,
            "precision_interval": bootstrap.share(hits, given),
            "recall": hits / known if known else None,
            "recall_interval": bootstrap.share(hits, known),
            "f1": 2 * hits / (known + given) if known + given else None,
        }
    return values


def of_ages(bounds: NDArray[np.float64], answers: Answers) -> dict[str, Any]:
    """bounds: (N, 2) the youngest and the oldest that each face may be, NaN where nobody knows."""
    said, low, high = (answers.column(name).astype(np.float64) for name in ("age", "age_low", "age_high"))
    spoken, of_one, of_some = ~np.isnan(said), bounds[:, 0] == bounds[:, 1], bounds[:, 0] < bounds[:, 1]
    exact, grouped = of_one & spoken, of_some & spoken
    age, off = bounds[exact, 0], said[exact] - bounds[exact, 0]
    values: dict[str, Any] = {"faces": int(of_one.sum()), "said": _share(spoken[of_one | of_some]), **_errors(off)}
    if len(age):
        spread = float(((age - age.mean()) ** 2).sum())
        values["r2"] = 1 - float((off**2).sum()) / spread if spread else None
        values["within"] = {str(years): float((np.abs(off) <= years).mean()) for years in WITHIN}
        bounded = ~np.isnan(low[exact])
        inside = (low[exact] <= age) & (age <= high[exact])
        values["in_interval"] = _share(inside[bounded])
        values["interval_years"] = float((high - low)[exact][bounded].mean()) if bounded.any() else None
    values["groups"] = {
        f"{first} to {last - 1}": {"faces": int(mine.sum())} | _errors(off[mine])
        for first, last in AGES
        for mine in [(age >= first) & (age < last)]
    }
    inside = (np.round(said[grouped]) >= bounds[grouped, 0]) & (np.round(said[grouped]) <= bounds[grouped, 1])
    return values | {"faces_of_a_group": int(of_some.sum()), "in_group": _share(inside)}


def _errors(off: NDArray[np.float64]) -> dict[str, Any]:
    """Of (N,) years too many: mean absolute error with its interval, root of the mean square, mean."""
    if not len(off):
        return {"mae": None, "mae_interval": None, "rmse": None, "bias": None}
    size = np.abs(off)
    return {
        "mae": float(size.mean()),
        "mae_interval": bootstrap.of_mean(size),
        "rmse": float(np.sqrt((off**2).mean())),
        "bias": float(off.mean()),
    }


def _share(values: NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None


def report(found: dict[str, Any]) -> Iterator[str]:
    """The figures as lines for people; of what no label has, none."""
    for name, values in found.items():
        if not (values["faces"] or values.get("faces_of_a_group")):
            continue
        if name == "age":
            yield from _ages(values)
            continue
        yield f"{name}: {counted(values['faces'], 'face')}, of {cell(values['said'], '.1%')} something is said, " + (
            f"{cell(values['right_of_said'], '.1%')} of that right ({cell(values['right_of_said_interval'], '.1%')})"
        )
        yield f"  {'':8}{'faces':>7}{'precision':>11}{'recall':>9}{'F1':>8}   said: " + ", ".join(
            [*values["classes"], "nothing"]
        )
        for one, its in values["classes"].items():
            counts = ", ".join(str(count) for count in values["confusion"][one].values())
            yield (
                f"  {one:8}{its['faces']:>7}{cell(its['precision'], '.3f'):>11}{cell(its['recall'], '.3f'):>9}"
                f"{cell(its['f1'], '.3f'):>8}   {counts}"
            )


def _ages(values: dict[str, Any]) -> Iterator[str]:
    yield (
        f"age: {counted(values['faces'], 'face')} of a known age, {cell(values['mae'], '.2f')} years off in the mean "
        f"({cell(values['mae_interval'], '.2f')}), RMSE {cell(values['rmse'], '.2f')}; an age is said of "
        f"{cell(values['said'], '.1%')} of the faces that have a label"
    )
    if "within" in values:
        shares = ", ".join(f"{share:.1%} within {years}" for years, share in values["within"].items())
        yield (
            f"  {shares}; R2 {cell(values['r2'], '.3f')}; {cell(values['in_interval'], '.1%')} from age_low to "
            f"age_high, which are {cell(values['interval_years'], '.1f')} years apart"
        )
        yield f"  {'years':10}{'faces':>7}{'off':>8}{'interval':>16}{'too old by':>12}"
        for name, its in values["groups"].items():
            within = cell(its["mae_interval"], ".2f")
            yield f"  {name:10}{its['faces']:>7}{cell(its['mae'], '.2f'):>8}{within:>16}{cell(its['bias'], '+.2f'):>12}"
    if values["faces_of_a_group"]:
        within = cell(values["in_group"], ".1%")
        yield f"  {counted(values['faces_of_a_group'], 'face')} of a known group of ages: {within} of answers in it"
