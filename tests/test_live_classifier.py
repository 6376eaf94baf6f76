"""What stands before the camera: torchvision's classifiers, steady over frames, and what is said of bad files."""

from pathlib import Path

import numpy as np
import pytest
import skimage.data

from visavis.errors import InputError
from visavis.live.classifier import Scene

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")


class Says:
    """A classifier of seven classes that is told what to say, and counts how often it is asked."""

    def __init__(self, *shares: float) -> None:
        self.looks, self.said, self.classes = 0, np.float32(shares), list("abcdefg")

    def shares(self, picture: np.ndarray) -> np.ndarray:
        self.looks += 1
        return self.said


def test_the_likeliest_five_are_steady_from_frame_to_frame():
    says = Says(0.5, 0.2, 0.1, 0.1, 0.05, 0.05, 0)
    scene, picture = Scene(says), np.zeros((8, 8, 3), np.uint8)
    assert scene.look(picture, 0) == [("a", 0.5), ("b", 0.2), ("c", 0.1), ("d", 0.1), ("e", 0.05)]
    says.said = np.float32([0, 0.2, 0.1, 0.1, 0.05, 0.05, 0.5])
    assert scene.look(picture, 0.3)[0] == ("a", 0.5) and says.looks == 1  # it does not look at every frame
    first, second = scene.look(picture, 0.5)[:2]
    assert says.looks == 2 and first == ("a", round(0.5 * np.exp(-0.5), 3))
    assert second == ("b", 0.2) and dict(scene.look(picture, 0.5)[:3])["g"] == round(0.5 - 0.5 * np.exp(-0.5), 3)
    scene.look(picture, 1.5)
    assert scene.look(picture, 2.5)[0][0] == "g"


def test_a_classifier_reads_torchvisions_files_and_says_what_is_wrong_with_others(tmp_path: Path):
    from torchvision.models import mobilenet_v2

    from visavis.live.classifier import Classifier

    network, file = mobilenet_v2(weights=None).eval(), tmp_path / "own.pth"
    torch.save(network.state_dict(), file)
    classifier = Classifier("mobilenet_v2", file)
    assert len(classifier.classes) == 1000 and classifier.classes[:2] == ["tench", "goldfish"]
    shares = classifier.shares(skimage.data.astronaut())
    assert shares.shape == (1000,) and shares.sum() == pytest.approx(1, abs=1e-3)
    planes = torch.from_numpy(skimage.data.astronaut()).permute(2, 0, 1)
    from torchvision.models import MobileNet_V2_Weights

    with torch.inference_mode():
        expected = network(MobileNet_V2_Weights.IMAGENET1K_V1.transforms()(planes)[None])[0].softmax(0).numpy()
    np.testing.assert_allclose(shares, expected, atol=1e-6)
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"a": torch.zeros(3)}, tmp_path / "other.pth")
    for name, weights, words in (
        ("squid_v9", None, "squid_v9: torchvision has none"),
        ("mobilenet_v2", tmp_path / "text.pth", "text.pth cannot be read"),
        ("mobilenet_v2", tmp_path / "none.pth", "none.pth cannot be read"),
        ("mobilenet_v2", tmp_path / "other.pth", "are not those of mobilenet_v2"),
    ):
        with pytest.raises(InputError, match=words):
            Classifier(name, weights)
