"""The recipes of other systems for mask, age and gender: what each learns, and from which faces."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from attribute_labels import HEADS, asked, make_people
from training import learn

import train
from dataset import tables
from visavis import checkpoint, load_analyser
from visavis.analysers.attributes import network
from visavis.analysers.attributes.analyser import FaceAttributes
from visavis.commands import evaluate
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.images import read


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_people(tmp_path_factory.mktemp("people"))


RECIPES = {
    "age_cnn": ({"age": 1}, ("age", "age_low", "age_high"), 200, "none"),
    "gender_cnn": ({"gender": 2}, ("gender", "gender_score"), 200, "none"),
    "mask_mobilenet_v2": ({"mask": 3}, ("mask", "mask_score"), 224, "affine"),
}


@pytest.mark.usefixtures("shared_cache")
@pytest.mark.parametrize("arch", RECIPES)
def test_other_systems_recipes_learn_and_tell_their_one_thing(arch: str, folder: Path, tmp_path: Path) -> None:
    heads, attributes, side, transforms = RECIPES[arch]
    out = tmp_path / "run"
    assert learn(asked(folder, out, arch=arch)) == 0
    path = out / "best.safetensors"
    metadata = checkpoint.metadata(path)
    assert (metadata["heads"], metadata["side"], metadata["options"]["transforms"]) == (heads, side, transforms)
    (name,) = heads
    assert metadata["validation"][f"{name}_faces"] > 0 and {f"loss_{name}"} == {
        key for key in json.loads((out / "metrics.jsonl").read_text().splitlines()[0]) if key.startswith("loss_")
    }
    with pytest.raises(InputError, match=f"holds a {arch}, not a face_attributes"):
        network.build("face_attributes", str(path))
    model = network.of_checkpoint(*checkpoint.load(path), str(path))
    with torch.inference_mode():
        given = model(torch.full((2, 3, side, side), 128, dtype=torch.uint8))
    assert given[name].shape == (2, heads[name]) and given.keys() == heads.keys()
    if arch == "mask_mobilenet_v2":  # what follows is the same but for the network, which takes long to export
        return
    analyser = load_analyser(str(path))
    assert analyser.attributes == attributes
    told = analyser.analyse(read(folder / "images/P3/1.png"), Faces([[30, 20, 72, 74]])).attributes
    assert told.keys() == set(attributes) and told[name][0] != ""
    assert not analyser.analyse(np.zeros((99, 99, 3), np.uint8), Faces()).attributes[name].size
    asking = evaluate.Options(analyse=str(path), data=folder, split="all", out=tmp_path / "evaluation")
    assert evaluate.evaluate(asking) == 0
    written = json.loads((tmp_path / "evaluation/evaluation.json").read_text())
    assert {"mask", "age", "gender"} & written.keys() == {name}
    with pytest.raises(InputError, match=f"predicts {name}, and no "):
        FaceAttributes([next(other for other in HEADS if other != name)], path)


def test_a_recipe_learns_from_faces_that_have_its_label_alone(folder: Path, tmp_path: Path) -> None:
    masked = {row["image_id"] for row in tables.rows(folder / "attributes.csv") if row["mask"]}
    subject = train.learnt(asked(folder, tmp_path / "run", arch="mask_mobilenet_v2"))
    assert {photo.image_id for photo in [*subject.photos, *subject.held_out]} == masked and len(masked) == 4
    rows = [row | {"age": "", "age_low": "", "age_high": ""} for row in tables.rows(folder / "attributes.csv")]
    ageless = shutil.copytree(folder, tmp_path / "ageless")
    tables.write(ageless / "attributes.csv", rows)
    with pytest.raises(InputError, match=r"attributes.csv has no age of a face in the split 'train'"):
        train.learnt(asked(ageless, tmp_path / "run", arch="age_cnn"))


def test_there_are_no_weights_from_imagenet_for_a_small_network(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="`init` imagenet: no such file, nor one of those that age_cnn may begin with: none"
    ):
        train.train(asked(folder, tmp_path / "run", arch="age_cnn", init="imagenet"))
