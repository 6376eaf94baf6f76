"""`visavis serve` over HTTP and WebSocket: its answers are predict's."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from clips import clip
from PIL import Image
from server import Served, live, served
from typed import typed

from visavis.live.steady import PAUSE

pytest.importorskip("websockets.sync.client")
pytest.importorskip("uvicorn")

FACE = slice(80, 160), slice(190, 260)
"""Rows and columns within the face of skimage's astronaut."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    people = tmp_path_factory.mktemp("people")
    (people / "Eileen 🙂").mkdir()
    Image.fromarray(skimage.data.astronaut()[:300, 80:380]).save(people / "Eileen 🙂/1.png")
    of_faces = ["--analyse", "sharpness,identity", "--people", str(people)]
    with served("--max-bytes", "3000000", "--max-pixels", "2000000", *of_faces) as one:
        yield one


def test_detect_answers_what_predict_prints(server: Served, photo: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo)
    words = ["--analyse", "sharpness", "--threshold", "0.5", "--stdout", "jsonl", "--timeout", "10m"]
    done = typed("predict.py", tmp_path / "photo.jpg", *words)
    expected = json.loads(done.stdout)
    answer = server.post("/v1/detect?name=a/b/photo.jpg&threshold=0.5&analyse=sharpness", photo)
    assert answer.status_code == 200
    record = answer.json()
    assert record["path"] == "photo.jpg" and len(record["faces"]) == 1 and 0 < record["faces"][0]["sharpness"] < 1
    assert {**record, "seconds": 0, "path": ""} == {**expected, "seconds": 0, "path": ""}


def test_a_redacted_copy_has_no_face_and_keeps_the_rest(server: Served, photo: bytes) -> None:
    answer = server.post("/v1/copy?redact=fill&name=x.jpg", photo)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.headers["visavis-faces"] == "1"
    copy = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert copy[FACE].max() < 10
    assert (copy[300:] == np.asarray(Image.open(io.BytesIO(photo)))[300:]).all()


def test_a_client_chooses_among_the_detectors_that_come_with_visavis(server: Served, photo: bytes) -> None:
    about = server.get("/v1/about").json()
    assert about["detectors"] == ["shipped", "single_face", "window_cnn", "viola_jones"]
    assert about["detector"] == "shipped" and about["covering"] < 0.2 < about["threshold"]
    boxes = {}
    for name in about["detectors"]:
        own = server.get(f"/v1/about?detector={name}").json()
        assert own["detector"] == name and 0.1 <= own["covering"] <= own["threshold"] < 1
        (face,) = server.post(f"/v1/detect?detector={name}", photo).json()["faces"]
        assert face["score"] >= own["threshold"]
        boxes[name] = [round(face[side]) for side in ("x1", "y1", "x2", "y2")]
        assert abs((boxes[name][0] + boxes[name][2]) / 2 - 224) < 15 and abs(boxes[name][3] - 178) < 15
        with live(server) as socket:
            socket.send(json.dumps({"detector": name}))
            socket.send(photo)
            assert [round(one["x1"]) for one in json.loads(socket.recv(60))["faces"]] == [boxes[name][0]]
    assert len({tuple(box) for box in boxes.values()}) == 4
    said = "no detector 'mtcnn' is offered by this server; offered: shipped, single_face, window_cnn, viola_jones"
    for asked, path in (
        (server.get, "about"),
        (server.post, "detect"),
        (server.post, "copy"),
        (server.post, "results"),
    ):
        answer = asked(f"/v1/{path}?detector=mtcnn&draw=true")
        assert (answer.status_code, answer.text) == (400, said + "\n")
    with live(server) as socket:
        socket.send(json.dumps({"detector": "mtcnn"}))
        assert json.loads(socket.recv(60)) == {"error": said}


def test_a_filtered_copy_wears_what_predict_would_draw(server: Served, photo: bytes, tmp_path: Path) -> None:
    assert server.get("/v1/about").json()["filters"] == ["glasses", "moustache", "hat", "ears", "nose"]
    (tmp_path / "x.jpg").write_bytes(photo)
    typed("predict.py", tmp_path / "x.jpg", "--filter", "glasses,nose", "--out", tmp_path / "out", "--timeout", "10m")
    answer = server.post("/v1/copy?filter=glasses,nose&name=x.jpg", photo)
    assert (answer.status_code, answer.headers["visavis-faces"]) == (200, "1")
    assert answer.content == (tmp_path / "out/filtered/x.jpg").read_bytes()
    red = np.asarray(Image.open(io.BytesIO(answer.content)))[120:136, 218:232].astype(int)
    assert red[..., 0].mean() > 180 > 80 > red[..., 1].mean()


