"""A camera with an RTSP address (RFC 2326): it plays one film over and over, for one client after the other."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import av
import numpy as np
from av.packet import Packet

SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=a camera\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:video\r\n"
)


@contextmanager
def rtsp_camera(picture: np.ndarray, frames: int | None = None) -> Iterator[str]:
    """The address of a camera that shows `picture` (height, width, 3) at 10 frames a second, and hangs up after so many
    frames."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = threading.Event()
        threading.Thread(target=_serve, args=(listening, picture, frames, over), daemon=True).start()
        try:
            yield f"rtsp://127.0.0.1:{listening.getsockname()[1]}/stream1"
        finally:
            over.set()


def _serve(listening: socket.socket, picture: np.ndarray, frames: int | None, over: threading.Event) -> None:
    while not over.is_set():
        try:
            client, _ = listening.accept()
        except OSError:  # closed at the end
            return
        with client, suppress(ConnectionError):
            _answer(client, picture, frames, over)


def _answer(client: socket.socket, picture: np.ndarray, frames: int | None, over: threading.Event) -> None:
    waiting = b""
    while True:
        while b"\r\n\r\n" not in waiting:
            more = client.recv(4096)
            if not more:
                return
            waiting += more
        asked, _, waiting = waiting.partition(b"\r\n\r\n")
        lines = asked.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        method = lines[0].split()[0]
        more, body = {
            "OPTIONS": ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
            "DESCRIBE": (f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n", SDP),
            "SETUP": ("Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", ""),
        }.get(method, ("Session: 1\r\n", ""))
        client.sendall(f"RTSP/1.0 200 OK\r\nCSeq: {headers['cseq']}\r\n{more}\r\n{body}".encode())
        if method == "TEARDOWN":
            return
        if method == "PLAY":
            _play(client, picture, frames, over)
            return


def _play(client: socket.socket, picture: np.ndarray, frames: int | None, over: threading.Event) -> None:
    """Send RTP packets in the connection itself: "$", the channel, the length, and the packet. FFmpeg makes them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets:
        packets.bind(("127.0.0.1", 0))
        packets.setblocking(False)
        with av.open(f"rtp://127.0.0.1:{packets.getsockname()[1]}?pkt_size=1200", "w", format="rtp") as film:
            stream = film.add_stream("libx264", rate=10, options={"tune": "zerolatency", "g": "5"})
            stream.height, stream.width = picture.shape[:2]
            stream.pix_fmt = "yuv420p"
            number = 0
            while not over.is_set() and (frames is None or number < frames):
                encoded: list[Packet] = stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24"))
                film.mux(encoded)
                with suppress(BlockingIOError):
                    while True:
                        packet = packets.recv(2000)
                        client.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)
                number += 1
                over.wait(0.1)
