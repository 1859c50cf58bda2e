// Elements without HTML strings: text stays text, whatever a label or a file is called.

export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "style") Object.assign(element.style, value);
    else if (name in element && !name.startsWith("aria") && name !== "list") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

let counter = 0;
export const newId = (stem) => `${stem}-${++counter}`;

export function field(label, control, className = "") {
  control.id ||= newId("field");
  return h("div", { class: `field ${className}` }, h("label", { htmlFor: control.id }, label), control);
}

export function select(options, value, change) {
  const control = h("select", { onchange: () => change(control.value) });
  for (const option of options) {
    if (option.group) {
      control.append(h("optgroup", { label: option.group }, option.options.map(one)));
    } else control.append(one(option));
  }
  control.value = value;
  return control;
  function one({ value: key, label }) {
    return h("option", { value: key }, label);
  }
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter(Boolean));
  return element;
}

export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;

// A share as CSS wants it.
export const width = (share) => `${(100 * share).toFixed(2)}%`;

export function number(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1000 || size < 0.001 ? value.toExponential(1) : value.toPrecision(3);
}

export function floats(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}