def test_live_filters_come_as_shapes_on_the_face(server: Served, photo: bytes) -> None:
    with live(server) as socket:
        socket.send(json.dumps({"filter": "nose"}))
        socket.send(photo)
        answer = json.loads(socket.recv(60))
        (shapes,) = answer["shapes"]
        assert "keypoints" not in answer["faces"][0]  # nobody asked for them
        flesh = np.array(shapes[1]["path"]).reshape(-1, 2)
        assert shapes[1]["colour"] == [236, 44, 46] and shapes[1]["fade"]["colour"] == [168, 12, 22]
        assert np.abs(flesh.mean(axis=0) - [225, 128]).max() < 5 and 15 < np.ptp(flesh[:, 0]) < 35
        socket.send(json.dumps({}))
        socket.send(photo)
        assert "shapes" not in json.loads(socket.recv(60))


def test_results_are_a_zip_of_tables_and_copies_under_plain_names(server: Served, photo: bytes, tmp_path: Path) -> None:
    video = clip(tmp_path / "c.mp4", sound=None).read_bytes()
    sent = [("../../etc/Ada.jpg", photo), ("ada.jpg", photo), ("clip.mp4", video), ("text.jpg", b"words")]
    files = [("files", named) for named in sent]
    answer = server.post("/v1/results?redact=blur&draw=true", files=files)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert sorted(packed.namelist()) == [
            "drawn/Ada.jpg", "drawn/ada-2.jpg", "drawn/clip.mp4", "faces.csv", "faces.json", "files.csv", "look.html",
            "redacted/Ada.jpg", "redacted/ada-2.jpg", "redacted/clip.mp4", "tracks.csv",
        ]  # fmt: skip
        page = packed.read("look.html").decode()
        assert page.count('"n":"Ada.jpg"') == 1 and '"n":"clip.mp4","p":1' in page and '"n":"clip.mp4 0.0 s"' in page
        assert "/0.jpg" not in page and "visavis-serve" not in page  # names of ours stay here
        rows = packed.read("files.csv").decode().splitlines()
    assert [row.split(",")[:3] for row in rows[1:]] == [
        ["Ada.jpg", "ok", ""], ["ada.jpg", "ok", ""], ["clip.mp4", "ok", ""], ["text.jpg", "unreadable", "not_image"],
    ]  # fmt: skip


def test_a_zip_of_several_videos_has_one_progress_for_all_their_frames(
    server: Served, photo: bytes, tmp_path: Path
) -> None:
    first = clip(tmp_path / "1.mp4", range(0, 4000, 40), sound=None).read_bytes()
    second = clip(tmp_path / "2.mp4", range(0, 2000, 40), sound=None).read_bytes()
    sent = [("1.mp4", first), ("photo.jpg", photo), ("2.mp4", second), ("none.mp4", b"no video")]
    files = [("files", named) for named in sent]
    with ThreadPoolExecutor(1) as client:
        answer = client.submit(server.post, "/v1/results?draw=true&progress=all", files=files)
        seen = []
        while not answer.done():
            if (said := server.get("/v1/progress/all").json())["done"]:
                seen.append(said)
            time.sleep(0.02)
    assert answer.result().status_code == 200
    assert {said["expected"] for said in seen} == {152}  # 100 and 50 frames, a photo, and what is no video
    done = [said["done"] for said in seen]
    assert done == sorted(done) and done[0] < 100 < done[-1] <= 152


def test_progress_of_a_video_is_told_while_it_is_worked_on(server: Served, tmp_path: Path) -> None:
    data = clip(tmp_path / "c.mp4", range(0, 4000, 40), sound=None).read_bytes()
    with ThreadPoolExecutor(1) as client:
        answer = client.submit(server.post, "/v1/copy?draw=true&name=c.mp4&progress=mine", data)
        seen = set()
        while not answer.done():
            seen.add((said := server.get("/v1/progress/mine").json())["done"])
            assert said["expected"] in (None, 100)
            time.sleep(0.02)
    assert answer.result().status_code == 200 and answer.result().headers["visavis-frames"] == "20"
    assert len(seen) > 3 and server.get("/v1/progress/mine").json() == {"done": 0, "expected": None}


