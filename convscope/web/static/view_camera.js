// Camera: predictions, heat and one layer's tiles, as fast as the network answers.

import { actions } from "./actions.js";
import { ask, clearError, connection, Sentence, showError } from "./api.js";
import { predictionBars } from "./bars.js";
import { field, fill, h, select } from "./dom.js";
import { Figure } from "./figure.js";
import { MethodForm } from "./method_form.js";
import { send } from "./photo_strip.js";
import { drawTiles } from "./tiles.js";

const LONGER_SIDE = 320;
const IN_FLIGHT = 2;
const TILES = 48;

export async function camera(top, context) {
  const { server } = context;
  const layer = context.params.tiles ?? server.stages[Math.floor(server.stages.length / 2)] ?? "";
  const video = h("video", { class: "photo", muted: true, playsInline: true, "aria-label": "Camera" });
  const figure = new Figure({ label: "Camera with heat" });
  figure.image.replaceWith(video);
  const bars = h("div", {});
  const rate = h("output", { class: "rate", id: "rate" }, "Camera is off");
  const tiles = h("canvas", { class: "tile-sheet", role: "img", "aria-label": "The layer’s strongest channels" });
  const quick = server.methods.filter((method) => method.quick);
  const asked = server.methods.find((method) => method.name === context.params.method);
  if (asked && !asked.quick) {
    showError(new Sentence(`${asked.name.replaceAll("_", " ")} is too slow for a camera’s frames: choose a quick method, or freeze a frame as a photo.`));
    context.keep({ method: null });
  }
  const form = new MethodForm(context, "", () => {}, quick);
  const canvas = h("canvas");
  const feed = { on: false, stream: null, flying: 0, times: [] };
  const button = h("button", { type: "button", class: "primary", onclick: () => (feed.on ? stop() : start().catch(denied)) }, "Start camera");
  const freeze = h("button", { type: "button", class: "quiet", disabled: true, onclick: keepFrame }, "Freeze as photo");
  const shown = select(server.stages.map((name) => ({ value: name, label: name })), layer, (value) => context.keep({ tiles: value }));
  const message = h("p", { class: "camera-off" }, "The camera’s frames go to this server and are not kept.");
  figure.frame.append(message);
  top.append(
    h("h1", { class: "offscreen" }, "Camera"),
    h("div", { class: "columns" },
      h("section", { class: "stage", "aria-label": "Camera and heat" },
        figure.element, h("div", { class: "tools" }, button, freeze, rate, actions(async () => ({ verb: "explain", photo: await frozen(), ...form.question() }))), form.element),
      h("section", { class: "side panel", "aria-label": "Answer" }, h("h2", {}, "The network says"), bars)),
    h("section", { class: "panel", "aria-label": "Tiles" }, h("div", { class: "tools" }, h("h2", {}, "One layer, live"), field("Layer", shown)), tiles));
  context.onClose(stop);

  function denied(error) {
    const reasons = { NotAllowedError: "The camera was not allowed; allow it for this address in the browser.", NotFoundError: "There is no camera here." };
    showError(new Sentence(reasons[error.name] ?? `The camera cannot be used: ${error.message}`));
  }

  async function start() {
    if (!navigator.mediaDevices) throw new Sentence("A browser gives the camera only to this machine’s own address or over https.");
    clearError();
    feed.stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, facingMode: "environment" } });
    video.srcObject = feed.stream;
    await video.play();
    const scale = LONGER_SIDE / Math.max(video.videoWidth, video.videoHeight);
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    figure.frame.style.aspectRatio = `${canvas.width} / ${canvas.height}`;
    message.hidden = true;
    feed.on = true;
    freeze.disabled = false;
    button.textContent = "Stop camera";
    for (let count = 0; count < IN_FLIGHT; count += 1) loop();
  }

  function stop() {
    feed.on = false;
    for (const track of feed.stream?.getTracks() ?? []) track.stop();
    button.textContent = "Start camera";
    rate.textContent = "Camera is off";
    freeze.disabled = true;
  }

  function grab(quality) {
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    return new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
  }

  async function loop() {
    while (feed.on) {
      try {
        const body = await grab(0.85);
        const seen = await ask("frame", { ...form.question(), tiles: context.params.tiles ?? layer }, { method: "POST", body, signal: context.signal });
        // Nothing where a newer frame took the place of this one.
        if (feed.on && seen) draw(seen);
      } catch (error) {
        if (context.signal.aborted) return;
        if (error.status === 429) await new Promise((done) => setTimeout(done, 500));
        else if (error.status === 0) await connection();
        else {
          showError(error);
          stop();
        }
      }
    }
  }

  function draw(seen) {
    figure.photo = { box: seen.box, height: seen.height, width: seen.width };
    figure.place(seen.box, seen.height, seen.width);
    figure.lay(seen.heat?.maps[0] ?? null, context.params.opacity ?? "0.5");
    figure.outline(seen);
    fill(bars, predictionBars(seen.predictions));
    const stage = seen.stages[0];
    if (stage) drawTiles(tiles, stage, TILES).catch(showError);
    feed.times.push(performance.now());
    while (feed.times.length > 15) feed.times.shift();
    const seconds = (feed.times.at(-1) - feed.times[0]) / 1000;
    if (seconds > 0) {
      const frames = (feed.times.length - 1) / seconds;
      rate.textContent = `${frames.toFixed(1)} frames a second`;
      rate.dataset.rate = frames.toFixed(2);
    }
  }

  // What is taken along is one frame, held as a photo from then on.
  async function frozen() {
    if (!feed.on) throw new Sentence("Start the camera first: this is about the frame it sees.");
    const photo = await ask("photos", { name: "camera.jpg" }, { method: "POST", body: await grab(0.95) });
    return photo.id;
  }

  async function keepFrame() {
    const blob = await grab(0.95);
    send(new File([blob], "camera.jpg", { type: "image/jpeg" }), { ...context, change: (values) => context.go("photo", { ...values, method: context.params.method }) });
  }
}
