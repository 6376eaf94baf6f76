"""What stands before the camera: the classes of ImageNet, by one of torchvision's classifiers."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.errors import InputError
from visavis.extras import needed
from visavis.images import Picture

TOP = 5
"""Classes that are shown."""
EVERY = 0.4
"""Seconds from one look of the classifier to the next."""
STEADY = 1.0
"""Seconds in which the shown shares go most of the way (1 - 1/e) to those of a new picture."""


class Classifier:
    """One of torchvision's classifiers, such as mobilenet_v2 or vgg16: `shares(picture)`.

    weights: a file with its weights, as torchvision publishes them; None for those that torchvision has fetched, or
    fetches now. Raises InputError where there is no such classifier, or no weights for it.
    """

    def __init__(self, name: str, weights: Path | None = None) -> None:
        needed("torchvision", "the classifier", "pip install 'visavis[train]'")
        from torchvision import models
        from torchvision.models import get_model, get_model_weights, list_models

        offered = list_models(module=models)
        if name not in offered:
            raise InputError(f"`classifier` {name}: torchvision has none of that name; mobilenet_v2 and vgg16 are two")
        kinds = list(get_model_weights(name))
        kind: Any = kinds[0]
        if weights is not None:  # their names end with the start of their SHA-256
            kind = next((one for one in kinds if Path(one.url).stem == weights.stem), kind)
        state = _published(kind, name) if weights is None else _read(weights)
        self.name, self.classes = name, list(kind.meta["categories"])
        self._prepared = kind.transforms()
        self._network = get_model(name, weights=None).eval()
        try:
            self._network.load_state_dict(state)
        except (RuntimeError, TypeError) as error:
            why = str(error).splitlines()[0]
            raise InputError(f"`classifier_weights` {weights} are not those of {name} ({why}); give others") from None

    def shares(self, picture: Picture) -> NDArray[np.float32]:
        """(classes,) how likely each class is, for a (height, width, 3) uint8 RGB picture; they add up to 1."""
        import torch

        with torch.inference_mode():
            planes = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
            answer = self._network(self._prepared(planes)[None])[0].softmax(0)
        return np.asarray(answer.numpy(), np.float32)


class Scene:
    """What stands before one camera: the classifier's shares, steady from frame to frame."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._shares: NDArray[np.float32] | None = None
        self._seconds = 0.0

    def look(self, picture: Picture, seconds: float) -> list[tuple[str, float]]:
        """The likeliest `TOP` classes and their shares, likeliest first, at that time. It looks every `EVERY` seconds,
        and answers as before in between."""
        if self._shares is None or not 0 <= seconds - self._seconds < EVERY:
            now = self._classifier.shares(picture)
            step = max(0.0, seconds - self._seconds)
            share = 1.0 if self._shares is None else 1 - np.exp(-step / STEADY)
            before = now if self._shares is None else self._shares
            self._shares, self._seconds = (before + share * (now - before)).astype(np.float32), seconds
        best = np.argsort(-self._shares, kind="stable")[:TOP]
        return [(self._classifier.classes[one], round(float(self._shares[one]), 3)) for one in best]


def _published(kind: Any, name: str) -> dict[str, Any]:
    from urllib.error import URLError

    try:
        return dict(kind.get_state_dict(progress=False, check_hash=True))
    except (URLError, OSError, RuntimeError) as error:
        where = f"the weights of `classifier` {name} cannot be fetched from {kind.url} ({error})"
        raise InputError(f"{where}; fetch that file elsewhere, and give it as `classifier_weights`") from None


def _read(weights: Path) -> dict[str, Any]:
    import pickle

    import torch

    try:
        state: dict[str, Any] = torch.load(weights, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        why = str(error).splitlines()[0]
        raise InputError(
            f"`classifier_weights` {weights} cannot be read ({why}); give a file of torchvision's"
        ) from None
    return state
