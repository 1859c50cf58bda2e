// Place: the strongest units at a pixel of every stage, and what the place says about the answer.

import { actions } from "./actions.js";
import { ask, Sentence, showError, work } from "./api.js";
import { signedBars } from "./bars.js";
import { field, fill, h, number, select } from "./dom.js";
import { Figure } from "./figure.js";
import { look } from "./look.js";
import { photoOf, photoStrip } from "./photo_strip.js";

const DRAWN = 4;
const GRID = { cells: 5, size: 64, steps: 32 };

export async function place(top, context) {
  const id = photoOf(context);
  const figure = new Figure({ label: "Photo", pick: (row, column) => context.change({ row, column }) });
  const says = h("section", { class: "side panel", "aria-label": "What this place says" });
  const layers = h("section", { class: "place-layers", "aria-label": "Strongest units" });
  const grids = new Map();
  const gridOf = (layer) => {
    if (!grids.has(layer)) grids.set(layer, photoGrid(layer, id, context));
    return grids.get(layer);
  };
  figure.frame.tabIndex = 0;
  figure.frame.setAttribute("role", "application");
  figure.frame.setAttribute("aria-label", "Photo: arrow keys move the place");
  const question = () => ({ photo: id, row: context.params.row, column: context.params.column, target: context.params.target, layers: context.params.layers });
  const names = context.server.layers.filter((one) => one.shape[1] * one.shape[2] > 1).map((one) => one.name);
  const chooser = select(
    [{ value: "", label: "every stage" }, ...names.map((name) => ({ value: name, label: name }))],
    context.params.layers ?? "",
    (value) => context.change({ layers: value || null }),
  );
  top.append(
    photoStrip(context),
    h("h1", { class: "offscreen" }, "Place"),
    h("div", { class: "columns" },
      h("section", { class: "stage", "aria-label": "Photo" }, figure.element,
        h("div", { class: "tools" }, field("Layer", chooser), actions(() => ({ verb: "place", ...question() })))),
      says),
    layers);
  const seen = await look({ photo: id, target: context.params.target }, { signal: context.signal });
  figure.show(seen.photo);
  figure.lay(seen.heat?.maps[0] ?? null, "0.35");
  const [boxTop, boxLeft, boxHeight, boxWidth] = seen.photo.box;
  if (context.params.row === undefined) {
    context.keep({ row: Math.floor(boxTop + boxHeight / 2), column: Math.floor(boxLeft + boxWidth / 2) });
  }
  let moving = null;
  figure.frame.addEventListener("keydown", (event) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    const step = Math.max(1, Math.round(boxHeight / 28));
    const clamp = (value, low, size) => Math.min(Math.max(value, Math.ceil(low)), Math.floor(low + size) - 1);
    context.keep({
      row: clamp(Number(context.params.row) + step * move[0], boxTop, boxHeight),
      column: clamp(Number(context.params.column) + step * move[1], boxLeft, boxWidth),
    });
    figure.markAt(Number(context.params.row), Number(context.params.column));
    clearTimeout(moving);
    moving = setTimeout(() => load().catch(showError), 150);
  });
  let drawing = null;
  context.onClose(() => drawing?.close());
  await load();

  async function load() {
    figure.markAt(Number(context.params.row), Number(context.params.column));
    const found = await ask("place", question(), { signal: context.signal });
    fill(says,
      h("h2", {}, `Row ${context.params.row}, column ${context.params.column}`),
      h("p", { class: "hint" }, `What this place says for and against each answer, at ${context.params.layers ?? "the last stage"}:`),
      signedBars(found.classes, (row) => row.contribution),
      h("p", { class: "hint" }, "Gradient times activation at this place (HiResCAM’s terms), summed over units."));
    const slots = [];
    fill(layers, h("h2", {}, "The strongest units here"), [...found.layers].reverse().map((layer) => layerCard(layer, found.title, context, id, slots, gridOf(layer.layer))));
    drawing?.close();
    drawing = drawMissing(slots);
  }
}