def test_what_cannot_be_used_is_said(server: Served, photo: bytes) -> None:
    wide = io.BytesIO()
    Image.new("RGB", (2001, 1000)).save(wide, "PNG")
    said = {
        ("/v1/detect", b""): (422, '"reason":"empty"'),
        ("/v1/detect", photo[:5000]): (422, '"reason":"truncated"'),
        ("/v1/detect", wide.getvalue()): (422, '"reason":"too_large"'),
        ("/v1/detect?name=a.mp4", photo): (422, '"status":"unreadable"'),
        ("/v1/detect?threshold=0.05", photo): (400, "threshold must be a number between 0.1 and 1, not '0.05'"),
        ("/v1/detect?threshold=nan", photo): (400, "threshold must be a number between 0.1 and 1, not 'nan'"),
        ("/v1/detect?analyse=mood", photo): (
            400,
            "no analyser 'mood' is offered by this server; offered: sharpness, identity",
        ),
        ("/v1/copy?redact=glitter", photo): (400, "no effect 'glitter'"),
        ("/v1/copy?filter=glasses,crown", photo): (400, "no filter 'crown'; there are glasses, moustache, hat"),
        ("/v1/copy", photo): (400, "give one of draw=true, redact with an effect, and filter with names"),
        ("/v1/copy?redact=blur&filter=hat", photo): (400, "give one of draw=true"),
        ("/v1/results", photo): (400, "each in a field `files`"),
        ("/v1/detect", bytes(3_000_001)): (413, "more than 3,000,000 bytes"),
    }
    for (path, data), (status, text) in said.items():
        answer = server.post(path, data)
        assert (answer.status_code, text in answer.text) == (status, True), (path, answer.text)
    for form in ({"files": {"image": photo}}, {"json": {"image": "aGVsbG8="}}):
        answer = server.post("/v1/detect", **form)
        assert answer.status_code == 415 and "own bytes as the body, not" in answer.text
    assert server.get("/v1/camera").status_code == 404
    assert server.get("/page/../app.py").status_code == 404


def test_live_frames_are_answered_and_old_ones_dropped(server: Served, photo: bytes) -> None:
    with live(server) as socket:
        socket.send(json.dumps({"threshold": "0.5", "analyse": "sharpness"}))
        socket.send(photo)
        first = json.loads(socket.recv(60))
        assert first["frame"] == 1 and (first["width"], first["height"]) == (512, 512)
        (face,) = first["faces"]
        assert abs(face["x1"] - 179) < 3 and abs(face["y2"] - 178) < 3 and "sharpness" in face
        for _ in range(20):
            socket.send(photo)
        answered = [json.loads(socket.recv(60))["frame"]]
        while answered[-1] < 21:
            answered.append(json.loads(socket.recv(60))["frame"])
        assert len(answered) < 10 and answered == sorted(answered)


def test_a_client_that_sends_small_frames_hears_when_a_large_one_is_due(server: Served, photo: bytes) -> None:
    stream = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()).resize((256, 256)).save(stream, "JPEG", quality=80)
    with live(server) as socket:
        socket.send(json.dumps({"look": "quick"}))
        said = []
        for data in (photo, stream.getvalue()):
            socket.send(data)
            said.append(json.loads(socket.recv(60)))
        assert [one["due"] for one in said] == [True, True]  # there has not been any thorough look
        sides = [[round(one["faces"][0][side]) for side in ("x1", "y1", "x2", "y2")] for one in said]
        assert np.abs(np.array(sides[0]) / 2 - sides[1]).max() < 6
        socket.send(json.dumps({"look": "thorough"}))
        socket.send(photo)
        assert json.loads(socket.recv(60))["due"] is False
        socket.send(json.dumps({"look": "quick"}))
        answer = {"due": False}
        while not answer["due"]:  # a second
            socket.send(stream.getvalue())
            answer = json.loads(socket.recv(60))
        assert len(answer["faces"]) == 1 and answer["width"] == 256


def test_the_live_page_knows_people_and_a_look_that_is_in_doubt_does_not_change_a_name(
    server: Served, photo: bytes
) -> None:
    picture = skimage.data.astronaut().copy()
    picture[90:180, 180:270] = 30  # but for the hair
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=95)
    alone = server.post("/v1/detect?threshold=0.3&analyse=identity", stream.getvalue()).json()["faces"][0]
    assert alone["who"] == ""
    said = []
    with live(server) as socket:
        socket.send(json.dumps({"threshold": "0.3", "analyse": "identity"}))
        for data in (photo, photo, stream.getvalue()):
            socket.send(data)
            said.append(json.loads(socket.recv(60))["faces"][0])
            time.sleep(PAUSE)
    assert [face["who"] for face in said] == ["Eileen 🙂"] * 3
    assert said[0]["who_score"] > 0.9 > 0.7 > said[2]["who_score"] > 0.4
