// The photos that can be looked at, and every way to bring another: choose, drop, paste.

import { ask, showError } from "./api.js";
import { h } from "./dom.js";

const added = [];

export function photoStrip(context) {
  const chosen = photoOf(context);
  const own = added.concat(context.server.photos);
  if (!own.some((entry) => entry.id === chosen)) own.unshift({ id: chosen, name: "photo of this address" });
  const input = h("input", {
    type: "file",
    accept: "image/*",
    class: "offscreen",
    id: "add-photo",
    "data-key": "add photo",
    onchange: () => input.files[0] && send(input.files[0], context),
  });
  const strip = h("div", { class: "strip", role: "group", "aria-label": "Photos" },
    h("label", { class: "add", htmlFor: "add-photo", title: "Choose, drop or paste a photo" }, h("span", { "aria-hidden": "true" }, "+"), "Add photo"),
    own.map((entry) =>
      h("button", {
        type: "button",
        class: "thumbnail",
        "data-key": `photo ${entry.id}`,
        "aria-pressed": String(entry.id === chosen),
        "aria-label": `Photo ${entry.name}`,
        title: entry.name,
        onclick: () => context.change({ photo: entry.id, row: null, column: null }),
      }, h("img", { src: `/api/photos/${entry.id}/thumbnail`, alt: "", loading: "lazy" }))));
  listen(context);
  return h("div", { class: "strip-line" }, input, strip);
}

export const photoOf = (context) => context.params.photo ?? context.server.photos[defaultPlace(context)].id;

// The user's own photo comes first; among samples the cat shows most.
function defaultPlace(context) {
  const photos = context.server.photos;
  const cat = photos.findIndex((entry) => entry.id === "sample-chelsea");
  return photos[0].id.startsWith("sample-") && cat >= 0 ? cat : 0;
}

export async function send(file, context) {
  try {
    const photo = await ask("photos", { name: file.name }, { method: "POST", body: file });
    if (!added.some((entry) => entry.id === photo.id)) added.unshift({ id: photo.id, name: photo.name });
    context.change({ photo: photo.id, row: null, column: null });
  } catch (error) {
    showError(error);
  }
}

function listen(context) {
  const signal = context.signal;
  const over = (on) => document.body.classList.toggle("dropping", on);
  addEventListener("dragover", (event) => { event.preventDefault(); over(true); }, { signal });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(false); }, { signal });
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    const file = event.dataTransfer.files[0];
    if (file) send(file, context);
  }, { signal });
  addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (file) send(file, context);
  }, { signal });
}