function layerCard(layer, title, context, photo, slots, grid) {
  const card = (row) => {
    const values = { photo, unit: row.label };
    const image = h("img", { alt: "", hidden: !row.image, src: row.image ?? "" });
    if (!row.image) slots.push({ unit: row.label, image });
    return h("a", { class: "unit-card", href: context.href("unit", values), onclick: context.link("unit", values), "aria-label": `Unit ${row.label}, activation ${number(row.activation)}` },
      h("span", { class: "unit-picture" }, image), h("span", { class: "unit-name" }, `:${row.index}`), h("span", { class: "hint" }, number(row.activation)));
  };
  const list = (rows) => rows.slice(0, 3).map((row) => {
    const values = { photo, unit: row.label };
    return h("li", {}, h("a", { href: context.href("unit", values), onclick: context.link("unit", values) }, `:${row.index}`), ` ${number(row.contribution)}`);
  });
  return h("article", { class: "panel layer-card" },
    h("h3", {}, layer.layer),
    h("div", { class: "unit-cards" }, layer.strongest.slice(0, DRAWN).map(card)),
    h("div", { class: "for-against" },
      h("div", {}, h("p", { class: "for-title" }, `For ${title}`), h("ul", {}, list(layer.for))),
      h("div", {}, h("p", { class: "against-title" }, "Against"), h("ul", {}, list(layer.against)))),
    grid);
}

// The photo as a layer sees it: made when it is wanted, and kept while the place moves.
function photoGrid(layer, photo, context) {
  let running = null;
  const picture = h("img", { class: "grid-picture", alt: `The photo as ${layer} sees it, place by place`, hidden: true });
  const hint = h("p", { class: "hint", role: "status", hidden: true });
  const question = { verb: "activation_grid", photo, layer, ...GRID };
  const take = h("div", { hidden: true }, actions(() => question, { work: () => true }));
  const button = h("button", { type: "button", class: "quiet", onclick: () => {
    button.disabled = true;
    hint.hidden = false;
    hint.textContent = `Drawing ${GRID.cells} × ${GRID.cells} places…`;
    running = work(question, (name, event) => {
      if (name === "picture") hint.textContent = `Drawing ${GRID.cells} × ${GRID.cells} places: step ${event.step} of ${GRID.steps}`;
      if (name === "stopped" || name === "failed") {
        button.disabled = false;
        hint.hidden = true;
      }
      if (name === "failed") showError(new Sentence(event.error));
      if (name !== "done") return;
      picture.src = event.image;
      hint.textContent = "Each cell is the direction of the activation there; the longer it is, the larger the cell (Olah et al., 2018).";
      picture.hidden = take.hidden = false;
      button.remove();
    });
  } }, "See the photo as this layer does");
  context.onClose(() => running?.close());
  return h("div", { class: "photo-grid" }, button, picture, hint, take);
}

// Pictures that no atlas has are made together, small, layer by layer from the answer backwards.
function drawMissing(slots) {
  let running = null;
  let closed = false;
  const layers = Map.groupBy(slots, (slot) => slot.unit.slice(0, slot.unit.lastIndexOf(":")));
  const queue = [...layers.values()];
  const next = () => {
    const group = queue.shift();
    if (!group || closed) return;
    const units = group.map((slot) => slot.unit).join(",");
    running = work({ verb: "visualize", units, size: 64, steps: 32 }, (name, event) => {
      if (name === "picture" || name === "done") cut(event.image, group);
      if (name === "failed") showError(new Sentence(event.error));
      if (name === "done" || name === "stopped") next();
    });
  };
  next();
  return { close: () => { closed = true; running?.close(); } };
}

function cut(sheet, group) {
  group.forEach((slot, index) => {
    const frame = slot.image.parentNode;
    frame.style.backgroundImage = `url("${sheet}")`;
    frame.style.backgroundSize = `${100 * group.length}% 100%`;
    frame.style.backgroundPosition = `${group.length > 1 ? (100 * index) / (group.length - 1) : 0}% 0`;
  });
}
