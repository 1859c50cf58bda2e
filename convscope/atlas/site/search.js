"use strict";
// Search over CONVSCOPE, which labels.js defines: a script rather than JSON, since a page from file:// may fetch nothing.
(() => {
  const data = window.CONVSCOPE, query = document.getElementById("query"), results = document.getElementById("results");
  const found = document.getElementById("found"), suggested = document.getElementById("suggested");
  const MOST = 200;
  query.form.addEventListener("submit", (event) => event.preventDefault());

  function look(words) {
    const best = new Map();
    const add = (layer, unit, score, why) => {
      const key = `${layer}:${unit}`, held = best.get(key);
      if (held) { held.score += score; held.why.add(why); } else best.set(key, { layer, unit, score, why: new Set([why]) });
    };
    for (const [label, units] of data.labels) {
      if (label.toLowerCase().includes(words)) for (const [layer, unit, count] of units) add(layer, unit, count, `${count} × ${label}`);
    }
    for (const [layer, unit, label] of data.classes) if (label.toLowerCase().includes(words)) add(layer, unit, 1000, label);
    data.layers.forEach((layer, place) => {
      const colon = words.lastIndexOf(":"), name = colon < 0 ? words : words.slice(0, colon), number = colon < 0 ? "" : words.slice(colon + 1);
      if (colon < 0 ? layer.name.toLowerCase() === words : layer.name.toLowerCase() === name) {
        for (const unit of layer.units) if (String(unit).startsWith(number)) add(place, unit, 0, "");
      }
    });
    return [...best.values()].sort((a, b) => b.score - a.score || a.layer - b.layer || a.unit - b.unit);
  }

  function tile(one) {
    const layer = data.layers[one.layer], link = document.createElement("a"), name = document.createElement("span"), bold = document.createElement("b");
    const file = layer.pictured.includes(one.unit) ? `${one.unit}.png` : layer.photos[one.unit];
    const picture = document.createElement(file ? "img" : "span");
    link.className = "tile"; link.href = `${layer.folder}/${one.unit}.html`;
    if (file) { picture.src = `${layer.folder}/${file}`; picture.alt = ""; picture.loading = "lazy"; }
    else { picture.className = "none"; picture.textContent = "no picture"; }
    bold.textContent = `${layer.name}:${one.unit}`; name.className = "name"; name.append(bold);
    const why = document.createElement("span"); why.className = "name"; why.textContent = [...one.why].join(", "); why.title = why.textContent;
    link.append(picture, name, why);
    return link;
  }

  function show() {
    const words = query.value.trim().toLowerCase();
    const hits = words ? look(words) : [];
    results.replaceChildren(...hits.slice(0, MOST).map(tile));
    suggested.hidden = Boolean(words);
    found.textContent = !words ? "" : hits.length > MOST ? `the first ${MOST} of ${hits.length} units` : hits.length ? `${hits.length} unit${hits.length === 1 ? "" : "s"}` : "no unit";
    try { history.replaceState(null, "", words ? `#${encodeURIComponent(query.value.trim())}` : location.pathname); } catch { /* some browsers refuse on file: */ }
  }

  const follow = () => { try { query.value = decodeURIComponent(location.hash.slice(1)); } catch { query.value = ""; } show(); };
  query.addEventListener("input", show);
  window.addEventListener("hashchange", follow);
  follow();
})();
