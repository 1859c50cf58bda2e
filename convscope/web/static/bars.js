// Classes with their probabilities, before and after a change, and what speaks for and against.

import { h, number, percent, width } from "./dom.js";

// What a row of the answer is asked about as a target.
export const targetOf = (row) =>
  row.box !== undefined ? `box:${row.box}` : row.mask !== undefined ? `mask:${row.index}` : row.value !== undefined ? `value:${row.index}` : row.index;

export function predictionBars(rows, { choose = null, chosen = null } = {}) {
  if (rows.some((row) => row.numbers !== undefined)) {
    return h("p", { class: "hint" }, `An embedding of ${rows[0].numbers} numbers, its length ${number(rows[0].length)}.`);
  }
  if (!rows.length) return h("p", { class: "hint" }, "It finds nothing here.");
  const most = Math.max(...rows.map((row) => Math.abs(row.value ?? 0)), 1e-12);
  const items = rows.map((row) => {
    const share = row.probability ?? row.share ?? Math.abs(row.value) / most;
    const bar = h("span", { class: "bar-fill", style: { width: width(share), background: row.color } });
    const before = row.before === undefined ? null : h("span", { class: "bar-before", style: { left: width(row.before) } });
    const inner = [
      h("span", { class: "bar-label" }, row.box === undefined ? row.label : `${row.box} ${row.label}`),
      h("span", { class: "bar-value" }, row.value === undefined ? percent(share) : number(row.value)),
      h("span", { class: "bar-track", "aria-hidden": "true" }, bar, before),
    ];
    const pressed = chosen !== null && String(chosen) === String(targetOf(row));
    return h("li", {}, choose
      ? h("button", { type: "button", class: "bar-row", "data-key": `answer ${targetOf(row)}`, "aria-pressed": String(pressed), title: `Ask about ${row.label}`, onclick: () => choose(row) }, inner)
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
