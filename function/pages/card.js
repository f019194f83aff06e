// The model that serves: what it is, what loading it took, and what this visit woke up.
import { byId, count, make, seconds } from "./dom.js";
import { asked, patiently } from "./service.js";

let shownVersion;
let turn = 0;
let wakeUp; // of the page's first question only: later ones wake nothing

/** Ask which model serves; returns whether it is another than before. */
export async function refresh() {
  const mine = ++turn;
  const since = performance.now();
  try {
    const response = await patiently(() => mine === turn, ...asked("models/info"));
    if (!response || mine !== turn) return false;
    wakeUp ??= cost(response, (performance.now() - since) / 1000);
    return draw(await response.json());
  } catch (error) {
    if (mine === turn) byId("card").replaceChildren(make("p", { class: "hint" }, error.message));
    return false;
  }
}

export const isAnother = (version) => shownVersion !== undefined && version !== shownVersion;

/** What came first took, the page and this; what waited for a load says so in Server-Timing. */
function cost(response, waited) {
  const isLoad = (response.headers.get("Server-Timing") ?? "").includes(",");
  const visit = performance.getEntriesByType("navigation")[0];
  const page = visit ? `page ${seconds((visit.responseStart - visit.requestStart) / 1000)}, ` : "";
  return `${page}model ${seconds(waited)}${isLoad ? ", which this visit loaded" : ""}`;
}

function draw(info) {
  const isPromoted = shownVersion !== undefined && shownVersion !== info.version;
  if (isPromoted) byId("promoted").textContent = `Version ${shownVersion} has given way to ${info.version}.`;
  shownVersion = info.version;
  byId("card").replaceChildren(
    make("p", { class: "model-name" }, info.model_name ?? "unnamed model"),
    chips(info), facts(info), timings(info.load_timings_seconds));
  return isPromoted;
}

function chips(info) {
  const names = [info.version && `version ${info.version}`, info.stage, ...info.aliases.map((name) => `@${name}`)];
  return make("p", { class: "chips" }, ...names.filter(Boolean).map((name) => make("span", {}, name)));
}

function facts(info) {
  const told = [
    ["Labels", info.labels?.join(", ")],
    ["Engine", info.engine + (info.native ? ", native" : "")],
    ["Not compiled", info.not_compiled],
    ["Terms", info.terms && count(info.terms)],
    ["Several labels", info.multilabel && "yes"],
    ["Run", info.run_id],
    ["Loaded", new Date(info.loaded_at).toLocaleString()],
    ["Wake-up", wakeUp],
    ["Stale", info.stale && "the registry is away; this is the version served last"],
    ["Refused", info.refused && (info.refused.version ? `version ${info.refused.version}: ` : "") + info.refused.reason],
  ];
  const rows = told.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]);
  return make("dl", {}, ...rows);
}

function timings(given) {
  const stages = Object.entries(given ?? {});
  const total = stages.reduce((sum, [, value]) => sum + value, 0);
  if (!stages.length) return null;
  const rows = [...stages, ["total", total]].flatMap(([name, value]) =>
    [make("dt", {}, name.replaceAll("_", " ")), make("dd", {}, seconds(value))]);
  return make("details", {}, make("summary", {}, `Load: ${seconds(total)}`), make("dl", { class: "numbers" }, ...rows));
}
