"""What holds for all tests."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

LONGEST = (
    "test_notebooks",
    "test_export",
    "test_attributes_training",
    "test_train_resume",
    "test_train_options",
    "test_backends",
    "test_train_distributed",
    "test_points_training",
    "test_calibration",
)
"""The files that take longest, which workers take first: one begun last would keep the other workers waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first. xdist keeps this order with --no-loadscope-reorder (pyproject.toml)."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's cache that tests share, in which the ONNX file of each checkpoint is made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def shared_cache(exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's cache is `exports`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(exports))
