// Network: its stages as a map, and a layer's channels as tiles.

import { actions } from "./actions.js";
import { ask, showError } from "./api.js";
import { field, fill, h, percent, select } from "./dom.js";
import { photoOf, photoStrip } from "./photo_strip.js";
import { stageRail } from "./stage_rail.js";
import { tileButton } from "./tiles.js";

export async function network(top, context) {
  const id = photoOf(context);
  const { server } = context;
  const layer = context.params.layer ?? server.stages[Math.floor(server.stages.length / 2)] ?? server.layers[0].name;
  const rail = h("section", { class: "rail", "aria-label": "Stages" });
  const grid = h("section", { class: "layer", "aria-label": "Channels" });
  const names = [...new Set([...server.stages, ...server.layers.map((one) => one.name)])];
  const chooser = select(names.map((name) => ({ value: name, label: name })), layer, (value) => context.change({ layer: value }));
  const order = select(
    [{ value: "index", label: "by number" }, { value: "strongest", label: "strongest first" }],
    context.params.order ?? "index",
    (value) => context.change({ order: value === "index" ? null : value }),
  );
  top.append(
    photoStrip(context),
    h("h1", { class: "offscreen" }, "Network"),
    rail,
    h("div", { class: "tools" }, field("Layer", chooser), field("Order", order), actions(() => ({ verb: "activations", photo: id, layers: layer }))),
    grid);
  const overview = ask("look", { photo: id }, { signal: context.signal }).then((seen) =>
    fill(rail, h("h2", {}, `${server.model.name} on ${seen.photo.name}: ${seen.predictions[0]?.label ?? ""}`), stageRail(seen.stages, context, id, layer)));
  const one = ask("layer", { photo: id, layer }, { signal: context.signal }).then((stage) => fill(grid, ...channels(stage, context, id)));
  await Promise.all([overview, one].map((part) => part.catch(showError)));
}

function channels(stage, context, photo) {
  const [count, height, width] = stage.shape;
  const open = {
    href: (unit) => context.href("unit", { photo, unit }),
    click: (unit) => context.link("unit", { photo, unit }),
  };
  const indices = context.params.order === "strongest" ? stage.order : stage.order.map((_, index) => index);
  const shown = indices.filter((index) => index < stage.tiles.count);
  return [
    h("h2", {}, stage.layer),
    h("p", { class: "hint" }, `${count} channels of ${height} × ${width}. ${percent(1 - stage.inactive, 0)} of the values are above zero. Each tile is scaled by itself: it shows where a channel fires, not how much. Choose one to look into it.`),
    h("div", { class: `tiles ${height > 20 ? "large" : ""}` }, shown.map((index) => tileButton(stage.tiles, stage.layer, index, open))),
  ];
}
