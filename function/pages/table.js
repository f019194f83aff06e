// The table of many answers: sorted, filtered, a page at a time, downloaded.
import { bar, byId, count, make, percent, show } from "./dom.js";
import { toCsv } from "./lines.js";
import { explainedNodes, nameOf } from "./single.js";

const PAGE = 50;
const COLUMNS = [
  ["line", "Line", (row) => row.line],
  ["text", "Text", (row) => row.text.toLowerCase()],
  ["label", "Label", (row) => row.label],
  ["confidence", "Confidence", (row) => row.confidence ?? -1],
];

let rows = [];
let order = { column: "line", isDown: false };
let page = 0;
let drawing = 0;

/** The answer of the service, or its error, as a row. */
export function rowOf(line, text, answer) {
  if (answer?.error) return { line, text, label: "", confidence: null, error: answer.error.detail };
  if (!answer) return { line, text, label: "", confidence: null };
  return { line, text, label: nameOf(answer), confidence: answer.confidence, version: answer.model_version };
}

export function setRows(given) {
  rows = given;
  draw();
}

/** As often as the screen shows it, however fast rows come. */
export function draw() {
  drawing ||= requestAnimationFrame(() => {
    drawing = 0;
    show("several", rows.length > 0);
    drawCounts();
    drawRows();
  });
}

export function prepare() {
  byId("heads").replaceChildren(...COLUMNS.map(([name, title]) => {
    const button = make("button", { type: "button" }, title);
    button.addEventListener("click", () => sortBy(name));
    return make("th", { scope: "col", class: name, "data-column": name }, button);
  }), make("th", { scope: "col", class: "why" }, make("span", { class: "hidden" }, "Explanation")));
  byId("find").addEventListener("input", () => turnTo(0));
  byId("only").addEventListener("change", () => turnTo(0));
  byId("before").addEventListener("click", () => turnTo(page - 1));
  byId("after").addEventListener("click", () => turnTo(page + 1));
  byId("download").addEventListener("click", download);
}

function sortBy(column) {
  order = { column, isDown: order.column === column ? !order.isDown : column === "confidence" };
  turnTo(0);
}

function turnTo(given) {
  page = given;
  draw();
}

function selected() {
  const words = byId("find").value.trim().toLowerCase();
  const label = byId("only").value;
  const found = rows.filter((row) =>
    (label === "" || row.label === label) && (words === "" || row.text.toLowerCase().includes(words)));
  const value = COLUMNS.find(([name]) => name === order.column)[2];
  const sign = order.isDown ? -1 : 1;
  const compare = (one, other) => (one < other ? -sign : one > other ? sign : 0);
  return found.sort((one, other) => compare(value(one), value(other)) || one.line - other.line);
}

function drawRows() {
  const found = selected();
  page = Math.max(0, Math.min(page, Math.ceil(found.length / PAGE) - 1));
  const shown = found.slice(page * PAGE, (page + 1) * PAGE);
  byId("rows").replaceChildren(...shown.map(drawRow));
  const first = found.length ? page * PAGE + 1 : 0;
  const told = `${count(first)}\u2013${count(page * PAGE + shown.length)} of ${count(found.length)}`;
  if (byId("shown").textContent !== told) byId("shown").textContent = told;
  byId("before").disabled = page === 0;
  byId("after").disabled = (page + 1) * PAGE >= found.length;
  for (const head of byId("heads").querySelectorAll("[data-column]")) {
    const sorted = order.isDown ? "descending" : "ascending";
    head.setAttribute("aria-sort", head.dataset.column === order.column ? sorted : "none");
  }
}

function drawRow(row) {
  const text = make("td", { class: "text" }, row.text);
  const why = make("button", { type: "button", class: "quiet", "aria-label": `Why, line ${row.line}` }, "Why");
  why.addEventListener("click", async () => text.replaceChildren(...(await explainedNodes(row.text))));
  why.disabled = !row.label;
  const label = make("td", { class: row.error ? "label failure" : "label" }, row.error ?? (row.label || "\u2026"));
  return make("tr", {}, make("td", { class: "line" }, count(row.line)), text, label,
    make("td", { class: "confidence" }, percent(row.confidence)), make("td", { class: "why" }, why));
}

function drawCounts() {
  const found = new Map();
  for (const row of rows) if (row.label) found.set(row.label, (found.get(row.label) ?? 0) + 1);
  const sorted = [...found].sort((one, other) => other[1] - one[1]);
  byId("counts").replaceChildren(...sorted.slice(0, 8).map(([label, number]) =>
    make("li", {}, make("span", { class: "name" }, label), bar(number / rows.length), make("span", { class: "value" }, count(number)))));
  const only = byId("only");
  const kept = found.has(only.value) ? only.value : "";
  const options = [["", "all"], ...[...found.keys()].sort().map((label) => [label, label])];
  if (options.length === only.options.length && kept === only.value) return;
  only.replaceChildren(...options.map(([value, words]) => make("option", { value }, words)));
  only.value = kept;
}

function download() {
  const url = URL.createObjectURL(new Blob([toCsv(selected())], { type: "text/csv" }));
  make("a", { href: url, download: "predictions.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
