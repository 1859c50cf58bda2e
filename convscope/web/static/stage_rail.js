// The stages from left to right: shape, how much of each fires, and its strongest channels.

import { h, percent, width as cssWidth } from "./dom.js";
import { tile } from "./tiles.js";

const SHOWN = 5;

export function stageRail(stages, context, photo, chosen = null) {
  const most = Math.max(...stages.map((stage) => Math.log(stage.shape[1] * stage.shape[2] + 1)));
  return h("ol", { class: "stages" }, stages.map((stage) => {
    const [channels, height, width] = stage.shape;
    const fires = 1 - stage.inactive;
    const values = { photo, layer: stage.layer };
    const block = h("span", { class: "map-block", "aria-hidden": "true" }, h("span", { class: "map-face" }));
    block.style.setProperty("--side", `${22 + 42 * (Math.log(height * width + 1) / most)}px`);
    block.style.setProperty("--deep", `${Math.min(34, 4 + Math.log2(channels) * 2.6)}px`);
    block.style.setProperty("--fires", fires);
    return h("li", {}, h("a", {
      class: "stage-card",
      href: context.href("network", values),
      "aria-current": stage.layer === chosen ? "true" : null,
      onclick: context.link("network", values),
    },
    h("span", { class: "stage-name" }, stage.layer),
    block,
    h("span", { class: "shape" }, `${channels} × ${height} × ${width}`),
    h("span", { class: "meter", title: "Share of values above zero" }, h("span", { style: { width: cssWidth(fires) } })),
    h("span", { class: "fires" }, `${percent(fires, 0)} fires`),
    h("span", { class: "few", "aria-hidden": "true" }, stage.order.filter((index) => index < stage.tiles.count).slice(0, SHOWN).map((index) => tile(stage.tiles, index)))));
  }));
}
