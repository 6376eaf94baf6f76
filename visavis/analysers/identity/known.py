"""The people that are known, by the encodings of their faces, and who of them a face is."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from visavis.analysers.identity.calibration import SURE, Calibration, calibration_of, posterior
from visavis.analysers.identity.encoding import Encodings, distances


@dataclass(frozen=True)
class Gallery:
    """The encodings of people. Several photos of a person count by the mean of their encodings.

    people: their names. encodings: (M, size), none of them NaN. owners: (M,) whose each is, a number in `people`.
    encoder: the name of what made them. notes: what the user should know of the photos, a sentence each.
    fingerprint: the same for the same people with the same photos.
    """

    people: tuple[str, ...]
    encodings: Encodings
    owners: NDArray[np.int64]
    encoder: str
    notes: tuple[str, ...] = ()
    fingerprint: str = ""

    @property
    def calibration(self) -> Calibration:
        """What the distances of its encoder say."""
        return calibration_of(self.encoder)

    def who(self, encodings: Encodings) -> tuple[list[str], NDArray[np.float32]]:
        """The name of each of the faces with these (N, size) encodings, "" for nobody among the people; and how
        probable that answer is, (N,). It is NaN where the encoding is."""
        known = ~np.isnan(encodings).any(axis=1)
        names, scores = [""] * len(encodings), np.full(len(encodings), np.nan, np.float32)
        chances = posterior(self.log_odds(encodings[known]))
        for face, row in zip(np.flatnonzero(known), chances, strict=True):
            best = int(row.argmax()) if len(row) else -1
            named = best >= 0 and row[best] >= SURE
            names[face] = self.people[best] if named else ""
            scores[face] = row[best] if named else 1 - row.sum()
        return names, scores

    def log_odds(self, encodings: Encodings) -> NDArray[np.float64]:
        """(N, P): for each face and each of the people, how the comparison changes the log of the odds that the face is
        that person's."""
        apart = self.calibration.to_person(distances(encodings, self._means), self._counts)
        return self.calibration.log_odds(apart)

    @cached_property
    def _counts(self) -> NDArray[np.int64]:
        """(P,) the photos of each person, one or more."""
        return np.bincount(self.owners, minlength=len(self.people))

    @cached_property
    def _means(self) -> Encodings:
        """(P, size) the mean of each person's encodings."""
        sums = np.zeros((len(self.people), self.encodings.shape[1]))
        np.add.at(sums, self.owners, self.encodings)
        return (sums / self._counts[:, None]).astype(np.float32)
