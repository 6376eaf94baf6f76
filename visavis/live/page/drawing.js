// What is drawn on a canvas over, or instead of, a picture: boxes, points, captions, and redacted faces.

import * as texts from "./texts.js";

const INK = "#141414";
let about;

export function drawLike(known) {
  about = known;
}

const css = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;

// What is said of a face, as the drawn copies have it.
export function caption(face) {
  const words = [face.who ? `${face.who} ${Math.floor(100 * face.who_score)} %` : face.score.toFixed(2)];
  for (const [name, value] of Object.entries(face)) {
    if (["x1", "y1", "x2", "y2", "score", "keypoints", "errors", "who"].includes(name) || about.untold.some(end => name.endsWith(end))) continue;
    if (value === null || value === "") continue;
    if (typeof value === "number") words.push(`${name} ${Math.abs(value) < 100 ? Number(value.toPrecision(2)) : Math.round(value)}`);
    else words.push(name === "mask" ? texts.mask(value) : value);
  }
  return words.join(" ");
}

// faces: in pixels of the picture, whose width is `width`; the canvas may have another size. mirrored: the picture is
// shown so; captions stay readable.
export function drawFaces(context, faces, width, mirrored) {
  const factor = context.canvas.width / width, unit = Math.max(1, context.canvas.width / 400);
  const across = x => (mirrored ? width - x : x) * factor;
  const shown = [...faces].sort((a, b) => a.x1 + a.x2 - b.x1 - b.x2);
  context.lineJoin = "round";
  context.font = `600 ${Math.round(7 * unit + 4)}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  shown.forEach((face, turn) => {
    const colour = css(about.colours.mask[face.mask] ?? about.colours.boxes[turn % about.colours.boxes.length]);
    const left = Math.min(across(face.x1), across(face.x2)), high = (face.y2 - face.y1) * factor;
    const top = face.y1 * factor, wide = (face.x2 - face.x1) * factor;
    for (const [style, line] of [[INK, 4 * unit], [colour, 2 * unit]]) {
      context.strokeStyle = style;
      context.lineWidth = line;
      context.beginPath();
      context.roundRect(left, top, wide, high, 4 * unit);
      context.stroke();
    }
    context.fillStyle = colour;
    context.beginPath();
    for (const [x, y] of face.keypoints ?? []) {
      const radius = (face.keypoints.length > 20 ? 1 : 1.8) * unit;
      context.moveTo(across(x) + radius, y * factor);
      context.arc(across(x), y * factor, radius, 0, 7);
    }
    context.fill();
    const text = caption(face), size = 7 * unit + 4, pad = size / 3;
    const length = context.measureText(text).width + 2 * pad;
    const begin = Math.max(0, Math.min(left - unit, context.canvas.width - length));
    const ground = top > 2 * size ? top - 1.5 * size - 2 * unit : top + high + 2 * unit;
    context.fillStyle = colour;
    context.beginPath();
    context.roundRect(begin, ground, length, 1.5 * size, 3 * unit);
    context.fill();
    context.fillStyle = INK;
    context.fillText(text, begin + pad, ground + 0.75 * size);
  });
}

// Draw what the server says of filters (visavis/effects/sketch.py, Outlines): of each face some shapes, one over the other.
// width, mirrored: see drawFaces.
export function drawShapes(context, faces, width, mirrored) {
  const { canvas } = context, factor = canvas.width / width;
  const rgba = ([red, green, blue], alpha) => `rgb(${red} ${green} ${blue} / ${alpha})`;
  context.save();
  context.transform(mirrored ? -factor : factor, 0, 0, factor, mirrored ? canvas.width : 0, 0);
  context.lineCap = context.lineJoin = "round";
  for (const shapes of faces) {
    context.save();
    for (const { path } of shapes.filter(shape => shape.erased)) {  // another face is in front of this one
      const rest = new Path2D();
      rest.rect(-width, -width, 4 * width, 4 * width);
      rest.addPath(outline(path, true));
      context.clip(rest, "evenodd");
    }
    for (const { path, colour, alpha, width: wide, fade } of shapes.filter(shape => !shape.erased)) {
      if (wide) {
        context.strokeStyle = rgba(colour, alpha);
        context.lineWidth = wide;
        context.stroke(outline(path, false));
        continue;
      }
      context.fillStyle = rgba(colour, alpha);
      if (fade) {
        const passage = context.createLinearGradient(...fade.path);
        passage.addColorStop(0, rgba(colour, alpha));
        passage.addColorStop(1, rgba(fade.colour, alpha));
        context.fillStyle = passage;
      }
      context.fill(outline(path, true));
    }
    context.restore();
  }
  context.restore();
}

function outline(path, closed) {
  const line = new Path2D();
  for (let at = 0; at < path.length; at += 2) line.lineTo(path[at], path[at + 1]);
  if (closed) line.closePath();
  return line;
}

// Redact what is on the canvas as visavis/effects/redaction.py does: nothing is left of a face but a few averages.
export function redactFaces(context, faces, width, effect, mirrored) {
  const factor = context.canvas.width / width, { grow, cells, smallest } = about.redaction;
  for (const face of faces) {
    const w = (face.x2 - face.x1) * factor * (1 + 2 * grow), h = (face.y2 - face.y1) * factor * (1 + 2 * grow);
    const middle = (face.x1 + face.x2) / 2 * factor;
    const x = (mirrored ? context.canvas.width - middle : middle) - w / 2, y = (face.y1 + face.y2) / 2 * factor - h / 2;
    const left = Math.max(0, Math.floor(x)), top = Math.max(0, Math.floor(y));
    const wide = Math.min(context.canvas.width, Math.ceil(x + w)) - left;
    const high = Math.min(context.canvas.height, Math.ceil(y + h)) - top;
    if (wide <= 0 || high <= 0) continue;
    context.save();
    context.beginPath();
    if (about.effects[effect]) context.ellipse(x + w / 2, y + h / 2, w / 2, h / 2, 0, 0, 7);
    else context.rect(left, top, wide, high);
    context.clip();
    if (effect === "fill") {
      context.fillStyle = "#000";
      context.fillRect(left, top, wide, high);
    } else {
      const cell = Math.max(Math.max(w, h) / cells, smallest);
      const small = averages(context.getImageData(left, top, wide, high), Math.max(1, Math.round(wide / cell)), Math.max(1, Math.round(high / cell)));
      context.imageSmoothingEnabled = effect !== "pixelate";
      context.drawImage(small, left, top, wide, high);
    }
    context.restore();
  }
}

function averages({ data, width, height }, across, down) {
  const sums = new Float64Array(across * down * 4);
  for (let y = 0, at = 0; y < height; y++) {
    const row = Math.floor(y * down / height) * across;
    for (let x = 0; x < width; x++, at += 4) {
      const cell = 4 * (row + Math.floor(x * across / width));
      sums[cell] += data[at];
      sums[cell + 1] += data[at + 1];
      sums[cell + 2] += data[at + 2];
      sums[cell + 3] += 1;
    }
  }
  const small = new OffscreenCanvas(across, down), pixels = new ImageData(across, down);
  for (let cell = 0; cell < sums.length; cell += 4) {
    for (let colour = 0; colour < 3; colour++) pixels.data[cell + colour] = sums[cell + colour] / sums[cell + 3];
    pixels.data[cell + 3] = 255;
  }
  small.getContext("2d").putImageData(pixels, 0, 0);
  return small;
}
