// Questions to the server. A refusal becomes a sentence, a lost connection comes back by itself.

const lost = document.getElementById("lost");
const errorBox = document.getElementById("error");
const said = document.getElementById("said");
let waiting = null;

// Which of a browser's pages this is: pages take turns at the server.
const page = crypto.getRandomValues(new Uint32Array(4)).join("-").slice(0, 40);

// `status` is that of the answer; 0 where none came.
export class Sentence extends Error {
  constructor(text, status = null) {
    super(text);
    this.status = status;
  }
}

export function showError(error) {
  if (error.name === "AbortError") return;
  errorBox.textContent = error instanceof Sentence ? error.message : `Something went wrong in the page: ${error.message}`;
  errorBox.hidden = false;
}

export function clearError() {
  errorBox.hidden = true;
  errorBox.textContent = "";
}

export function say(text) {
  said.textContent = text;
  said.classList.add("shown");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => said.classList.remove("shown"), 2500);
}

export function address(route, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return `/api/${route}${text ? `?${text}` : ""}`;
}

export async function ask(route, parameters, options = {}) {
  const { as = "json", tries = 3, ...rest } = options;
  let response;
  try {
    response = await fetch(address(route, parameters), { credentials: "same-origin", headers: { "x-page": page }, ...rest });
  } catch (error) {
    if (error.name === "AbortError" || rest.method === "POST") throw connectionError(error);
    await connection();
    rest.signal?.throwIfAborted();
    return ask(route, parameters, options);
  }
  if (response.status === 429 && tries > 0 && rest.method !== "POST") {
    await new Promise((done) => setTimeout(done, 1000));
    rest.signal?.throwIfAborted();
    return ask(route, parameters, { ...options, tries: tries - 1 });
  }
  if (!response.ok) throw new Sentence(await sentence(response), response.status);
  if (response.status === 204) return null;
  return as === "blob" ? response.blob() : response.json();
}

function connectionError(error) {
  if (error.name === "AbortError") return error;
  connection();
  return new Sentence("The connection was lost; try that again when it is back.", 0);
}

async function sentence(response) {
  try {
    return (await response.json()).error;
  } catch {
    return `The server answered ${response.status}.`;
  }
}

// One loop for all who wait, until the server answers again.
export function connection() {
  if (waiting) return waiting;
  lost.hidden = false;
  waiting = (async () => {
    for (;;) {
      await new Promise((done) => setTimeout(done, 700));
      try {
        await fetch("/static/icon.svg", { cache: "no-store" });
        break;
      } catch {
        continue;
      }
    }
    lost.hidden = true;
    waiting = null;
  })();
  return waiting;
}

// Long work as events. `stop` ends it at the server and keeps what was made so far; `close` says
// that this page watches no more. A lost connection finds the work still running when it is back.
// The events that end it: with a result, without one because it was stopped, with an error.
const LAST = ["done", "stopped", "failed"];
let watched = 0;
const open = new Set();
addEventListener("pagehide", () => [...open].forEach((one) => one.close()));

export function work(parameters, on) {
  const named = { ...parameters, watcher: `${page.slice(0, 30)}-${(watched += 1)}` };
  const url = address("job", named);
  let source = null;
  const watch = () => {
    source = new EventSource(url);
    source.onopen = () => (lost.hidden = true);
    for (const name of ["waiting", "progress", "picture", ...LAST]) {
      source.addEventListener(name, (message) => {
        const event = JSON.parse(message.data);
        if (LAST.includes(name)) end();
        on(name, event);
      });
    }
    source.onerror = failed;
  };
  const end = () => {
    source.close();
    return open.delete(one);
  };
  // The browser tries again by itself, unless the server refused.
  async function failed() {
    if (source.readyState !== EventSource.CLOSED) {
      lost.hidden = false;
      return;
    }
    const response = await fetch(url).catch(() => null);
    if (!open.has(one)) return;
    if (!response || response.ok) {
      response?.body?.cancel().catch(() => {});
      await connection();
      if (open.has(one)) watch();
      return;
    }
    end();
    on("failed", { error: await sentence(response) });
  }
  const one = {
    close: () => end() && navigator.sendBeacon(address("job/leave", named)),
    stop: () => ask("job/stop", parameters, { method: "POST" }).catch(showError),
  };
  open.add(one);
  watch();
  return one;
}
