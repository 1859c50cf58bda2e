// "Copy command", "copy Python" and "save PNG" of a view: the server writes all three.

import { ask, say, Sentence, showError } from "./api.js";
import { h } from "./dom.js";

export function actions(question, { work = () => false } = {}) {
  const copy = (name, label) =>
    h("button", {
      type: "button",
      class: "quiet",
      onclick: async () => {
        try {
          const recipe = await ask("recipe", await question());
          await toClipboard(recipe[name]);
          say(`${label} copied`);
        } catch (error) {
          showError(error);
        }
      },
    }, `Copy ${label}`);
  const save = h("button", {
    type: "button",
    class: "quiet",
    onclick: async () => {
      try {
        const named = await question();
        const blob = await ask(work() ? "job/png" : "png", named, { as: "blob" });
        const link = h("a", { href: URL.createObjectURL(blob), download: `${named.photo ?? ""}${named.photo ? "-" : ""}${named.verb}.png` });
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10000);
        say("PNG saved");
      } catch (error) {
        showError(error);
      }
    },
  }, "Save PNG");
  return h("div", { class: "actions", role: "group", "aria-label": "Take it with you" }, copy("command", "command"), copy("python", "Python"), save);
}

async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Another host than this machine's own is not a secure context: there is no clipboard there.
    const box = h("textarea", { value: text, class: "offscreen", "aria-label": "To copy" });
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    if (!done) throw new Sentence(`The browser does not let this be copied: ${text}`);
  }
}
