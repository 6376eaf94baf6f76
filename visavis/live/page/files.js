// Photos and videos that are dropped on the page: each has a card, on which its copy stands beside it.

import * as texts from "./texts.js";

const AT_ONCE = 2;  // files that are sent at the same time

// settings: as visavis/live/page/camera.js has them. cards: the element that holds them. changed: called with their number.
export class Files {
  constructor(cards, settings, changed) {
    Object.assign(this, { cards, settings, changed, all: [], waiting: [], working: 0 });
  }

  add(files) {
    for (const file of files) {
      const card = new Card(file, this);
      this.all.push(card);
      this.cards.append(card.element);
      this.queue(card);
    }
    this.changed(this.all.length);
  }

  remove(card) {
    card.forget();
    this.all = this.all.filter(one => one !== card);
    this.changed(this.all.length);
  }

  clear() {
    for (const card of [...this.all]) this.remove(card);
  }

  // Settings have changed: photos are done anew, and videos if somebody asks for it.
  renew() {
    const asked = String(query(this.settings));
    for (const card of this.all.filter(card => card.asked !== asked)) card.isVideo ? card.offer() : this.queue(card);
  }

  queue(card) {
    if (!this.waiting.includes(card)) this.waiting.push(card);
    card.say(texts.TEXTS.waiting);
    this.next();
  }

  async next() {
    while (this.working < AT_ONCE && this.waiting.length) {
      const card = this.waiting.shift();
      this.working += 1;
      card.run(query(this.settings)).finally(() => {
        this.working -= 1;
        this.next();
      });
    }
  }

  // A ZIP of tables and copies of all files, made in one go.
  async zip(say) {
    const form = new FormData();
    for (const { file } of this.all) form.append("files", file, file.name);
    const words = query(this.settings);
    words.set("draw", "true");
    const answer = await post("/v1/results", words, form, texts.TEXTS.pictures, done => say(done ?? texts.TEXTS.packing), () => false);
    if (answer.status === 200) save(answer.body, "visavis.zip");
    say(answer.status === 200 ? "" : (await answer.body.text()).trim());
  }
}

class Card {
  constructor(file, owner) {
    Object.assign(this, { file, owner, gone: false, turn: 0, addresses: [] });
    this.isVideo = file.type.startsWith("video/") || /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|m?ts|m2ts|3gp|wmv|flv)$/i.test(file.name);
    const { element, part } = build();
    Object.assign(this, { element, part });
    part.name.textContent = file.name;
    part.remove.addEventListener("click", () => owner.remove(this));
    part.again.addEventListener("click", () => owner.queue(this));
    part.download.addEventListener("click", () => save(this.copy, this.copyName()));
    this.show(part.original, file, texts.TEXTS.original);
  }

  async run(words) {
    if (this.gone) return;
    const turn = ++this.turn, over = () => this.gone || this.turn !== turn;
    this.asked = String(words);
    this.effect = words.get("redact") || (words.get("filter") ? "filter" : "boxes");
    this.part.again.hidden = true;
    words.set("name", this.file.name);
    const answer = await post(
      "/v1/copy", words, this.file, texts.TEXTS.frames, (text, share) => over() || this.say(text, share), over);
    if (over()) return;
    const done = answer.status === 200;
    this.copy = done ? answer.body : null;
    this.part.download.hidden = this.part.result.hidden = !done;
    this.element.classList.toggle("failed", !done);
    if (!done) return this.fail(answer);
    const facts = [texts.faces(Number(answer.head("visavis-faces"))) + texts.more(Number(answer.head("visavis-unsure")))];
    this.say([...facts, texts.effect(this.effect)].join(" · "), 1);
    this.show(this.part.result, answer.body, texts.TEXTS.result);
  }

  async fail(answer) {
    const text = answer.status ? await answer.body.text() : texts.TEXTS.lost;
    let said = text.trim();
    if (answer.status === 422) said = texts.reason(JSON.parse(text).reason);
    this.part.again.hidden = answer.status === 422;
    this.say(said, 1);
  }

  offer() {
    this.part.again.hidden = false;
  }

  say(text, share = 0) {
    this.part.state.textContent = text;
    this.part.bar.value = share;
    this.part.bar.hidden = share === 1;
  }

  show(figure, blob, label) {
    const address = URL.createObjectURL(blob), moving = blob.type.startsWith("video/");
    this.addresses.push(address);
    const shown = document.createElement(moving ? "video" : "img");
    if (moving) Object.assign(shown, { controls: true, muted: true, playsInline: true });
    else shown.alt = `${label}: ${this.file.name}`;
    shown.addEventListener("error", () => {
      const note = document.createElement("p");
      note.textContent = blob === this.file ? texts.TEXTS.noShow : texts.TEXTS.noShowOfCopy;
      shown.replaceWith(note);
    });
    shown.src = address;
    const words = document.createElement("figcaption");
    words.textContent = label;
    figure.replaceChildren(shown, words);
    figure.hidden = false;
  }

  copyName() {
    const dot = this.file.name.lastIndexOf("."), stem = dot > 0 ? this.file.name.slice(0, dot) : this.file.name;
    const own = dot > 0 ? this.file.name.slice(dot) : "";
    const ending = this.copy.type === "image/jpeg" && !/jpe?g$/i.test(own) ? ".jpg" : own;
    return `${stem}-${this.effect}${ending}`;
  }

  forget() {
    this.gone = true;
    this.addresses.forEach(URL.revokeObjectURL);
    this.element.remove();
  }
}

