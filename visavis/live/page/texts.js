// Every text of the page, in one place. Elements say which they show: data-text, or data-label for those who listen.

export const TEXTS = {
  views: "Views",
  live: "Live",
  files: "Photos and videos",
  api: "API",
  settings: "Settings",
  welcome: "See who is in front of the camera.",
  start: "Start the camera",
  startServer: "Show the server's camera",
  stop: "Stop",
  full: "Full screen",
  kept: "Nothing is kept: what you show is forgotten as soon as it is answered, and no third party is asked.",
  drop: "Drop photos and videos here, or choose them",
  frames: "frames",
  pictures: "photos and frames",
  zip: "Download all as ZIP",
  clear: "Clear",
  picture: "Picture",
  detector: "Detector",
  filters: "Filters",
  threshold: "Threshold",
  thresholdSays: "The lowest score that counts as a face. When redacting, less certain finds are covered, too.",
  analyse: "For each face, show",
  scene: "What is in view",
  sceneAsk: "Classify the live picture",
  sceneOff: "Off: start the server with --classifier mobilenet_v2, and --classifier-weights FILE where it cannot fetch them.",
  camera: "Camera",
  mirror: "Mirror my camera",
  detail: "Detail",
  fine: "640 pixels: small faces",
  medium: "480 pixels",
  fast: "320 pixels: fast",
  which: "Which",
  keys: "Space: start and stop · 1 to 6: picture · + and −: threshold · M: mirror · F: full screen",
  original: "Original",
  result: "Result",
  download: "Download",
  again: "Run again",
  remove: "Remove",
  waiting: "waiting",
  sending: "sending",
  looking: "looking for faces",
  packing: "working on all files",
  covers: "Only what this detector finds is redacted.",
  busy: "the server is busy; trying again",
  lost: "The connection to the server was lost; trying again.",
  noShow: "Your browser cannot show this format.",
  noShowOfCopy: "Your browser cannot show this format; the copy can be downloaded.",
  cameraOver: "The server's camera has stopped sending pictures.",
};

export const EFFECTS = {
  boxes: "Boxes",
  blur: "Blur",
  pixelate: "Pixelate",
  fill: "Black",
  "oval-blur": "Oval blur",
  filter: "Filters",
};

const FILTERS = {
  glasses: "Glasses",
  moustache: "Moustache",
  hat: "Hat",
  ears: "Ears",
  nose: "Nose",
};

const DETECTORS = {
  shipped: ["Faster R-CNN", "Finds the most faces, small ones and those in profile too."],
  single_face: ["One face", "A single look, very fast, for pictures of one person. It finds no second face."],
  window_cnn: ["Sliding window", "A small network at every place and size. It misses more faces, and takes a little longer."],
  viola_jones: ["Viola and Jones", "A cascade of Haar-like features from 2001. It finds frontal faces, and misses more of them."],
};

const ANALYSERS = {
  mask: "Mask",
  age: "Age",
  gender: "Gender",
  sharpness: "Sharpness",
  points: "Points",
  dlib_points: "dlib's points",
  identity: "Who it is",
};

const REASONS = {
  not_image: "This is neither a photo nor a video that can be read.",
  not_video: "This is not a video that can be read.",
  truncated: "The file breaks off before its end.",
  empty: "The file is empty.",
  too_large: "The picture has too many pixels.",
  crashed: "The file could not be decoded.",
  unwritable: "The copy cannot be saved in this format.",
};

const CAMERA = {
  NotAllowedError: "The browser may not use the camera. Allow it in the address bar, then start again.",
  NotFoundError: "There is no camera on this device.",
  NotReadableError: "The camera is in use by another program.",
  insecure: "Browsers let a page use the camera only on https, or on the machine that serves it.",
};

export const effect = name => EFFECTS[name] ?? name;
export const filter = name => FILTERS[name] ?? name;
export const detector = name => DETECTORS[name]?.[0] ?? name;
export const detectorSays = (name, redacts) => [DETECTORS[name]?.[1], redacts ? TEXTS.covers : ""].filter(Boolean).join(" ");
export const analyser = name => ANALYSERS[name] ?? name;
export const reason = name => REASONS[name] ?? `The file cannot be read: ${name}.`;
export const cameraProblem = (name, message) => CAMERA[name] ?? `The camera does not start: ${message}`;
export const faces = count => (count === 1 ? "1 face" : `${count} faces`);
export const progress = (done, expected, things) => expected ? `${done} of about ${expected} ${things}` : `${things} so far: ${done}`;
export const mask = value => (value === "none" ? "no mask" : `mask ${value}`);
export const percent = share => `${Math.round(100 * share)} %`;
export const left = seconds => ` · ${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")} left`;
export const rate = value => `${value.toFixed(0)} a second`;
export const delay = value => `${value.toFixed(0)} ms delay`;
export const network = value => `${value.toFixed(0)} ms network`;
export const more = count => (count ? `, ${count} less certain covered` : "");

export function fill(root) {
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = TEXTS[element.dataset.text];
  for (const element of root.querySelectorAll("[data-label]")) element.setAttribute("aria-label", TEXTS[element.dataset.label]);
}
