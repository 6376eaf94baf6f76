// The browser's camera: its newest frame goes to the server over a WebSocket, and the answer is drawn over the picture.

import { drawFaces, redactFaces } from "./drawing.js";
import { TEXTS, cameraProblem } from "./texts.js";

const QUALITY = 0.8;
const AGAIN = 1000;  // milliseconds until a lost connection is tried again

export class Camera {
  // settings: {threshold, covering, analyse, effect, redacts, scene, mirror, detail}, read when they are needed; detail: pixels of
  // a frame's longer side on its way to the server. said: called with what to show.
  constructor(video, canvas, settings, said) {
    Object.assign(this, { video, canvas, settings, said });
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.small = document.createElement("canvas");
    this.stream = this.socket = null;
    this.encoding = false;
  }

  get running() {
    return this.stream !== null;
  }

  // Raises an Error whose message is for people.
  async start(device) {
    if (!navigator.mediaDevices) throw new Error(cameraProblem("insecure"));
    const wanted = { width: { ideal: 1280 }, height: { ideal: 720 }, ...(device ? { deviceId: { exact: device } } : { facingMode: "user" }) };
    this.stop();
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    } catch (error) {
      throw new Error(cameraProblem(error.name, error.message));
    }
    this.stream.getVideoTracks()[0].addEventListener("ended", () => this.stop());
    this.video.srcObject = this.stream;
    await this.video.play();
    this.connect();
    this.watch();
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.socket?.close();
    this.socket = null;
    this.video.srcObject = null;
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.said({ stopped: true });
  }

  get device() {
    return this.stream?.getVideoTracks()[0].getSettings().deviceId;
  }

  connect() {
    const address = new URL("/v1/live", location);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    Object.assign(this, { socket, sent: 0, pending: null, times: [] });
    socket.addEventListener("open", () => {
      this.said({ problem: "" });
      this.ask();
      this.send();
    });
    socket.addEventListener("message", event => this.answered(JSON.parse(event.data)));
    socket.addEventListener("close", () => {
      if (this.socket !== socket) return;
      this.said({ problem: TEXTS.lost });
      setTimeout(() => this.socket === socket && this.running && this.connect(), AGAIN);
    });
  }

  // Tell the server what is asked of each face; after every change of a setting.
  ask() {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    const { threshold, covering, analyse, redacts, scene } = this.settings;
    // What is redacted has a thorough look at every frame: a quick one may miss a small face.
    const words = { threshold: String(redacts ? Math.min(threshold, covering) : threshold), analyse, quick: String(!redacts), scene: String(scene) };
    this.socket.send(JSON.stringify(words));
  }

  watch() {
    const next = () => {
      if (!this.running) return;
      this.fresh = true;
      this.send();
      this.video.requestVideoFrameCallback ? this.video.requestVideoFrameCallback(next) : requestAnimationFrame(next);
    };
    next();
  }

  // Send the newest frame, unless one is under way: the server would only have to drop it.
  async send() {
    const { video, small, socket } = this;
    if (this.pending || this.encoding || !this.fresh || document.hidden) return;
    if (socket?.readyState !== WebSocket.OPEN || !video.videoWidth) return;
    this.encoding = true;
    this.fresh = false;
    const began = performance.now(), factor = Math.min(1, this.settings.detail / Math.max(video.videoWidth, video.videoHeight));
    small.width = Math.round(video.videoWidth * factor);
    small.height = Math.round(video.videoHeight * factor);
    small.getContext("2d").drawImage(video, 0, 0, small.width, small.height);
    const blob = await new Promise(done => small.toBlob(done, "image/jpeg", QUALITY));
    // What is redacted is shown as it was looked at: the picture has moved on, and a face may have, too.
    const picture = this.settings.redacts ? await createImageBitmap(small) : null;
    this.encoding = false;
    if (this.socket !== socket || socket.readyState !== WebSocket.OPEN || !blob) return;
    this.pending = { began, sent: performance.now(), picture };
    this.sent += 1;
    socket.send(blob);
  }

  answered(answer) {
    if (answer.frame !== this.sent || !this.pending) {
      if (answer.error) this.said({ problem: answer.error });
      return;
    }
    const { began, sent, picture } = this.pending, came = performance.now();
    this.pending = null;
    this.send();
    if (answer.error) return this.said({ problem: answer.error });
    this.draw(answer, picture);
    const now = performance.now();
    this.times = [...this.times.filter(time => time > now - 2000), now];
    const rate = this.times.length > 1 ? (this.times.length - 1) / (now - this.times[0]) * 1000 : 0;
    const sure = answer.faces.filter(face => face.score >= this.settings.threshold);
    this.said({ faces: sure.length, scene: answer.scene, rate, delay: now - began, network: Math.max(0, came - sent - 1000 * answer.seconds) });
  }

  draw(answer, picture) {
    const { canvas, context, video, settings } = this;
    if (canvas.width !== video.videoWidth || canvas.height !== video.videoHeight) {
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
    }
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!settings.redacts) {
      drawFaces(context, answer.faces, answer.width, settings.mirror);
    } else if (picture) {
      context.save();
      if (settings.mirror) context.transform(-1, 0, 0, 1, canvas.width, 0);
      context.drawImage(picture, 0, 0, canvas.width, canvas.height);
      context.restore();
      redactFaces(context, answer.faces, answer.width, settings.effect, settings.mirror);
      picture.close();
    }
  }
}
