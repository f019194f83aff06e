// One text: its label, how sure, a bar for each class, and the words that decided.
import { bar, byId, make, percent, show, signed, tell } from "./dom.js";
import { asked, patiently } from "./service.js";
import { marked, pieces, unknownTerms } from "./shares.js";

const MOST_TERMS = 200;
const MOST_LISTED = 8;

let turn = 0;
let whyNot = ""; // said by the service, of the model that it serves
let current = { text: "", pieces: null };

export const nameOf = (answer) =>
  answer.sentiment ?? (answer.labels ? answer.labels.join(", ") || "none applies" : "no label");

/** Another model may be one that can be explained. */
export function forgetModel() { whyNot = ""; }

/** Answers that were under way are nobody's any more. */
export function dismiss() {
  turn += 1;
  show("verdict", false);
}

/** Classify, and explain; what comes after a newer call has begun is dropped. */
export async function classify(text, whenAnswered) {
  const mine = ++turn;
  const isWanted = () => mine === turn;
  const explained = explain(text, undefined, isWanted);
  try {
    const response = await patiently(isWanted, ...asked("predict", { text, return_scores: true }));
    const answer = await response?.json();
    if (!isWanted() || !answer) return;
    showAnswer(text, answer);
    whenAnswered(answer);
    showExplanation(text, await explained, isWanted);
  } catch (error) {
    if (isWanted()) showFailure(error.message);
  }
}

async function explain(text, label, isWanted) {
  if (whyNot) return null;
  try {
    const question = label === undefined ? { text, top: MOST_TERMS } : { text, label, top: MOST_TERMS };
    const response = await patiently(isWanted, ...asked("explain", question));
    return (await response?.json())?.explanation ?? null;
  } catch (error) {
    if (error.status === 404 || error.status === 405) whyNot = "This service does not explain its answers.";
    if (error.status === 501) whyNot = error.message;
    return null;
  }
}

/** The text of a table's row with its marks, or the words why there are none. */
export async function explainedNodes(text) {
  const found = await explain(text, undefined, () => true);
  return found ? marked(text, pieces(text, found)) : [make("span", { class: "hint" }, `${text} (${whyNot || "no explanation"})`)];
}

function showAnswer(text, answer) {
  const name = nameOf(answer);
  byId("label").textContent = name;
  byId("confidence").textContent = percent(answer.confidence);
  byId("failure").textContent = "";
  const scores = Object.entries(answer.scores ?? {}).sort((one, other) => other[1] - one[1]);
  const chosen = new Set(answer.labels ?? [answer.sentiment]);
  byId("bars").replaceChildren(...scores.map(([label, score]) => scoreBar(text, label, score, chosen.has(label))));
  show("verdict", true);
  tell(`${name} ${percent(answer.confidence)}`);
}

function scoreBar(text, label, score, isChosen) {
  const parts = [make("span", { class: "name" }, label), bar(score), make("span", { class: "value" }, percent(score))];
  const button = make("button", { type: "button", title: `Show the words for ${label}`, "data-label": label }, ...parts);
  button.addEventListener("click", () => explainLabel(text, label));
  return make("li", { class: isChosen ? "is-chosen" : "" }, button);
}

async function explainLabel(text, label) {
  const mine = turn;
  const isWanted = () => mine === turn;
  showExplanation(text, await explain(text, label, isWanted), isWanted);
}

function showFailure(words) {
  byId("label").textContent = "No answer";
  byId("confidence").textContent = "";
  byId("failure").textContent = words;
  byId("bars").replaceChildren();
  byId("no-why").textContent = "";
  show("why", false);
  show("verdict", true);
  current.pieces = null;
  paint(byId("text").value);
}

function showExplanation(text, found, isWanted) {
  if (!isWanted()) return;
  show("why", found !== null);
  byId("no-why").textContent = found === null ? whyNot : "";
  for (const button of byId("bars").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(found !== null && button.dataset.label === found.label));
    button.disabled = found === null;
  }
  current = { text, pieces: found && pieces(text, found) };
  paint(byId("text").value);
  if (found === null) return;
  byId("why-title").textContent = `Why ${found.label}`;
  const terms = [...found.terms].sort((one, other) => Math.abs(other.contribution) - Math.abs(one.contribution));
  const most = Math.max(...terms.map((term) => Math.abs(term.contribution)), 1e-12);
  byId("terms").replaceChildren(...terms.slice(0, MOST_LISTED).map((term) => termBar(term, most)));
  byId("sum").replaceChildren(...sumOf(found, terms.slice(MOST_LISTED)));
  const leading = terms.slice(0, 3).map((term) => term.term).join(", ");
  if (leading) tell(`${byId("label").textContent} ${byId("confidence").textContent}. Why ${found.label}: ${leading}`);
}

function termBar(term, most) {
  const share = term.contribution / most;
  const fill = bar(Math.abs(share));
  fill.classList.add(share < 0 ? "against" : "for");
  const value = make("span", { class: "value" }, signed(term.contribution));
  return make("li", {}, make("span", { class: "name" }, term.term), fill, value);
}

function sumOf(found, others) {
  const rest = others.reduce((sum, term) => sum + term.contribution, found.rest?.contribution ?? 0);
  const howMany = others.length + (found.rest?.terms ?? 0);
  const parts = [];
  if (howMany) parts.push(`${howMany} more ${signed(rest)}`);
  parts.push(`intercept ${signed(found.intercept)}`, `score ${signed(found.score)}`);
  const probability = found.link?.probability;
  if (probability !== null && probability !== undefined) parts.push(`probability ${percent(probability)}`);
  const unknown = unknownTerms(found).map((term) => term.term);
  const told = [make("span", {}, parts.join(" \u00b7 "))];
  if (unknown.length) told.push(make("span", { id: "unknown-terms" }, `unknown: ${unknown.slice(0, 12).join(", ")}`));
  return told;
}

/**
 * The text under the caret, with the marks of the last explanation. While that is of an older
 * text, what both begin and end with keeps its marks, so that nothing flickers while typing.
 */
export function paint(text) {
  const found = current.pieces && text.includes("\n") === current.text.includes("\n") ? current.pieces : null;
  const last = text.endsWith("\n") ? "\u200b" : ""; // an empty line has no height of its own
  byId("ink").replaceChildren(...(found ? marked(text, moved(found, current.text, text)) : [text]), last);
}

function moved(found, before, after) {
  if (before === after) return found;
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < most - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  const shift = after.length - before.length;
  const kept = [];
  for (const piece of found) {
    if (piece.to <= start) kept.push(piece);
    else if (piece.from >= before.length - end) kept.push({ ...piece, from: piece.from + shift, to: piece.to + shift });
  }
  return withGapsFilled(kept, after.length);
}

function withGapsFilled(kept, length) {
  const filled = [];
  let place = 0;
  for (const piece of [...kept, { from: length, to: length }]) {
    if (piece.from > place) filled.push({ from: place, to: piece.from, weight: 0, isUnknown: false });
    if (piece.to > piece.from) filled.push(piece);
    place = piece.to;
  }
  return filled;
}
