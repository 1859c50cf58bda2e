// Unit: where it fires, what it looks for, and what the answer would be without it.

import { actions } from "./actions.js";
import { ask, Sentence, showError, work } from "./api.js";
import { predictionBars, signedBars } from "./bars.js";
import { fill, h, number, stopButton } from "./dom.js";
import { Figure } from "./figure.js";
import { photoOf, photoStrip } from "./photo_strip.js";

export async function unit(top, context) {
  const id = photoOf(context);
  const { server } = context;
  const name = context.params.unit ?? `${server.stages[Math.floor(server.stages.length / 2)]}:0`;
  const figure = new Figure({ label: `Where ${name} fires`, pick: (row, column) => context.go("place", { photo: id, row, column }) });
  const heading = h("div", { class: "unit-heading" }, h("h1", {}, name));
  const picture = new UnitPicture(context, name);
  const change = new Change(context, id, name);
  const known = h("div", { class: "known" });
  top.append(
    photoStrip(context),
    heading,
    h("div", { class: "unit-columns" },
      h("section", { class: "panel", "aria-label": "Where it fires" }, h("h2", {}, "Where it fires"), figure.element),
      picture.element,
      change.element),
    known);
  const [, seen] = await Promise.all([
    ask("look", { photo: id }, { signal: context.signal }).then((answer) => figure.show(answer.photo)),
    ask("unit", { photo: id, unit: name }, { signal: context.signal }),
  ]);
  figure.lay(seen.fires, "0.7", { sharp: false });
  if (seen.row !== null) figure.markCell(seen.row, seen.column, seen.shape);
  heading.append(...neighbors(seen, context, id));
  picture.start(seen.atlas?.pictures ?? []);
  fill(known, ...fromAtlas(seen.atlas, context, id, server));
  await change.load();
}

function neighbors(seen, context, photo) {
  const link = (index, text, label) => {
    const values = { photo, unit: `${seen.layer}:${index}` };
    return h("a", { class: "button quiet", href: context.href("unit", values), onclick: context.link("unit", values), "aria-label": label }, text);
  };
  const inLayer = { photo, layer: seen.layer };
  return [
    h("p", { class: "hint" }, `one of ${seen.units} in `, h("a", { href: context.href("network", inLayer), onclick: context.link("network", inLayer) }, seen.layer)),
    h("div", { class: "actions" },
      seen.index > 0 ? link(seen.index - 1, "‹", "Unit before") : null,
      seen.index + 1 < seen.units ? link(seen.index + 1, "›", "Unit after") : null),
  ];
}

class UnitPicture {
  constructor(context, name) {
    Object.assign(this, { context, name, running: null });
    this.image = h("img", { class: "made", alt: `What excites ${name} most`, hidden: true });
    this.state = h("p", { class: "hint", role: "status" }, " ");
    this.bar = h("progress", { max: 1, value: 0, "aria-label": "Steps", hidden: true });
    this.stop = stopButton("primary", () => this.running.stop());
    this.more = h("button", { type: "button", class: "primary", onclick: () => this.#more() });
    this.stop.hidden = this.more.hidden = true;
    this.actions = actions(() => this.question(), { work: () => true });
    this.element = h("section", { class: "panel", "aria-label": "What it looks for" },
      h("h2", {}, "What it looks for"), h("div", { class: "made-frame" }, this.image), this.bar, h("div", { class: "tools" }, this.stop, this.more, this.actions), this.state);
    context.onClose(() => this.running?.close());
  }

  question() {
    const { steps, preset } = this.context.params;
    // A neuron's place is there only at the network's own size.
    const size = this.name.split(":").length > 2 ? Math.max(...this.context.server.model.size) : null;
    return { verb: "visualize", units: this.name, steps, preset, size };
  }

  start(pictures) {
    if (pictures.length && !this.context.params.steps) {
      this.show(pictures[0]);
      this.bar.hidden = true;
      this.state.textContent = "From the atlas.";
      this.#offer("Make one now");
      return;
    }
    this.make();
  }

  show(image) {
    this.image.src = image;
    this.image.hidden = false;
  }

  make() {
    this.running?.close();
    this.bar.hidden = false;
    this.bar.removeAttribute("value");
    this.state.textContent = "Waiting for the first step…";
    this.#show(this.stop, "Stop");
    this.running = work(this.question(), (name, event) => {
      if (name === "picture" || name === "done") {
        this.show(event.image);
        this.bar.max = event.steps ?? event.step;
        this.bar.value = event.step;
        this.state.textContent = name === "done" ? event.ended ?? `Done: ${event.step} steps.` : `Step ${event.step} of ${event.steps}${event.duration ? `, about ${event.duration} in all` : ""}`;
      }
      if (name === "stopped") this.state.textContent = event.ended;
      if (name === "failed") {
        this.state.textContent = "No picture.";
        showError(new Sentence(event.error));
      }
      if (name === "done" && event.dead.length) this.state.textContent = "This unit is dead: no gradient reaches the picture.";
      if (name === "done" || name === "stopped" || name === "failed") {
        this.bar.hidden = true;
        this.#offer(name === "done" && !event.ended ? "Sharpen" : "Make it again");
      }
    });
  }

  #offer(label) {
    this.#show(this.more, label);
  }

  // One of the two buttons, with the focus if the other one had it.
  #show(button, label) {
    const wasFocused = [this.stop, this.more].includes(document.activeElement);
    this.stop.hidden = button !== this.stop;
    this.more.hidden = button !== this.more;
    button.textContent = label;
    button.removeAttribute("aria-disabled");
    if (wasFocused) button.focus();
  }

