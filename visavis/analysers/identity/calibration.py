"""How likely it is that two faces are of one person, by how far their encodings are apart.

The constants are in one place, here. They are fitted by logistic regression to pairs of 700 photos of 122 people of
Labeled Faces in the Wild (Huang et al. 2007), in which those of one person and those of two weigh the same.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Calibration:
    """Of an encoder: the log of the odds that two faces are of one person falls by `steepness` a unit of distance, and
    is 0 at `middle`. spread: half of the mean squared distance of two faces of one person."""

    middle: float
    steepness: float
    spread: float

    def log_odds(self, distances: NDArray[np.floating]) -> NDArray[np.float64]:
        """That faces so far apart are of one person, where that was as likely as not before they were compared."""
        return self.steepness * (self.middle - np.asarray(distances, np.float64))

    def to_person(self, distances: NDArray[np.floating], photos: NDArray[np.integer]) -> NDArray[np.float64]:
        """(N, P) how far faces are from people, by their (N, P) distances from the mean of each one's encodings, of so
        many (P,) photos, as if there was one photo of each.

        The mean of k faces is nearer to all others of the person: of the squared distance it lacks the spread, times
        1 - 1/k. On Labeled Faces in the Wild, five photos count for much more so than by the nearest of them.
        """
        return np.sqrt(np.asarray(distances, np.float64) ** 2 + self.spread * (1 - 1 / np.asarray(photos)))


CALIBRATIONS: dict[str, Calibration] = {"face_recognition": Calibration(middle=0.61, steepness=40.0, spread=0.094)}
"""Name of an encoder -> what its distances say. The fit gives 0.611 and 47, and on halves of the people 0.610 (standard
deviation 0.004) and 51 (11); the steepness is rounded down, so that probabilities claim less than it may."""


def calibration_of(encoder: str) -> Calibration:
    """That of an encoder, by its `name`, version and all."""
    return CALIBRATIONS[encoder.partition("/")[0]]


ONE_PERSON = 0.7
"""The tolerance (visavis.analysers.identity.grouping) up to which the photos in a person's folder are taken to be of
one person. On folders of two to five photos of people of Labeled Faces in the Wild (all years, none of children), 1 to
2 % of the right ones are called in question, and 0.3 to 4 % of those with a stranger's photo are not."""
KNOWN = 0.5
"""The share of faces, in an album, that are taken to be of somebody in the gallery, before they are compared."""
SURE = 0.5
"""The least probability with which a name is given."""


def posterior(log_odds: NDArray[np.float64], known: float = KNOWN) -> NDArray[np.float64]:
    """(N, P) probabilities that each face is of each person, by the log odds of (N, P) comparisons; what is missing to
    1 is the probability that it is of nobody among them.

    By Bayes' rule: each of the P people is as likely as any other before the comparison, and all together have the
    share `known`. So the same distance says less in a larger gallery, in which more strangers come near by chance.
    """
    people = log_odds.shape[1]
    if not people:
        return np.zeros(log_odds.shape)
    logs = np.concatenate([log_odds + np.log(known / people), np.full((len(log_odds), 1), np.log(1 - known))], axis=1)
    odds = np.exp(logs - logs.max(axis=1, keepdims=True))
    return (odds / odds.sum(axis=1, keepdims=True))[:, :-1]
