"""The memory of a detector is measured in a process of its own, and is that of nothing else."""

import mmap
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from visavis.errors import InputError
from visavis.evaluation import memory


def test_a_larger_photo_takes_more_and_what_this_process_holds_does_not_count(tmp_path: Path):
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "small.jpg")
    Image.fromarray(skimage.data.astronaut()).resize((3000, 2000)).save(tmp_path / "large.jpg")
    held = np.ones(100_000_000)  # 800 MB
    small, large = (memory.measure("dlib_hog", "cpu", 0.5, [tmp_path / name]) for name in ("small.jpg", "large.jpg"))
    assert held.sum() == 1e8
    assert 30 < small.loaded <= small.resident < 700
    assert large.resident > small.resident + 3000 * 2000 * 3 / 1e6 - 1  # its pixels, at least
    assert small.cuda is None


def test_what_this_process_has_now_and_had_at_most():
    most, now = memory.resident()
    held = mmap.mmap(-1, 400_000_000)  # from the system: malloc may have as much left from before
    np.frombuffer(held, np.uint8)[:] = 1
    grown = memory.resident()
    assert grown[1] > now + 350 and grown[0] >= grown[1] - 1
    held.close()
    assert memory.resident()[0] >= max(most, grown[1] - 1)


def test_a_process_that_fails_says_why(tmp_path: Path):
    (tmp_path / "text.jpg").write_text("no photo")
    with pytest.raises(InputError, match=r"the memory of dlib_hog cannot be measured: .*not_image"):
        memory.measure("dlib_hog", "cpu", 0.5, [tmp_path / "text.jpg"])
