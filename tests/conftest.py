"""What holds for all tests."""

import gc
import io
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

import forked
import pytest
from hypothesis import HealthCheck, settings

from visavis import onnx_files

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

gc.disable()  # until all is imported: it stays, and looking for garbage in it takes a sixth of the time of collecting

LONGEST = (
    "test_notebooks",
    "test_export",
    "test_backends",
    "test_train_options",
    "test_train_distributed",
    "test_train_teacher",
    "test_train_resume",
    "test_predict_videos",
    "test_attributes_training",
    "test_attributes_recipes",
    "test_points_training",
    "test_calibration",
    "test_single_face",
    "test_predict_copies",
    "test_architecture",
    "test_clean",
    "test_predict_ends",
    "test_train_start",
    "test_evaluate",
    "test_package",
    "test_clean_stopped",
)
"""The files that take longest, which workers take first: one begun last would keep the other workers waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first. xdist keeps this order with --no-loadscope-reorder (pyproject.toml)."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


def pytest_collection_finish() -> None:
    """What was imported is no more looked through for garbage."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    """As modules go, what they hold goes with them; nanobind calls what stays a leak."""
    gc.unfreeze()


@pytest.fixture
def site() -> Iterator[Any]:
    """A web site on loopback with a photo, at any address 127.x.y.z; a test file may have a site of its own."""
    from downloading import PHOTO
    from hostile_site import Site, answer

    with Site("0.0.0.0") as running:
        running.host = "127.0.0.2"
        running.routes["/photo"] = answer(PHOTO)
        yield running


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's cache that tests share, in which the ONNX file of each checkpoint is made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def shared_cache(exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's cache is `exports`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(exports))


@pytest.fixture(scope="session", autouse=True)
def one_server_of_workers() -> Iterator[None]:
    """Workers of all commands that run in this process are forked from one server, which has all of their modules."""
    with forked.shared():
        yield


@pytest.fixture(scope="session", autouse=True)
def ready_networks() -> Iterator[None]:
    """ONNX Runtime makes a network ready once for all tests in this process, which load the same few files hundreds of
    times. A file that is another by now is read again."""
    make = onnx_files.session

    @lru_cache(maxsize=12)
    def made(file: Path, threads: int, changed: int, size: int) -> Any:
        return make(file, threads)

    def session(file: Path, threads: int) -> Any:
        known = file.stat()
        return made(file, threads, known.st_mtime_ns, known.st_size)

    with mock.patch.object(onnx_files, "session", session):
        yield


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A photo of a face as a client sends it, a JPEG file; a test file may have a photo of its own."""
    import skimage.data
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()).save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.fixture(scope="module")
def page_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server of the live page, with a camera of its own."""
    from clips import clip
    from server import served

    film = clip(tmp_path_factory.mktemp("film") / "film.mp4", sound=None)
    with served("--workers", "1", "--analyse", "sharpness", "--camera", str(film)) as one:
        yield one


@pytest.fixture(scope="module")
def with_camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser with a made camera."""
    from browser import chromium
    from live_page import made_camera

    camera = made_camera(tmp_path_factory.mktemp("camera") / "camera.y4m")
    fake = "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"
    with chromium(*fake, f"--use-file-for-fake-video-capture={camera}") as one:
        yield one


@pytest.fixture
def seen(page_server: Any, with_camera: Any) -> Iterator[Any]:
    """The live page; at the end nothing was wrong in its console, and nobody else was asked."""
    from browser import opened

    one = opened(with_camera, page_server.url)
    one.page.set_default_timeout(120_000)
    yield one
    one.page.close()
    assert one.errors == []
    assert [url for url in one.requests if not url.startswith((page_server.base, "blob:" + page_server.base))] == []


@pytest.fixture(scope="session")
def encoder() -> Any:
    """face_recognition's network, which makes encodings of faces."""
    from visavis.analysers.identity.encoders import load_encoder
    from visavis.analysers.identity.face_recognition import FaceRecognition

    made = load_encoder()
    assert isinstance(made, FaceRecognition)
    return made


@pytest.fixture(scope="session")
def encodings(encoder: Any) -> dict[str, Any]:
    """The encoding of each of portraits_of_people's, (1, 128), by its name."""
    from portraits_of_people import PORTRAITS

    from visavis.faces import Faces

    return {name: encoder.encode(one.picture, Faces(one.boxes)) for name, one in PORTRAITS.items()}
