// The browser's camera: its newest frame goes to the server over a WebSocket, and the answer is drawn over the picture.

import { drawFaces, drawShapes, redactFaces } from "./drawing.js";
import { TEXTS, cameraProblem } from "./texts.js";

const QUALITY = 0.8;
const SMALL = 320;  // pixels of a frame's longer side that are enough for a quick look
const AGAIN = 1000;  // milliseconds until a lost connection is tried again

const smooth = (before, now) => (before ? 0.8 * before + 0.2 * now : now);
const release = stream => stream?.getTracks().forEach(track => track.stop());

export class Camera {
  // settings: {detector, threshold, covering, analyse, effect, redacts, filter, scene, mirror, detail}, read when they are needed;
  // detail: pixels of a frame's longer side on its way to the server. said: called with what to show.
  constructor(video, canvas, settings, said) {
    Object.assign(this, { video, canvas, settings, said });
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.small = document.createElement("canvas");
    this.turn = this.stream = this.socket = null;  // turn: each start has its own, and none has it any more once it is stopped
    this.encoding = false;
  }

  // Also while the browser still asks whether it may.
  get running() {
    return this.turn !== null;
  }

  // Whether it runs now: not if it was stopped or started anew meanwhile. Raises an Error whose message is for people.
  async start(device) {
    if (!navigator.mediaDevices) throw new Error(cameraProblem("insecure"));
    const wanted = { width: { ideal: 1280 }, height: { ideal: 720 }, ...(device ? { deviceId: { exact: device } } : { facingMode: "user" }) };
    this.stop();
    const turn = this.turn = {}, isOver = () => this.turn !== turn;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
      if (isOver()) {
        release(stream);
        return false;
      }
      this.stream = stream;
      stream.getVideoTracks()[0].addEventListener("ended", () => this.stop());
      this.video.srcObject = stream;
      await this.video.play();
    } catch (error) {
      if (isOver()) return false;
      this.stop();
      throw new Error(cameraProblem(error.name, error.message));
    }
    if (isOver()) return false;
    this.connect();
    this.watch();
    return true;
  }

  stop() {
    release(this.stream);
    this.turn = this.stream = null;
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
    // flight: frames that are sent and not answered yet. since: when the server can have begun with the first of them. looks:
    // milliseconds of the server's last looks; looking: of the shortest of these, for one in twenty is a thorough one, which takes
    // several times as long. preparing: milliseconds that a frame's encoding took lately.
    Object.assign(this, { socket, sent: 0, flight: [], since: 0, looking: 0, looks: [], preparing: 0, times: [], due: true, asked: "" });
    socket.addEventListener("open", () => {
      this.said({ problem: "" });
      this.send();
    });
    socket.addEventListener("message", event => this.answered(JSON.parse(event.data)));
    socket.addEventListener("close", () => {
      if (this.socket !== socket) return;
      this.said({ problem: TEXTS.lost });
      setTimeout(() => this.socket === socket && this.running && this.connect(), AGAIN);
    });
  }

  // What is asked of the next frame. What is redacted has a thorough look at every frame: a quick one may miss a small face.
  get words() {
    const { detector, threshold, covering, analyse, redacts, filter, scene } = this.settings;
    const look = redacts ? "thorough" : this.isSmall ? "quick" : "auto";
    return JSON.stringify({ detector, look, filter, analyse, scene: String(scene), threshold: String(redacts ? Math.min(threshold, covering) : threshold) });
  }

  // Whether the next frame needs no more than a quick look: no thorough one is due, and nothing looks at the faces closely.
  get isSmall() {
    const { analyse, redacts, filter, scene } = this.settings;
    return !(this.due || analyse || redacts || filter || scene);
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

  // Milliseconds until the server can take another frame. One more than it looks at is on its way, but no sooner than it will be
  // wanted: a frame that waits shows what has passed.
  get wait() {
    if (this.flight.length > 1) return Infinity;
    return this.flight.length ? this.looking - this.preparing - (performance.now() - this.since) : 0;
  }

  // Send the newest frame, once it is time for one.
  async send() {
    const { video, small, socket, wait } = this;
    clearTimeout(this.timer);
    if (this.encoding || !this.fresh || document.hidden) return;
    if (wait > 0) return void (wait < Infinity && (this.timer = setTimeout(() => this.send(), wait)));
    if (socket?.readyState !== WebSocket.OPEN || !video.videoWidth) return;
    this.encoding = true;
    this.fresh = false;
    // The frame is asked about as the settings are now, and shown so, whatever they are when it has been encoded.
    const { redacts, detail } = this.settings, { words, isSmall } = this, began = performance.now();
    const factor = Math.min(1, (isSmall ? Math.min(SMALL, detail) : detail) / Math.max(video.videoWidth, video.videoHeight));
    const width = Math.round(video.videoWidth * factor), height = Math.round(video.videoHeight * factor);
    if (small.width !== width || small.height !== height) Object.assign(small, { width, height });
    const context = small.getContext("2d");
    context.imageSmoothingQuality = "medium";  // with low, which is the default, a reduction by more than half is jagged
    context.drawImage(video, 0, 0, width, height);
    const blob = await new Promise(done => small.toBlob(done, "image/jpeg", QUALITY));
    // What is redacted is shown as it was looked at: the picture has moved on, and a face may have, too.
    const picture = redacts ? await createImageBitmap(small) : null;
    this.encoding = false;
    if (this.socket !== socket || socket.readyState !== WebSocket.OPEN || !blob) return;
    const sent = performance.now();
    this.preparing = smooth(this.preparing, sent - began);
    if (!this.flight.length) this.since = sent;
    this.flight.push({ number: ++this.sent, began, sent, picture });
    if (words !== this.asked) socket.send(words);
    this.asked = words;
    socket.send(blob);
  }

  answered(answer) {
    const place = this.flight.findIndex(one => one.number === answer.frame), came = performance.now();
    if (place < 0) return void (answer.error && this.said({ problem: answer.error }));
    const gone = this.flight.splice(0, place + 1), { began, sent, picture } = gone[place];
    this.since = came;
    this.due = answer.due ?? true;
    if (answer.error) this.said({ problem: answer.error });
    else {
      this.looks = [...this.looks.slice(-7), 1000 * answer.seconds];
      this.looking = Math.min(...this.looks);
      this.draw(answer, picture);
      const now = performance.now();
      this.times = [...this.times.filter(time => time > now - 2000), now];
      const rate = this.times.length > 1 ? (this.times.length - 1) / (now - this.times[0]) * 1000 : 0;
      const sure = answer.faces.filter(face => face.score >= this.settings.threshold);
      const network = Math.max(0, came - sent - 1000 * (answer.waited + answer.seconds));
      this.said({ faces: sure.length, scene: answer.scene, rate, delay: now - began, network });
    }
    for (const one of gone) one.picture?.close();
    this.send();
  }

  draw(answer, picture) {
    const { canvas, context, video, settings } = this;
    if (canvas.width !== video.videoWidth || canvas.height !== video.videoHeight) {
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
    }
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (settings.filter) {
      drawShapes(context, answer.shapes ?? [], answer.width, settings.mirror);
    } else if (!settings.redacts) {
      drawFaces(context, answer.faces, answer.width, settings.mirror);
    } else if (picture) {
      context.save();
      if (settings.mirror) context.transform(-1, 0, 0, 1, canvas.width, 0);
      context.drawImage(picture, 0, 0, canvas.width, canvas.height);
      context.restore();
      redactFaces(context, answer.faces, answer.width, settings.effect, settings.mirror);
    }
  }
}