function build() {
  const element = document.createElement("article"), part = {};
  const make = (tag, name, parent, text) => {
    part[name] = document.createElement(tag);
    part[name].className = name;
    if (text) part[name].textContent = text;
    parent.append(part[name]);
    return part[name];
  };
  const head = make("div", "head", element);
  make("b", "name", head);
  make("span", "state", head).setAttribute("role", "status");
  make("progress", "bar", element).max = 1;
  const pair = make("div", "pair", element);
  make("figure", "original", pair);
  make("figure", "result", pair).hidden = true;
  const row = make("div", "row", element);
  make("button", "download", row, texts.TEXTS.download).hidden = true;
  make("button", "again", row, texts.TEXTS.again).hidden = true;
  make("button", "remove", row, texts.TEXTS.remove);
  return { element, part };
}

export function query({ detector, threshold, analyse, effect, redacts, filter }) {
  const words = new URLSearchParams({ detector, threshold, analyse });
  words.set(...(redacts ? ["redact", effect] : filter ? ["filter", filter] : ["draw", "true"]));
  return words;
}

// Send it and wait for the answer, which `over` may make superfluous. things: what progress counts. A server that is busy is asked again.
async function post(path, words, body, things, said, over) {
  const key = crypto.getRandomValues(new Uint32Array(4)).join("-");
  words.set("progress", key);
  for (;;) {
    const answer = await once(`${path}?${words}`, body, things, said, over, key);
    if (answer.status !== 429 || over()) return answer;
    said(texts.TEXTS.busy);
    await new Promise(done => setTimeout(done, 1000 * (Number(answer.head("retry-after")) || 1)));
  }
}

function once(address, body, things, said, over, key) {
  const request = new XMLHttpRequest();  // fetch does not tell how much was sent
  let asking = 0, first = null;
  const ask = async () => {
    if (over()) return request.abort();
    const seen = await fetch(`/v1/progress/${key}`).then(answer => answer.json()).catch(() => ({}));
    if (!seen.done || request.readyState === 4) return;
    const now = performance.now();
    first ??= { done: seen.done, now };
    const pace = (seen.done - first.done) / (now - first.now);
    const left = seen.expected && pace > 0 ? texts.left((seen.expected - seen.done) / pace / 1000) : "";
    said(texts.progress(seen.done, seen.expected, things) + left, Math.min(0.99, seen.done / (seen.expected || Infinity)));
  };
  request.upload.addEventListener("progress", event => said(texts.TEXTS.sending, event.loaded / event.total / 10));
  request.upload.addEventListener("load", () => {
    said(texts.TEXTS.looking, 0.1);
    asking = setInterval(ask, 500);
  });
  return new Promise(done => {
    request.addEventListener("loadend", () => {
      clearInterval(asking);
      done({ status: request.status, body: request.response ?? new Blob(), head: name => request.getResponseHeader(name) });
    });
    request.open("POST", address);
    request.responseType = "blob";
    request.send(body);
  });
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
