// Tiles cut from one picture of a layer's channels.

import { h } from "./dom.js";

const COLUMNS = 12;
let urls = [];

// A short address for a picture that hundreds of tiles are cut from: each of them would hold its text.
function sheetUrl(tiles) {
  if (!tiles.url) {
    const bytes = Uint8Array.from(atob(tiles.image.slice(tiles.image.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
    tiles.url = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
    urls.push(tiles.url);
  }
  return tiles.url;
}

// Of the view that is left.
export function releaseSheets() {
  urls.forEach((url) => URL.revokeObjectURL(url));
  urls = [];
}

export function tile(tiles, index) {
  const row = Math.floor(index / tiles.columns);
  const column = index % tiles.columns;
  const across = tiles.columns > 1 ? (100 * column) / (tiles.columns - 1) : 0;
  const down = tiles.rows > 1 ? (100 * row) / (tiles.rows - 1) : 0;
  return h("span", {
    class: "tile",
    style: {
      backgroundImage: `url("${sheetUrl(tiles)}")`,
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

// A stage's strongest channels on a canvas: quick enough for every frame of a camera.
export async function drawTiles(canvas, stage, most) {
  const { tiles } = stage;
  const sheet = new Image();
  sheet.src = tiles.image;
  await sheet.decode();
  const [width, height] = [sheet.naturalWidth / tiles.columns, sheet.naturalHeight / tiles.rows];
  const shown = stage.order.filter((index) => index < tiles.count).slice(0, most);
  canvas.width = COLUMNS * (width + 1) - 1;
  canvas.height = Math.ceil(shown.length / COLUMNS) * (height + 1) - 1;
  const paper = canvas.getContext("2d");
  shown.forEach((index, place) => {
    const [row, column] = [Math.floor(index / tiles.columns), index % tiles.columns];
    paper.drawImage(sheet, column * width, row * height, width, height, (place % COLUMNS) * (width + 1), Math.floor(place / COLUMNS) * (height + 1), width, height);
  });
  canvas.dataset.tiles = shown.length;
}
