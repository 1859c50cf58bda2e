"use strict";
// A large picture in a small box: drag, wheel, pinch and keys move it; hover, tap or the arrows say what a cell is of.
(() => {
  const box = document.getElementById("map"), picture = box.querySelector("img"), mark = box.querySelector(".mark"), said = box.querySelector(".said");
  const data = JSON.parse(document.getElementById("cells").textContent);
  const width = data.across * data.cell, height = data.down * data.cell;
  const cells = new Map(data.cells.map((cell) => [`${cell[0]},${cell[1]}`, cell]));
  const view = { x: 0, y: 0, scale: 1 };
  const fingers = new Map();
  let chosen = null, moved = 0, pinned = false;

  const least = () => Math.min(box.clientWidth / width, box.clientHeight / height);

  function draw() {
    const low = least(), high = Math.max(low * 2, 6);
    view.scale = Math.min(Math.max(view.scale, low), high);
    const shown = [width * view.scale, height * view.scale];
    const keep = (place, room, size) => (size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, place)));
    view.x = keep(view.x, box.clientWidth, shown[0]);
    view.y = keep(view.y, box.clientHeight, shown[1]);
    picture.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
    if (chosen) {
      const side = data.cell * view.scale;
      Object.assign(mark.style, { left: `${view.x + chosen[1] * side}px`, top: `${view.y + chosen[0] * side}px`, width: `${side}px`, height: `${side}px` });
    }
  }

  function zoom(factor, x = box.clientWidth / 2, y = box.clientHeight / 2) {
    const before = view.scale;
    view.scale = Math.min(Math.max(before * factor, least()), Math.max(least() * 2, 6));
    const change = view.scale / before;
    view.x = x - (x - view.x) * change;
    view.y = y - (y - view.y) * change;
    draw();
  }

  function choose(cell) {
    chosen = cell || null;
    mark.hidden = said.hidden = !chosen;
    if (!chosen) return;
    const list = document.createElement("ol"), head = document.createElement("span");
    for (const [label] of chosen[3]) { const line = document.createElement("li"); line.textContent = label; list.append(line); }
    head.textContent = `${chosen[2]} activation${chosen[2] === 1 ? "" : "s"}${chosen[3].length ? ", towards" : ""}`;
    said.replaceChildren(head, list);
    draw();
  }

  function at(event) {
    const frame = box.getBoundingClientRect();
    return [event.clientX - frame.left - box.clientLeft, event.clientY - frame.top - box.clientTop];
  }

  function under(event) {
    const [x, y] = at(event), side = data.cell * view.scale;
    return cells.get(`${Math.floor((y - view.y) / side)},${Math.floor((x - view.x) / side)}`);
  }

  box.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button")) return;
    box.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    if (fingers.size === 1) moved = 0;
  });
  box.addEventListener("pointermove", (event) => {
    const held = fingers.get(event.pointerId), now = at(event);
    if (!held) { if (event.pointerType === "mouse" && !pinned) choose(under(event)); return; }
    if (fingers.size === 1) { view.x += now[0] - held[0]; view.y += now[1] - held[1]; }
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
      const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
      const [was, is] = [middle(held, other), middle(now, other)];
      view.x += is[0] - was[0]; view.y += is[1] - was[1];
      zoom(apart(now, other) / (apart(held, other) || 1), is[0], is[1]);
    }
    moved += Math.hypot(now[0] - held[0], now[1] - held[1]);
    fingers.set(event.pointerId, now);
    draw();
  });
  const lift = (event) => {
    if (!fingers.delete(event.pointerId) || event.type !== "pointerup" || moved > 8 || fingers.size) return;
    const cell = under(event);
    pinned = Boolean(cell) && !(pinned && cell === chosen);
    choose(cell);
  };
  box.addEventListener("pointerup", lift);
  box.addEventListener("pointercancel", lift);
  box.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse" && !pinned && !fingers.size) choose(null); });
  box.addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(-Math.max(-120, Math.min(120, event.deltaY)) / 300), ...at(event)); }, { passive: false });
  box.querySelector(".zoom").addEventListener("click", (event) => {
    const factor = Number(event.target.dataset.zoom);
    if (factor) zoom(factor); else if (event.target.dataset.zoom === "0") { view.scale = least(); draw(); }
  });

  function walk(down, across) {
    const from = chosen || [data.down / 2, data.across / 2];
    const away = (cell) => {
      const [y, x] = [cell[0] - from[0], cell[1] - from[1]], ahead = y * down + x * across;
      return cell === chosen || (chosen && ahead <= 0) ? Infinity : Math.abs(ahead) + 3 * Math.abs(y * across) + 3 * Math.abs(x * down);
    };
    const next = data.cells.reduce((best, cell) => (away(cell) < away(best) ? cell : best));
    if (away(next) === Infinity) return;
    pinned = true;
    const side = data.cell * view.scale, x = view.x + (next[1] + 0.5) * side, y = view.y + (next[0] + 0.5) * side;
    view.x += Math.max(0, side - x) - Math.max(0, x - box.clientWidth + side);
    view.y += Math.max(0, side - y) - Math.max(0, y - box.clientHeight + side);
    choose(next);
  }

  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (arrow) walk(...arrow);
    else if (event.key === "+" || event.key === "=") zoom(1.5);
    else if (event.key === "-") zoom(1 / 1.5);
    else if (event.key === "0") { view.scale = least(); draw(); }
    else if (event.key === "Escape" && chosen) { pinned = false; choose(null); }
    else return;
    event.preventDefault();
  });
  new ResizeObserver(draw).observe(box);
  view.scale = least();
  draw();
})();
