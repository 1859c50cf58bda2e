// Tiles cut from one picture of a layer's channels.

import { h } from "./dom.js";

export function tile(tiles, index) {
  const row = Math.floor(index / tiles.columns);
  const column = index % tiles.columns;
  const across = tiles.columns > 1 ? (100 * column) / (tiles.columns - 1) : 0;
  const down = tiles.rows > 1 ? (100 * row) / (tiles.rows - 1) : 0;
  return h("span", {
    class: "tile",
    style: {
      backgroundImage: `url("${tiles.image}")`,
      backgroundSize: `${100 * tiles.columns}% ${100 * tiles.rows}%`,
      backgroundPosition: `${across}% ${down}%`,
    },
  });
}

export function tileButton(tiles, layer, index, open, extra = "") {
  const name = `${layer}:${index}`;
  return h("a", {
    class: "tile-button",
    href: open.href(name),
    title: `${name}${extra}`,
    "aria-label": `Unit ${name}${extra}`,
    onclick: open.click(name),
  }, tile(tiles, index), h("span", { class: "tile-name", "aria-hidden": "true" }, String(index)));
}
