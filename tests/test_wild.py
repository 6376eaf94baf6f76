"""benchmarks.wild: the kinds of photo that it makes hold the faces that it says."""

import json
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest

from benchmarks import wild
from dataset import tables
from demo import photos
from visavis import images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five portraits, and two photos without a face."""
    rows, labels = [], []
    originals = photos.load()
    everything = {f"web/{name}": one for name, one in originals.portraits.items()}
    everything |= {
        f"none/{name}": photos.LabelledPicture(originals.scenes[name], np.zeros((0, 4)))
        for name in ("coffee.png", "chelsea.png")
    }
    for name, one in everything.items():
        path = tmp_path / "images" / f"{name.replace('/', '_')}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(images.encode(one.picture, quality=95))
        rows.append({"image_id": name, "status": "ok", "path": f"images/{path.name}"})
        labels += [
            {"image_id": name} | dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)) for box in one.boxes.tolist()
        ]
    tables.write(tmp_path / "labels.csv", labels)
    tables.write(tmp_path / "downloads.csv", rows)
    return tmp_path


def test_made_photos_show_their_faces_where_they_say(folder: Path):
    shots = list(wild._shots(wild.load_photos(folder), wild.Options(folder, limit=2)))
    close_ups = [shot for shot in shots if shot.kind.startswith("closeup")]
    assert [shot.kind for shot in close_ups] == [f"closeup web {share}" for share in wild.SHARES] * 2
    for shot in close_ups:
        assert shot.picture.shape == (1440, 1080, 3)
        assert (shot.faces[0, 2] - shot.faces[0, 0]) / 1080 == pytest.approx(float(shot.kind.split()[2]), abs=0.01)
    turned = [shot for shot in shots if shot.kind.startswith("turned")]
    assert [shot.kind for shot in turned] == [f"turned web {angle}" for angle in ("000", "090", "180", "270")] * 2
    upright = turned[0]
    for quarters, shot in enumerate(turned[:4]):
        assert (np.rot90(shot.picture, -quarters) == upright.picture).all()
        x1, y1, x2, y2 = shot.faces[0].astype(int)
        marked = np.zeros(shot.picture.shape[:2], bool)
        marked[y1:y2, x1:x2] = True
        x1, y1, x2, y2 = upright.faces[0].astype(int)
        assert np.rot90(marked, -quarters)[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1].all()
    assert [len(shot.faces) for shot in shots if shot.kind == "none"] == []
    assert [len(shot.faces) for shot in shots if shot.kind == "faceless"] == [0, 0]


def test_every_kind_has_its_figures(folder: Path):
    out = folder / "wild.json"
    kinds = ("web", "faceless", "turned")
    assert wild.run(wild.Options(folder, val=1.0, kinds=kinds, limit=2, redaction=True, out=out)) == 0
    results = {row["kind"]: row for row in json.loads(out.read_text(encoding="utf-8"))["results"]}
    assert set(results) >= {
        "web",
        "faceless",
        "turned web 000",
        "turned web 090",
        "redacted web",
        "redacted turned web 000",
    }
    assert (results["web"]["photos"], results["web"]["faces"], results["web"]["found"]) == (2, 2, 1.0)
    assert results["faceless"] == {"kind": "faceless", "detector": "shipped", "threshold": ANY, "photos": 2, "finds": 0}
    assert (results["redacted web"]["faces"], results["redacted web"]["recognisable"]) == (2, 0)
