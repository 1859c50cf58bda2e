"use strict";
// Keys: left and right to the neighbors, Esc up; among tiles the arrows walk. Filter and sort of a layer's units.
(() => {
  const typing = (element) => element && /^(INPUT|SELECT|TEXTAREA)$/.test(element.tagName);
  const link = (rel) => document.querySelector(`link[rel=${rel}]`);

  function walk(tile, key) {
    const tiles = [...tile.parentElement.querySelectorAll(":scope > .tile:not([hidden])")];
    const place = tiles.indexOf(tile);
    const top = tiles[0].offsetTop;
    const across = tiles.filter((one) => one.offsetTop === top).length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[key];
    const next = tiles[place + step];
    if (next) next.focus();
    return Boolean(next);
  }

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
    const focused = document.activeElement;
    if (typing(focused)) {
      if (event.key === "Escape") { if (focused.value && focused.type === "search") focused.value = ""; else focused.blur(); focused.dispatchEvent(new Event("input", { bubbles: true })); event.preventDefault(); }
      return;
    }
    if (event.key.startsWith("Arrow") && focused && focused.classList.contains("tile")) {
      if (walk(focused, event.key)) event.preventDefault();
      return;
    }
    if (event.key === "/") {
      const box = document.querySelector("input[type=search]");
      if (box) { box.focus(); event.preventDefault(); }
      return;
    }
    const rel = { ArrowLeft: "prev", ArrowRight: "next", Escape: "up" }[event.key];
    const found = rel && link(rel);
    if (found) { event.preventDefault(); location.href = found.href; }
  });

  const grid = document.getElementById("grid");
  if (!grid) return;
  const filter = document.getElementById("filter"), sort = document.getElementById("sort"), living = document.getElementById("living");
  const count = document.getElementById("count"), nothing = document.getElementById("nothing");
  const tiles = [...grid.children];
  const score = (tile) => (tile.dataset.score === undefined ? -Infinity : Number(tile.dataset.score));
  filter.form.addEventListener("submit", (event) => event.preventDefault());

  function show() {
    const words = filter.value.trim().toLowerCase();
    let shown = 0;
    for (const tile of tiles) {
      const fits = /^\d+$/.test(words) ? tile.dataset.unit.startsWith(words) : tile.dataset.words.includes(words);
      tile.hidden = !fits || (living.checked && tile.classList.contains("dead"));
      shown += !tile.hidden;
    }
    count.textContent = shown === tiles.length ? `${shown} unit${shown === 1 ? "" : "s"}` : `${shown} of ${tiles.length} units`;
    nothing.hidden = shown > 0;
    const state = new URLSearchParams();
    if (words) state.set("filter", filter.value.trim());
    if (sort.value !== "unit") state.set("sort", sort.value);
    if (living.checked) state.set("living", "1");
    try { history.replaceState(null, "", String(state) ? `#${state}` : location.pathname); } catch { /* some browsers refuse on file: */ }
  }

  function order() {
    const by = sort.value === "score" ? (a, b) => score(b) - score(a) || a.dataset.unit - b.dataset.unit : (a, b) => a.dataset.unit - b.dataset.unit;
    grid.append(...[...tiles].sort(by));
    show();
  }

  const state = new URLSearchParams(location.hash.slice(1));
  filter.value = state.get("filter") || "";
  if (state.get("sort") === "score") sort.value = "score";
  living.checked = state.get("living") === "1";
  filter.addEventListener("input", show);
  living.addEventListener("change", show);
  sort.addEventListener("change", order);
  order();
})();
