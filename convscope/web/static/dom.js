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
  control.dataset.key ||= label;
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

// What an element is called across redraws: the one that takes its place has the same.
const keyOf = (element) => element.dataset.key ?? element.getAttribute("aria-label");

export const focusedKey = (root) => (root.contains(document.activeElement) ? keyOf(document.activeElement) : null);

// The focus goes to what took the place of the element that had it, for those who use the keyboard.
export function focusKey(root, key) {
  if (key === null) return;
  [...root.querySelectorAll("[data-key], [aria-label]")].find((one) => keyOf(one) === key)?.focus({ preventScroll: true });
}

// `fill` of an element that may hold the focus.
export function refill(element, ...children) {
  const key = focusedKey(element);
  fill(element, ...children);
  focusKey(element, key);
  return element;
}

// A button that ends work: what was asked is said at once, though the running step is still made.
export function stopButton(className, stop) {
  const button = h("button", {
    type: "button",
    class: className,
    onclick: () => {
      if (button.getAttribute("aria-disabled") === "true") return;
      button.textContent = "Stopping…";
      button.setAttribute("aria-disabled", "true");
      stop();
    },
  }, "Stop");
  return button;
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
