// How heat is asked for: method, target, layer and the method's own options, all from the server.

import { field, h, select } from "./dom.js";

export class MethodForm {
  // `prefix` parts the second figure's parts of the address from the first one's.
  constructor(context, prefix, change, methods = context.server.methods) {
    Object.assign(this, { context, prefix, change, methods, drawn: null });
    const { server } = context;
    const layers = server.layers.filter((layer) => layer.shape[1] * layer.shape[2] > 1);
    const names = [...new Set([server.last, ...server.stages, ...layers.map((layer) => layer.name)])].filter(Boolean);
    this.chooser = this.#methods();
    this.target = this.#target();
    this.layer = select(names.map((name) => ({ value: name, label: name })), "", (value) => this.set({ layer: value }));
    this.layerField = field("Layer", this.layer);
    this.summary = h("p", { class: "hint" });
    this.options = h("details", { class: "options" }, h("summary", {}, "Options"));
    this.element = h("div", { class: "controls" }, field("Method", this.chooser, "wide"), field("Target", this.target), this.summary);
    this.draw();
  }

  get(name) {
    return this.context.params[this.prefix + name] ?? "";
  }

  get method() {
    const name = this.get("method") || "grad_cam";
    return this.methods.find((one) => one.name === name) ?? this.methods[0];
  }

  question() {
    const question = { method: this.get("method"), target: this.get("target") };
    if (this.method.layer) question.layer = this.get("layer");
    for (const option of this.method.options) question[option.name] = this.get(option.name);
    return question;
  }

  set(values) {
    const named = Object.fromEntries(Object.entries(values).map(([name, value]) => [this.prefix + name, value]));
    this.context.keep(named);
    this.draw();
    this.change();
  }

  // The fields stay, and with them the focus; only another method has other options.
  draw() {
    const method = this.method;
    this.chooser.value = method.name;
    this.target.value = this.get("target");
    this.layer.value = this.get("layer") || this.context.server.last;
    if (this.drawn === method) return;
    this.drawn = method;
    this.summary.textContent = method.summary;
    if (method.layer) this.summary.before(this.layerField);
    else this.layerField.remove();
    if (method.options.length) this.element.append(this.options);
    else this.options.remove();
    this.options.replaceChildren(this.options.firstChild, ...method.options.map((option) => this.#option(option)));
  }

  #methods() {
    const groups = [["layer", "At a layer"], ["input", "At the pixels"]].map(([space, group]) => ({
      group,
      options: this.methods
        .filter((one) => (one.space === "layer") === (space === "layer"))
        .map((one) => ({ value: one.name, label: one.name.replaceAll("_", " ") + (one.quick ? "" : " (slow)") })),
    }));
    return select(groups, this.method.name, (value) => this.set({ method: value }));
  }

  #target() {
    const input = h("input", {
      type: "text",
      value: this.get("target"),
      placeholder: "top prediction",
      autocomplete: "off",
      spellcheck: false,
      onchange: () => this.set({ target: input.value.trim() }),
    });
    input.setAttribute("list", classList(this.context.server.model.labels));
    return input;
  }

  #option(option) {
    const value = this.get(option.name);
    const set = (text) => this.set({ [option.name]: text });
    const shown = option.default === null ? "" : String(option.default);
    let control;
    if (option.kind === "choice") {
      control = select(option.choices.map((choice) => ({ value: choice, label: choice })), value || shown, set);
    } else if (option.kind === "switch") {
      control = select(["true", "false"].map((choice) => ({ value: choice, label: choice === "true" ? "yes" : "no" })), value || shown, set);
    } else {
      control = h("input", { type: "text", inputMode: option.kind === "number" ? "decimal" : "text", value, placeholder: shown, onchange: () => set(control.value.trim()) });
    }
    const line = field(option.name.replaceAll("_", " "), control);
    line.append(h("p", { class: "hint" }, option.help));
    return line;
  }
}

// One list of all classes for every field that asks for one.
function classList(labels) {
  const id = "classes";
  if (!document.getElementById(id)) {
    document.body.append(h("datalist", { id }, labels.map((label) => h("option", { value: label }))));
  }
  return id;
}
