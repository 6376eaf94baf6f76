"""Glasses, moustaches and the like on the faces of a run: the filters, and what finds the points that they need."""

from collections.abc import Callable
from dataclasses import dataclass

from visavis.effects.filters import Filters
from visavis.faces import Faces
from visavis.images import Picture
from visavis.keypoints import SIXTY_EIGHT
from visavis.prediction.analysis import Analysis


@dataclass(frozen=True)
class Filtering:
    """filters: what is drawn. points: the analyser that finds the 68 points of faces that come without them."""

    filters: Filters
    points: Analysis = Analysis(("points",))

    def __call__(
        self, picture: Picture, faces: Faces, steadied: Callable[[Faces], Faces] = lambda faces: faces
    ) -> Picture:
        """A copy of the picture with the filters on its faces. steadied: is given the faces with their points."""
        if not len(faces):
            return picture
        return self.filters(picture, steadied(self.pointed(picture, faces)))

    def pointed(self, picture: Picture, faces: Faces) -> Faces:
        """The faces with their 68 points."""
        known = faces.keypoints is not None and faces.keypoints.shape[1] == len(SIXTY_EIGHT)
        return faces if known else self.points(picture, faces)
