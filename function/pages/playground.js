// The playground: what is typed, pasted or dropped, and what is shown of it.
import { acknowledge, byId, copy, count, make, show, tell } from "./dom.js";
import * as card from "./card.js";
import { linesOf, predictAll, readFile } from "./lines.js";
import { openAccess, say, useKey } from "./service.js";
import { classify, dismiss, forgetModel, paint } from "./single.js";
import { LANGUAGES, snippet } from "./snippets.js";
import { draw, prepare, rowOf, setRows } from "./table.js";

const PAUSE_MS = 120;
const LINK = "#text=";

const text = byId("text");
const known = new Map(); // answers to lines, so that only those that change are asked again
let waiting;
let job = { id: 0, stop: null };
let asking = []; // the texts that the code shows
let language = LANGUAGES[0];
let file = null;

function typed() {
  paint(text.value);
  clearTimeout(waiting);
  waiting = setTimeout(answer, PAUSE_MS);
  const isEmpty = text.value.trim() === "";
  show("link", !isEmpty);
  show("clear", !isEmpty || file !== null);
}

function answer() {
  const lines = linesOf(text.value);
  stopJob();
  if (file !== null && lines.length === 0) return;
  closeFile();
  if (lines.length > 1) answerLines(lines);
  else answerOne(lines.length ? text.value : "");
}

function answerOne(words) {
  setRows([]);
  if (words === "") dismiss();
  else classify(words, (found) => noticeVersion(found.model_version));
  showCode(words === "" ? [] : [words]);
}

async function answerLines(lines) {
  dismiss();
  showCode(lines);
  const rows = lines.map((line, index) => rowOf(index + 1, line, known.get(line)));
  setRows(rows);
  const places = Map.groupBy(rows.filter((row) => !known.has(row.text)), (row) => row.text);
  const left = [...places.keys()];
  await run(left, (index, found) => {
    if (!found.error) known.set(left[index], found);
    for (const row of places.get(left[index])) Object.assign(row, rowOf(row.line, row.text, found));
    draw();
  });
}

/** Ask for these, for as long as nothing newer is asked; returns whether all were answered. */
async function run(texts, told) {
  const mine = { id: job.id + 1, stop: new AbortController() };
  job = mine;
  const isWanted = () => job === mine;
  try {
    await predictAll(texts, (index, found) => {
      if (!isWanted()) return;
      told(index, found);
      if (index === 0) noticeVersion(found.model_version);
    }, isWanted, mine.stop.signal);
    return isWanted();
  } catch (error) {
    if (isWanted()) say(error.message);
    return false;
  }
}

function stopJob() {
  job.stop?.abort();
  job = { id: job.id + 1, stop: null };
}

async function noticeVersion(version) {
  if (version !== undefined && card.isAnother(version)) await refreshCard();
}

async function refreshCard() {
  if (!(await card.refresh())) return;
  known.clear();
  forgetModel();
}

async function takeFile(given) {
  stopJob();
  clearTimeout(waiting);
  text.value = "";
  paint("");
  dismiss();
  file = { name: given.name, ...readFile(given.name, await given.text()) };
  byId("job-name").textContent = file.name;
  byId("column").replaceChildren(...file.columns.map((name, index) => make("option", { value: String(index) }, name)));
  byId("column").value = String(file.chosen);
  show("column-label", file.columns.length > 1);
  show("link", false);
  show("clear", true);
  show("job", true);
  await runFile();
}

async function runFile() {
  const texts = file.texts(Number(byId("column").value || 0));
  const rows = [];
  const progress = byId("progress");
  const since = performance.now();
  let failed = 0;
  setRows(rows);
  showCode(texts);
  show("cancel", true);
  progress.max = Math.max(1, texts.length);
  const report = (words) => { byId("job-told").textContent = words; };
  report(texts.length ? `0 of ${count(texts.length)}` : "There are no texts in this file.");
  const isWhole = await run(texts, (index, found) => {
    rows.push(rowOf(index + 1, texts[index], found));
    failed += found.error ? 1 : 0;
    progress.value = rows.length;
    report(`${count(rows.length)} of ${count(texts.length)}`);
    draw();
  });
  show("cancel", false);
  if (!isWhole || !texts.length) return;
  const took = (performance.now() - since) / 1000;
  const errors = failed ? `, ${count(failed)} with an error` : "";
  report(`${count(rows.length)} texts in ${took.toFixed(1)} s${errors}`);
  tell(byId("job-told").textContent);
}

function closeFile() {
  file = null;
  show("job", false);
}

function clear() {
  stopJob();
  closeFile();
  setRows([]);
  text.value = "";
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  typed();
  text.focus();
}

function showCode(texts) {
  asking = texts;
  show("code", texts.length > 0);
  byId("snippet").textContent = texts.length ? snippet(language, texts) : "";
}

function chooseLanguage(name) {
  language = name;
  for (const button of byId("languages").children) button.setAttribute("aria-pressed", String(button.textContent === name));
  showCode(asking);
}

/** The text is in the fragment, which no browser sends to any server. */
function copyLink() {
  const url = location.href.split("#")[0] + LINK + encodeURIComponent(text.value);
  history.replaceState(null, "", url);
  copy(url).then(() => acknowledge(byId("link"), "Copied"));
}

function followLink() {
  if (!location.hash.startsWith(LINK)) return;
  try {
    text.value = decodeURIComponent(location.hash.slice(LINK.length));
  } catch {
    return; // not one of ours
  }
  typed();
}

function keyGiven(given) {
  useKey(given);
  say("");
  byId("key").value = "";
  openAccess(given === "");
  refreshCard();
  if (file === null) answer();
  else runFile();
}

function listen() {
  const on = (id, event, act) => byId(id).addEventListener(event, act);
  text.addEventListener("input", typed);
  on("choose", "click", () => byId("file").click());
  on("file", "change", (event) => { if (event.target.files[0]) takeFile(event.target.files[0]); event.target.value = ""; });
  on("column", "change", () => { stopJob(); runFile(); });
  on("cancel", "click", () => { stopJob(); show("cancel", false); });
  on("clear", "click", clear);
  on("link", "click", copyLink);
  on("copy", "click", () => copy(byId("snippet").textContent).then(() => acknowledge(byId("copy"), "Copied")));
  on("refresh", "click", () => refreshCard().then(() => acknowledge(byId("refresh"), "Up to date")));
  on("show-key", "click", () => { openAccess(byId("access").hidden); if (!byId("access").hidden) byId("key").focus(); });
  on("use-key", "click", () => keyGiven(byId("key").value));
  on("forget-key", "click", () => keyGiven(""));
  on("key", "keydown", (event) => { if (event.key === "Enter") keyGiven(byId("key").value); });
  window.addEventListener("hashchange", followLink);
  listenToDrops();
}

function listenToDrops() {
  const over = (isOver) => byId("editor").classList.toggle("is-over", isOver);
  window.addEventListener("dragover", (event) => { event.preventDefault(); over(true); });
  window.addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(false); });
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    if (event.dataTransfer.files[0]) takeFile(event.dataTransfer.files[0]);
  });
}

prepare();
byId("languages").replaceChildren(...LANGUAGES.map((name) => {
  const button = make("button", { type: "button" }, name);
  button.addEventListener("click", () => chooseLanguage(name));
  return button;
}));
listen();
chooseLanguage(language);
refreshCard();
followLink();
if (text.value === "") typed();
