"""Who each face is: one of the people in a folder, or nobody among them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from visavis.analysers.identity.cache import FILE, Cache, cached
from visavis.analysers.identity.encoders import DEFAULT, load_encoder
from visavis.analysers.identity.encoding import Encodings
from visavis.analysers.identity.gallery import read_gallery
from visavis.analysers.protocol import About, Origin
from visavis.faces import Faces
from visavis.images import OneImage, Picture, taken
from visavis.messages import say


class Identity:
    """The attributes `who`, the name of one of the people or "" for nobody among them, and `who_score`, how probable
    that answer is, by the photos in the folder `people`: a folder in it for each person, named after them.

    encoder: a name in visavis.analysers.identity.encoding.ENCODERS. Raises InputError for a folder that has no faces.
    """

    attributes = ("who", "who_score")
    keypoints: tuple[str, ...] = ()

    def __init__(self, people: Path, encoder: str = DEFAULT) -> None:
        self._encoder = load_encoder(encoder)
        self._gallery = read_gallery(Path(people), self._encoder)
        fingerprint = self._gallery.fingerprint
        self.about = About(lambda: fingerprint, analyse_photo=self._analyse_photo, keeps=FILE)
        for note in self._gallery.notes:
            say(note)
        counts = f"{len(self._gallery.people)} people, photos: {len(self._gallery.owners)}"
        say(f"{people}: {counts}; their encodings are kept in {Path(people) / FILE}")

    def analyse(self, picture: OneImage, faces: Faces) -> Faces:
        """See visavis.analysers.protocol.Analyser."""
        picture = taken(picture)
        return self._named(faces, self._encoder.encode(picture, faces))

    def _analyse_photo(self, picture: Picture, faces: Faces, origin: Origin) -> Faces:
        """As `analyse`; the encodings are kept in the folder of results, and made once for each face."""
        with Cache(origin.out / FILE, self._encoder.name) as cache:
            return self._named(faces, cached(cache, self._encoder, picture, faces, origin.photo))

    def _named(self, faces: Faces, encodings: Encodings) -> Faces:
        names, scores = self._gallery.who(encodings)
        return replace(faces, attributes=faces.attributes | {"who": np.array(names, np.str_), "who_score": scores})
