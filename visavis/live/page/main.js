// The page: its settings, views, keys, and what is shown of the camera's state.

import { Camera } from "./camera.js";
import { drawLike } from "./drawing.js";
import { Files, query } from "./files.js";
import * as texts from "./texts.js";

const $ = id => document.getElementById(id);
texts.fill(document);

const about = await fetch("/v1/about").then(answer => answer.json());
drawLike(about);

let chosen = about, standing;  // what is known of the detector, and where its own threshold has put the slider
const settings = {
  get detector() { return chosen.detector; },
  get covering() { return chosen.covering; },
  get threshold() { return Number($("threshold").value) === standing ? chosen.threshold : Number($("threshold").value); },
  get analyse() { return checked("analysers"); },
  get effect() { return $("effects").querySelector(":checked").value; },
  get redacts() { return this.effect in about.effects; },
  get filter() { return this.effect === "filter" ? checked("filters") : ""; },
  get detail() { return Number($("detail").value); },
  get scene() { return $("scene").checked; },
  get mirror() { return $("mirror").checked; },
};

function checked(id) {
  return [...$(id).querySelectorAll(":checked")].map(box => box.value).join(",");
}

// Settings ------------------------------------------------------------------------------------------------------------
function choice(parent, type, name, value, text, checked) {
  const label = document.createElement("label"), input = document.createElement("input"), words = document.createElement("span");
  Object.assign(input, { type, name, value, checked });
  words.textContent = text;
  label.append(input, words);
  parent.append(label);
}
const pictures = ["boxes", ...Object.keys(about.effects), ...(about.filters.length ? ["filter"] : [])];
for (const name of pictures) choice($("effects"), "radio", "effect", name, texts.effect(name), name === "boxes");
for (const name of about.filters) choice($("filters"), "checkbox", "filter", name, texts.filter(name), name === about.filters[0]);
$("detector").replaceChildren(...about.detectors.map(name => new Option(texts.detector(name), name, false, name === about.detector)));
for (const name of about.analysers) choice($("analysers"), "checkbox", "analyser", name, texts.analyser(name), false);
$("of-analysers").hidden = !about.analysers.length;
$("threshold").min = about.least;
onDetector();
$("start-server").hidden = !about.camera;
$("of-scene").hidden = !about.classifier;
$("scene-says").hidden = Boolean(about.classifier);

const files = new Files($("cards"), settings, count => { $("all").hidden = !count; });
const camera = new Camera($("video"), $("canvas"), settings, said);

function show() {
  $("threshold-value").textContent = settings.threshold.toFixed(2);
  $("stage").classList.toggle("mirrored", settings.mirror && !$("video").hidden);
  $("stage").classList.toggle("redacts", settings.redacts);
  $("filters").hidden = settings.effect !== "filter";
  $("detector-says").textContent = texts.detectorSays(settings.detector, settings.redacts);
  $("chosen").textContent = texts.effect(settings.effect);
}
let renewing = 0;
function changed() {
  show();
  if (!$("picture").hidden) watchServer();
  clearTimeout(renewing);
  renewing = setTimeout(() => files.renew(), 400);
}
document.querySelector("aside").addEventListener("input", async event => {
  if (event.target.closest("#mirror, #detail, #of-cameras")) return show();
  if (event.target.closest("#filters") && !checked("filters")) event.target.checked = true;  // one of them stays
  if (event.target.closest("#detector")) await choose();
  changed();
});

// Another detector, which the server loads the first time, has a threshold of its own. Until it is known the old one goes on.
async function choose() {
  const detector = $("detector").value, answer = await fetch(`/v1/about?${new URLSearchParams({ detector })}`);
  if ($("detector").value !== detector) return;  // yet another one was chosen meanwhile
  if (answer.ok) chosen = await answer.json();
  else $("problem").textContent = await answer.text();
  onDetector();
}

function onDetector() {
  $("detector").value = chosen.detector;
  $("threshold").value = chosen.threshold;
  standing = Number($("threshold").value);
}

// Cameras -------------------------------------------------------------------------------------------------------------
function said({ problem, stopped, faces, scene, rate, delay, network }) {
  if (problem !== undefined) $("problem").textContent = problem;
  if (stopped) onStage(null);
  if (faces === undefined) return;
  $("count").textContent = texts.faces(faces);
  showClasses(scene);
  $("rate").textContent = texts.rate(rate);
  $("delay").textContent = texts.delay(delay);
  $("network").textContent = texts.network(network);
  $("problem").textContent = "";
  $("stats").hidden = false;
  document.documentElement.dataset.answers = Number(document.documentElement.dataset.answers ?? 0) + 1;
}

