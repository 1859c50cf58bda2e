// Classes with their probabilities, before and after a change, and what speaks for and against.

import { h, number, percent, width } from "./dom.js";

export function predictionBars(rows, { choose = null, chosen = null } = {}) {
  const items = rows.map((row) => {
    const bar = h("span", { class: "bar-fill", style: { width: width(row.probability) } });
    const before = row.before === undefined ? null : h("span", { class: "bar-before", style: { left: width(row.before) } });
    const inner = [
      h("span", { class: "bar-label" }, row.label),
      h("span", { class: "bar-value" }, percent(row.probability)),
      h("span", { class: "bar-track", "aria-hidden": "true" }, bar, before),
    ];
    const pressed = chosen !== null && String(chosen) === String(row.index);
    return h("li", {}, choose
      ? h("button", { type: "button", class: "bar-row", "aria-pressed": String(pressed), title: `Ask about ${row.label}`, onclick: () => choose(row) }, inner)
      : h("div", { class: "bar-row" }, inner));
  });
  return h("ol", { class: "bars" }, items);
}

export function signedBars(rows, value) {
  const most = Math.max(...rows.map((row) => Math.abs(value(row))), 1e-12);
  return h("ol", { class: "signed-bars" }, rows.map((row) => {
    const share = value(row) / most;
    return h("li", {},
      h("span", { class: "bar-label" }, row.label),
      h("span", { class: "bar-value" }, `${share >= 0 ? "+" : "−"}${number(Math.abs(value(row)))}`),
      h("span", { class: "signed-track", "aria-hidden": "true" },
        h("span", {
          class: share >= 0 ? "for" : "against",
          style: { width: width(Math.abs(share) / 2), [share >= 0 ? "left" : "right"]: "50%" },
        })));
  }));
}
