// Photo: the answer, and where in the photo it comes from; two methods or targets side by side.

import { actions } from "./actions.js";
import { clearError, Sentence, showError, work } from "./api.js";
import { predictionBars, targetOf } from "./bars.js";
import { fill, h, refill, stopButton } from "./dom.js";
import { Figure } from "./figure.js";
import { look } from "./look.js";
import { MethodForm } from "./method_form.js";
import { photoOf, photoStrip } from "./photo_strip.js";
import { stageRail } from "./stage_rail.js";

export async function photo(top, context) {
  const id = photoOf(context);
  const opacity = () => context.params.opacity ?? "0.55";
  const side = h("section", { class: "side panel", "aria-label": "Answer" });
  const rail = h("section", { class: "rail", "aria-label": "Stages" });
  const panes = [new Pane(context, id, "", opacity)];
  const comparing = Boolean(context.params.compare);
  if (comparing) {
    panes.push(new Pane(context, id, "b.", opacity));
    for (const pane of panes) pane.element.append(pane.actions);
  }
  const slider = h("input", {
    type: "range", min: 0, max: 1, step: 0.05, value: opacity(), id: "opacity",
    oninput: () => {
      context.keep({ opacity: slider.value });
      for (const pane of panes) pane.figure.fade(slider.value);
    },
  });
  const compare = h("button", {
    type: "button", class: "quiet", "data-key": "compare", "aria-pressed": String(comparing),
    onclick: () => context.change({ compare: comparing ? null : "1", "b.method": comparing ? null : "saliency" }),
  }, comparing ? "One map" : "Compare");
  top.append(
    photoStrip(context),
    h("h1", { class: "offscreen" }, "Photo"),
    h("div", { class: "columns" },
      h("section", { class: "stage", "aria-label": "Photo and heat" },
        h("div", { class: comparing ? "pair" : "single" }, panes.map((pane) => pane.element)),
        h("div", { class: "tools" },
          h("label", { htmlFor: "opacity" }, "Opacity"), slider, compare,
          comparing ? null : panes[0].actions)),
      side),
    rail);
  panes[0].onAnswers = (seen) => {
    const target = panes[0].form.get("target") || (panes[0].shown?.target?.index ?? null);
    refill(side, h("h2", {}, "The network says"),
      predictionBars(seen.predictions, { chosen: target, choose: (row) => panes[0].form.set({ target: targetOf(row) }) }),
      h("p", { class: "hint" }, "Choose an answer to see where it comes from. Click into the photo to look at a place."));
    fill(rail, h("h2", {}, "From pixels to the answer"), stageRail(seen.stages, context, id));
  };
  await Promise.all(panes.map((pane) => pane.load()));
}

class Pane {
  constructor(context, id, prefix, opacity) {
    Object.assign(this, { context, id, prefix, opacity, shown: null, running: null, onAnswers: () => {} });
    this.figure = new Figure({ label: prefix ? "Second map" : "Photo with heat", pick: (row, column) => context.go("place", { photo: id, row, column, target: this.form.get("target") }) });
    this.title = h("p", { class: "map-title" }, " ");
    this.state = h("div", { class: "working", hidden: true });
    this.form = new MethodForm(context, prefix, () => this.load());
    this.actions = actions(() => this.question(), { work: () => !this.form.method.quick });
    this.element = h("div", { class: "pane" }, this.title, this.figure.element, this.state, this.form.element);
    context.onClose(() => this.running?.close());
  }

  question() {
    return { verb: "explain", photo: this.id, ...this.form.question() };
  }

  async load() {
    this.running?.close();
    this.idle();
    this.abort?.abort();
    this.abort = new AbortController();
    const signal = AbortSignal.any([this.abort.signal, this.context.signal]);
    clearError();
    this.element.setAttribute("aria-busy", "true");
    try {
      const seen = await look({ photo: this.id, ...this.form.question() }, { signal });
      this.figure.show(seen.photo);
      // Masks fill the photo: heat over them would be read as neither, so a target has to be chosen first.
      this.lay(seen.heat, seen.masks && !this.form.get("target"));
      this.figure.outline(seen.masks && this.form.get("target") ? { ...seen, masks: null } : seen);
      this.onAnswers(seen);
      if (seen.refused) showError(seen.refused);
      else if (seen.note) this.title.textContent = seen.note;
      else if (!seen.heat) this.slow();
    } catch (error) {
      showError(error);
    } finally {
      this.element.setAttribute("aria-busy", "false");
    }
  }

  lay(heat, hidden = false) {
    const map = hidden ? null : heat?.maps[0] ?? null;
    this.shown = map;
    this.figure.lay(map, this.opacity());
    const layer = heat?.layer ? ` at ${heat.layer}` : "";
    this.title.textContent = map ? `${map.title} · ${heat.method.replaceAll("_", " ")}${layer}` : this.form.method.name.replaceAll("_", " ");
  }

  // The focus of a "Stop" that goes is the method's from then on.
  idle() {
    const wasFocused = this.state.contains(document.activeElement);
    this.state.hidden = true;
    if (wasFocused) this.form.chooser.focus();
  }

  slow() {
    const bar = h("progress", { max: 1, value: 0, "aria-label": "Progress" });
    const duration = h("span", { class: "hint", role: "status" });
    fill(this.state, bar, duration, stopButton("quiet", () => this.running.stop()));
    this.state.hidden = false;
    this.running = work(this.question(), (name, event) => {
      if (name === "progress") {
        bar.max = event.steps;
        bar.value = event.step;
        if (event.duration) duration.textContent = `about ${event.duration} in all`;
        return;
      }
      if (name === "done") this.lay(event.explanation);
      if (name === "stopped") this.title.textContent += ` · ${event.ended}`;
      if (name === "failed") showError(new Sentence(event.error));
      if (name !== "waiting" && name !== "picture") this.idle();
    });
  }
}
