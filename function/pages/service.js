// Asks the service: with the key, and with patience where it is starting.
import { byId, show } from "./dom.js";

const root = new URL(document.body.dataset.root, location.href);
const KEPT = "key";
const SLOW_MS = 700;
const AWAY_SECONDS = 2;

let key = kept();
let pending = [];

export const address = (path) => new URL(path, root).href;
export const hasKey = () => key !== "";

/** A token goes where tokens go, a key where no gateway looks for its own. */
export const keyHeader = () =>
  /^[\w-]+\.[\w-]+\.[\w-]+$/.test(key) ? ["Authorization", `Bearer ${key}`] : ["X-API-Key", key];

function kept() {
  try { return sessionStorage.getItem(KEPT) ?? ""; } catch { return ""; }
}

export function useKey(given) {
  key = given.trim();
  try {
    if (key) sessionStorage.setItem(KEPT, key);
    else sessionStorage.removeItem(KEPT);
  } catch { /* then it lives as long as the page */ }
}

/** What the service refused: its status, its own words, and when to come back. */
export class Problem extends Error {
  constructor(status, detail, retryAfter = 0) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** One request; the response where it went well, a Problem where not. */
export async function ask(path, body, type = "application/json", signal = undefined) {
  const headers = { Accept: type === "application/json" ? type : "application/x-ndjson" };
  if (key) headers[keyHeader()[0]] = keyHeader()[1];
  if (body !== undefined) headers["Content-Type"] = type;
  const options = { method: body === undefined ? "GET" : "POST", headers, body, signal, cache: "no-store" };
  const mine = { since: performance.now() };
  pending.push(mine);
  try {
    const response = await fetch(address(path), options);
    if (response.ok) return response;
    throw await problem(response);
  } catch (error) {
    if (error instanceof Problem || error.name === "AbortError") throw error;
    if (/header|ByteString|ISO-8859/i.test(error.message)) throw new Problem(401, "No key has such letters.");
    throw new Problem(0, "The service does not answer.", AWAY_SECONDS);
  } finally {
    pending = pending.filter((one) => one !== mine);
  }
}

async function problem(response) {
  let detail = `${response.status} ${response.statusText}`;
  try { detail = (await response.json()).detail ?? detail; } catch { /* no problem details */ }
  return new Problem(response.status, detail, Number(response.headers.get("Retry-After")) || 1);
}

/**
 * As `ask`, again for as long as the service is starting, too busy or away, and somebody still
 * wants to know (`isWanted`). Undefined where nobody does any more.
 */
export async function patiently(isWanted, ...asked) {
  for (;;) {
    try {
      const response = await ask(...asked);
      say("");
      return response;
    } catch (error) {
      if (error.status === 401 || error.status === 403) demandKey(error.message);
      if (error.status !== 503 && error.status !== 0) throw error;
      for (let left = error.retryAfter; left > 0; left -= 1) {
        if (!isWanted()) return undefined;
        say(error.message, `Trying again in ${left} s`);
        await new Promise((done) => setTimeout(done, 1000));
      }
      if (!isWanted()) return undefined;
      say(error.message, "Trying again");
    }
  }
}

export const asked = (path, value) => [path, value === undefined ? undefined : JSON.stringify(value)];

/** What holds things up; `aside` may change every second and is not read out. */
export function say(words, aside = "") {
  const [told, counting] = statusParts();
  if (told.textContent !== words) told.textContent = words;
  counting.textContent = aside;
  byId("status").classList.toggle("is-said", words !== "");
}

function statusParts() {
  const status = byId("status");
  if (status.childElementCount === 0) {
    const counting = document.createElement("span");
    counting.setAttribute("aria-hidden", "true");
    status.append(document.createElement("span"), counting);
  }
  return status.children;
}

let isWaking = false;
setInterval(() => { // an answer that takes long is most often a model that is being loaded
  const waited = pending.length ? performance.now() - Math.min(...pending.map((one) => one.since)) : 0;
  if (waited > SLOW_MS) {
    isWaking = true;
    say("Waking the model; the first answer takes longer.", `${(waited / 1000).toFixed(0)} s`);
  } else if (isWaking) {
    isWaking = false;
    say("");
  }
}, 250);

function demandKey(words) {
  const isNew = byId("access").hidden;
  openAccess(true);
  say(hasKey() ? words : "This service wants a key.");
  if (isNew) byId("key").focus();
}

export function openAccess(isOpen) {
  show("access", isOpen);
  byId("show-key").setAttribute("aria-expanded", String(isOpen));
}
