// A photo with heat over it, the value under the pointer, and perhaps a mark at a place.

import { fill, floats, h, number, percent } from "./dom.js";

export class Figure {
  constructor({ label = "Photo", pick = null } = {}) {
    this.photo = null;
    this.heat = null;
    this.image = h("img", { class: "photo", alt: "", draggable: false });
    this.layer = h("img", { class: "heat", alt: "", hidden: true, draggable: false });
    this.mark = h("span", { class: "mark", hidden: true });
    this.outlines = h("div", { class: "outlines", "aria-hidden": "true" });
    this.box = h("div", { class: "box" }, this.layer, this.outlines);
    this.frame = h("div", { class: "frame" }, this.image, this.box, this.mark);
    this.readout = h("output", { class: "readout" }, " ");
    this.scale = h("div", { class: "scale", hidden: true });
    this.element = h("figure", { class: "figure", "aria-label": label }, this.frame, h("figcaption", {}, this.scale, this.readout));
    this.frame.addEventListener("pointermove", (event) => this.#point(event));
    this.frame.addEventListener("pointerleave", () => (this.readout.textContent = " "));
    if (pick) {
      this.frame.classList.add("pickable");
      this.frame.addEventListener("click", (event) => {
        const at = this.#pixel(event);
        if (at) pick(at.row, at.column);
      });
    }
  }

  show(photo, source = `/api/photos/${photo.id}`) {
    this.photo = photo;
    this.image.src = source;
    this.image.alt = photo.name ?? "";
    this.image.width = photo.width;
    this.image.height = photo.height;
    this.frame.style.aspectRatio = `${photo.width} / ${photo.height}`;
    this.frame.style.setProperty("--wide", photo.width / photo.height);
    this.place(photo.box, photo.height, photo.width);
  }

  place([top, left, height, width], rows, columns) {
    Object.assign(this.box.style, {
      top: `${(100 * top) / rows}%`,
      left: `${(100 * left) / columns}%`,
      height: `${(100 * height) / rows}%`,
      width: `${(100 * width) / columns}%`,
    });
  }

  // `map` as the server's drawing gives it.
  lay(map, opacity, { sharp = false } = {}) {
    this.heat = map ? { ...map, numbers: floats(map.values) } : null;
    this.layer.hidden = !map || map.blank;
    this.frame.classList.toggle("signed", Boolean(map?.signed && !map.blank));
    this.scale.hidden = !map;
    this.readout.textContent = " ";
    if (!map) return;
    this.layer.src = map.image;
    this.layer.classList.toggle("sharp", sharp);
    this.fade(opacity);
    this.scale.replaceChildren(
      h("span", {}, number(map.low)),
      h("img", { src: map.scale, alt: "Color scale", width: 64, height: 8 }),
      h("span", {}, map.blank ? "nothing to show" : number(map.high)),
    );
  }

  // A detector's boxes and a segmenter's classes, in pixels of what the network sees.
  outline(seen) {
    const [height, width] = seen.size;
    const boxes = seen.predictions.filter((row) => row.x1 !== undefined).reverse();
    fill(this.outlines,
      seen.masks ? h("img", { class: "masks", src: seen.masks, alt: "" }) : null,
      boxes.map((row) => h("span", {
        class: "detection",
        style: {
          left: `${(100 * row.x1) / width}%`,
          top: `${(100 * row.y1) / height}%`,
          width: `${(100 * (row.x2 - row.x1)) / width}%`,
          height: `${(100 * (row.y2 - row.y1)) / height}%`,
          borderColor: row.color,
        },
      }, h("span", { class: "detection-name", style: { background: row.color } }, `${row.box} ${row.label} ${percent(row.probability, 0)}`))));
  }

  fade(opacity) {
    this.layer.style.opacity = opacity;
  }

  markAt(row, column) {
    this.mark.hidden = false;
    this.mark.style.top = `${(100 * (row + 0.5)) / this.photo.height}%`;
    this.mark.style.left = `${(100 * (column + 0.5)) / this.photo.width}%`;
  }

  // A place of a layer (shape: channels, height, width), in what the network sees of the photo.
  markCell(row, column, [, rows, columns]) {
    const [top, left, height, width] = this.photo.box;
    this.markAt(top + ((row + 0.5) / rows) * height - 0.5, left + ((column + 0.5) / columns) * width - 0.5);
  }

  #pixel(event) {
    if (!this.photo) return null;
    const area = this.frame.getBoundingClientRect();
    const row = Math.floor(((event.clientY - area.top) / area.height) * this.photo.height);
    const column = Math.floor(((event.clientX - area.left) / area.width) * this.photo.width);
    const [top, left, height, width] = this.photo.box;
    const inside = row + 0.5 > top && row + 0.5 < top + height && column + 0.5 > left && column + 0.5 < left + width;
    return inside ? { row, column } : null;
  }

  #point(event) {
    const at = this.#pixel(event);
    if (!at || !this.heat) {
      this.readout.textContent = this.photo && !at ? "outside of what the network sees" : " ";
      return;
    }
    const [top, left, height, width] = this.photo.box;
    const row = Math.min(this.heat.height - 1, Math.floor(((at.row + 0.5 - top) / height) * this.heat.height));
    const column = Math.min(this.heat.width - 1, Math.floor(((at.column + 0.5 - left) / width) * this.heat.width));
    const value = this.heat.numbers[row * this.heat.width + column];
    this.readout.textContent = `${number(value)} at row ${at.row}, column ${at.column}`;
  }
}
