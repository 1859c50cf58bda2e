// The shell: addresses to views and back. A view's whole state is in its address.

import { ask, clearError, showError } from "./api.js";
import { fill, focusedKey, focusKey, h } from "./dom.js";
import { camera } from "./view_camera.js";
import { releaseSheets } from "./tiles.js";
import { network } from "./view_network.js";
import { photo } from "./view_photo.js";
import { place } from "./view_place.js";
import { unit } from "./view_unit.js";

const VIEWS = { photo, network, unit, place, camera };
const TITLES = { photo: "Photo", network: "Network", unit: "Unit", place: "Place", camera: "Camera" };
const main = document.getElementById("view");
const nav = document.getElementById("views");
let server = null;
let current = null;
let shown = null;

const parameters = () => Object.fromEntries(new URLSearchParams(location.search));
const viewName = () => location.pathname.slice(1) || "photo";

export function href(view, values = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return `/${view}${text ? `?${text}` : ""}`;
}

function context(abort) {
  return {
    server,
    signal: abort.signal,
    params: parameters(),
    href,
    go(view, values) {
      history.pushState(null, "", href(view, values));
      render();
    },
    link(view, values) {
      return (event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
        event.preventDefault();
        this.go(view, values);
      };
    },
    // A change within the view: the address follows, and nothing is drawn anew.
    keep(values) {
      Object.assign(this.params, values);
      history.replaceState(null, "", href(viewName(), this.params));
      drawNavigation();
    },
    change(values) {
      this.go(viewName(), { ...this.params, ...values });
    },
    onClose(work) {
      abort.signal.addEventListener("abort", work);
    },
  };
}

const links = new Map(Object.entries(TITLES).map(([name, title]) => [name, h("a", {
  onclick: (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    history.pushState(null, "", event.currentTarget.href);
    render();
  },
}, title)]));
nav.append(...links.values());

function drawNavigation() {
  const { photo: chosen, layer, unit: one } = parameters();
  for (const [name, link] of links) {
    link.href = href(name, { photo: name === "camera" ? null : chosen, layer: name === "network" ? layer : null, unit: name === "unit" ? one : null });
    if (viewName() === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

async function render() {
  current?.abort();
  const abort = (current = new AbortController());
  const name = viewName();
  const key = focusedKey(main);
  const wasInside = main.contains(document.activeElement);
  const isOther = shown !== null && shown !== name;
  shown = name;
  clearError();
  releaseSheets();
  drawNavigation();
  document.title = `${TITLES[name] ?? "Convscope"} · Convscope live`;
  const top = h("div", { class: `view ${name}` });
  fill(main, top);
  // Of another view the whole is new: its beginning has the focus. Within a view it stays where it was.
  const isLost = () => document.activeElement === document.body || document.activeElement === main;
  const refocus = () => {
    if (isOther) return;
    if (isLost()) focusKey(main, key);
    if (wasInside && isLost()) main.focus({ preventScroll: true });
  };
  try {
    const drawn = VIEWS[name](top, context(abort));
    if (isOther) main.focus({ preventScroll: true });
    refocus();
    await drawn;
    if (!abort.signal.aborted) refocus();
  } catch (error) {
    if (!abort.signal.aborted) showError(error);
  }
}

async function start() {
  try {
    server = await ask("state");
  } catch (error) {
    fill(main);
    showError(error);
    return;
  }
  const [height, width] = server.model.size;
  document.getElementById("model").textContent = `${server.model.name} · ${height} × ${width}`;
  addEventListener("popstate", render);
  // A page that the browser kept has closed its work when it was left.
  addEventListener("pageshow", (event) => event.persisted && render());
  await render();
}

start();
