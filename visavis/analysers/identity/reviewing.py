"""Whether the photos of people lie in the right folders, as far as their faces say."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.analysers.identity.calibration import ONE_PERSON
from visavis.analysers.identity.encoding import distances
from visavis.analysers.identity.grouping import grouped
from visavis.analysers.identity.known import Gallery


def reviewed(gallery: Gallery, paths: Sequence[Path]) -> Gallery:
    """The gallery without photos that lie in another person's folder, and without people who have no other photos, with
    notes on these, on folders that seem to be of several people, and on people who have two. paths: of the photo of
    each encoding."""
    people, notes = gallery.people, []
    if not people:
        return gallery
    odds = _odds_without_itself(gallery)
    own = odds[np.arange(len(odds)), gallery.owners]
    odds[np.arange(len(odds)), gallery.owners] = -np.inf
    nearest, enough = odds.argmax(axis=1), np.log(max(1, len(people) - 1))
    wrong = (odds.max(axis=1) > enough) & (own < 0)
    for face in np.flatnonzero(wrong).tolist():
        here, there = people[gallery.owners[face]], people[nearest[face]]
        notes.append(f"{paths[face]} looks like {there}, and not like the other photos of {here}; it is not used: move "
                     "or remove it")  # fmt: skip
    encodings, owners = gallery.encodings[~wrong], gallery.owners[~wrong]
    left = np.unique(owners)
    for person in set(range(len(people))).difference(left.tolist()):
        notes.append(f"{people[person]} has no other photo that can be used, and cannot be recognised")
    sums = np.zeros((len(people), len(people)))
    np.add.at(sums, owners, odds[~wrong])
    means = sums[np.ix_(left, left)] / np.bincount(owners, minlength=len(people))[left, None]
    for one, other in left[np.argwhere(np.triu(np.minimum(means, means.T) > enough, 1))].tolist():
        notes.append(f"{people[one]} and {people[other]} seem to be one person; put their photos into one folder, or "
                     "neither is recognised for certain")  # fmt: skip
    left_over = replace(
        gallery,
        people=tuple(people[person] for person in left),
        encodings=encodings,
        owners=np.searchsorted(left, owners),
    )
    strange = _strange(left_over, [path for path, out in zip(paths, wrong, strict=True) if not out])
    return replace(left_over, notes=(*notes, *strange))


def _strange(gallery: Gallery, paths: Sequence[Path]) -> Iterator[str]:
    """Notes on people whose photos do not look like one person's. They are used all the same: who was a child in one of
    them looks like nobody else, too."""
    for person, name in enumerate(gallery.people):
        theirs = np.flatnonzero(gallery.owners == person)
        groups = grouped(gallery.encodings[theirs], ONE_PERSON)
        sizes = np.bincount(groups)
        if len(sizes) == 1:
            continue
        if (sizes == sizes.max()).sum() > 1:  # nobody can say who of them it is
            here, there = (paths[theirs[np.argmax(groups == group)]] for group in np.argsort(-sizes)[:2])
            yield (
                f"{here} and {there} do not look like one person, and both count as {name}; give each person a folder "
                "of their own"
            )
            continue
        others = theirs[groups != sizes.argmax()]
        if len(others) == 1:
            yield (
                f"{paths[others[0]]} does not look like the other photos of {name}; it counts as {name} all the same: "
                "move it if it shows somebody else"
            )
        else:
            yield (
                f"{paths[others[0]]} and {len(others) - 1} more do not look like the other photos of {name}; they "
                f"count as {name} all the same: move those that show somebody else"
            )


def _odds_without_itself(gallery: Gallery) -> NDArray[np.float64]:
    """(M, P) `Gallery.log_odds` of the gallery's own faces, each compared with all others; NaN where its person has no
    other."""
    odds = gallery.log_odds(gallery.encodings)
    for person in range(len(gallery.people)):
        theirs = np.flatnonzero(gallery.owners == person)
        others, sums = len(theirs) - 1, gallery.encodings[theirs].sum(axis=0)
        for face in theirs:
            means = (sums - gallery.encodings[face]) / max(1, others)
            apart = distances(gallery.encodings[face][None], means[None])
            compared = gallery.calibration.to_person(apart, np.array(max(1, others)))
            odds[face, person] = gallery.calibration.log_odds(compared)[0, 0] if others else np.nan
    return odds