// The likeliest classes of what is in view, a bar each.
function showClasses(classes = []) {
  $("classes").hidden = !classes.length;
  $("classes").replaceChildren(...classes.map(([name, share]) => {
    const line = document.createElement("li"), bar = document.createElement("meter");
    Object.assign(bar, { value: share, max: 1 });
    line.append(`${name} `, Object.assign(document.createElement("span"), { textContent: texts.percent(share) }), bar);
    return line;
  }));
}

function onStage(shown) {
  for (const id of ["video", "picture", "canvas"]) $(id).hidden = true;
  for (const id of shown ?? []) $(id).hidden = false;
  $("welcome").hidden = shown !== null;
  $("tools").hidden = shown === null;
  $("stats").hidden = true;
  showClasses();
  if (!shown) fit();
  show();
}

function fit(width, height) {
  $("stage").style.aspectRatio = width && height ? `${width} / ${height}` : "";
}

async function start(device) {
  leaveServer();
  $("problem").textContent = "";
  try {
    if (!await camera.start(device)) return;
  } catch (error) {
    $("problem").textContent = error.message;
    return;
  }
  onStage(["video", "canvas"]);
  fit($("video").videoWidth, $("video").videoHeight);
  const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(one => one.kind === "videoinput");
  $("cameras").replaceChildren(...cameras.map(one => new Option(one.label, one.deviceId, false, one.deviceId === camera.device)));
  $("of-cameras").hidden = cameras.length < 2;
}

function watchServer() {
  const words = query(settings);
  if ($("picture").dataset.words !== String(words)) {
    $("picture").dataset.words = words;
    $("picture").src = `/v1/camera?${words}`;
  }
  onStage(["picture"]);
}

function leaveServer() {
  delete $("picture").dataset.words;
  $("picture").removeAttribute("src");
}

function stop() {
  leaveServer();
  camera.stop();
}

function startOrStop() {
  camera.running || !$("picture").hidden ? stop() : start();
}

$("picture").addEventListener("load", () => fit($("picture").naturalWidth, $("picture").naturalHeight));
$("picture").addEventListener("error", () => {
  if (!$("picture").dataset.words) return;
  stop();
  $("problem").textContent = texts.TEXTS.cameraOver;
});
$("start").addEventListener("click", () => start());
$("start-server").addEventListener("click", () => { camera.stop(); watchServer(); });
$("stop").addEventListener("click", stop);
$("cameras").addEventListener("change", () => start($("cameras").value));
$("full").addEventListener("click", full);
addEventListener("pagehide", stop);

function full() {
  document.fullscreenElement ? document.exitFullscreen() : $("stage").requestFullscreen();
}

// Views and files -----------------------------------------------------------------------------------------------------
function view(name) {
  const other = $(name).hidden;
  for (const one of ["live", "files"]) {
    $(one).hidden = one !== name;
    $(`tab-${one}`).setAttribute("aria-selected", one === name);
  }
  if (other) fold();
  if (name === "files") stop();
}

// On a narrow screen the settings are folded where they would stand before photos and videos.
const narrow = matchMedia("(max-width: 860px)");
function fold() {
  $("settings").open = !narrow.matches || $("files").hidden;
}
narrow.addEventListener("change", fold);

$("tab-live").addEventListener("click", () => view("live"));
$("tab-files").addEventListener("click", () => view("files"));

function take(list) {
  if (!list.length) return;
  view("files");
  files.add(list);
}
$("choose").addEventListener("change", event => {
  take(event.target.files);
  event.target.value = "";
});
addEventListener("dragover", event => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
addEventListener("dragleave", event => { if (!event.relatedTarget) document.body.classList.remove("dragging"); });
addEventListener("drop", event => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  take(event.dataTransfer.files);
});
$("clear").addEventListener("click", () => files.clear());
$("zip").addEventListener("click", async () => {
  $("zip").disabled = true;
  await files.zip(text => { $("zip-state").textContent = text; }).finally(() => { $("zip").disabled = false; });
});

// Keys ----------------------------------------------------------------------------------------------------------------
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
  const effects = [...$("effects").querySelectorAll("input")], key = event.key.toLowerCase(), live = !$("live").hidden;
  const press = (box, to) => {
    box.checked = to;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  };
  if (key === " " && live && !event.target.matches("button, a, summary, [type=checkbox]")) event.repeat || startOrStop();
  else if (effects[Number(key) - 1]) press(effects[Number(key) - 1], true);
  else if (key === "m") press($("mirror"), !settings.mirror);
  else if (key === "f" && live) event.repeat || full();
  else if (key === "+" || key === "-") {
    $("threshold").value = settings.threshold + (key === "+" ? 0.05 : -0.05);
    changed();
  } else return;
  event.preventDefault();
});

onStage(null);
document.documentElement.dataset.ready = "";