  #more() {
    if (this.more.textContent === "Sharpen") this.context.keep({ steps: Math.min(1024, 2 * (this.context.params.steps ?? this.context.server.picture.steps)) });
    this.make();
  }
}

class Change {
  constructor(context, photo, name) {
    Object.assign(this, { context, photo, name, busy: false, wanted: null });
    const scale = context.params.scale ?? "1";
    this.value = h("output", { class: "scale-value" });
    this.slider = h("input", { type: "range", min: 0, max: 4, step: 0.1, value: scale, id: "scale", oninput: () => this.ask() });
    this.answer = h("div", {});
    this.lists = h("div", { class: "pair" });
    this.presets = [["0", "Silence"], ["1", "As it is"], ["3", "Triple"]].map(([to, label]) =>
      h("button", { type: "button", class: "quiet", onclick: () => { this.slider.value = to; this.ask(); } }, label));
    this.element = h("section", { class: "panel", "aria-label": "What if" },
      h("h2", {}, "What if it fired differently?"),
      h("div", { class: "slider-line" }, h("label", { htmlFor: "scale" }, "Strength"), this.slider, this.value),
      h("div", { class: "tools" }, this.presets, actions(() => ({ verb: "intervene", photo: this.photo, unit: this.name, scale: this.slider.value }))),
      this.answer, this.lists);
  }

  question(scale) {
    return { photo: this.photo, unit: this.name, scale };
  }

  // While one question is on its way only the last wish is kept.
  async ask() {
    this.value.textContent = `× ${this.slider.value}`;
    this.context.keep({ scale: this.slider.value });
    this.wanted = this.slider.value;
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.wanted !== null) {
        const scale = this.wanted;
        this.wanted = null;
        const seen = await ask("intervene", this.question(scale), { signal: this.context.signal });
        fill(this.answer, predictionBars(seen.answer), h("p", { class: "hint" }, "The thin line is the answer as it is."));
      }
    } catch (error) {
      showError(error);
    } finally {
      this.busy = false;
    }
  }

  async load() {
    await this.ask();
    const silenced = await ask("intervene", this.question("0"), { signal: this.context.signal });
    const change = (row) => -row.change;
    const list = (title, rows) => h("div", {}, h("h3", {}, title), rows.length ? signedBars(rows, change) : h("p", { class: "hint" }, "None."));
    fill(this.lists, list("It raises here", silenced.raises), list("It lowers here", silenced.lowers));
  }
}

function fromAtlas(atlas, context, photo, server) {
  if (!server.atlas) {
    return [h("p", { class: "hint panel" }, "Best photos and similar units come from an atlas: build one with convscope atlas build, then start convscope live with --atlas.")];
  }
  if (!atlas) return [h("p", { class: "hint panel" }, "The atlas does not have this unit.")];
  const photos = h("section", { class: "panel", "aria-label": "Best photos" }, h("h2", {}, "Photos that excite it most"),
    h("div", { class: "examples" }, atlas.photos.map((one) => h("figure", {}, h("img", { src: one.image, alt: one.label ?? "a photo" }), h("figcaption", {}, one.label ?? "", " ", number(one.value))))));
  const similar = h("section", { class: "panel", "aria-label": "Similar units" }, h("h2", {}, "Similar units"),
    h("div", { class: "examples" }, atlas.similar.map((one) => {
      const values = { photo, unit: one.unit };
      return h("a", { class: "similar", href: context.href("unit", values), onclick: context.link("unit", values) },
        one.image ? h("img", { src: one.image, alt: "" }) : h("span", { class: "no-picture" }), h("span", {}, one.unit), h("span", { class: "hint" }, `cosine ${number(one.cosine)}`));
    })));
  return [atlas.photos.length ? photos : null, atlas.similar.length ? similar : null];
}
