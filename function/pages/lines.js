// Many texts: from lines and files to answers, slice by slice, and back to CSV.
import { patiently } from "./service.js";

const MOST_LINES = 300;
const MOST_LETTERS = 48_000;
const NDJSON = "application/x-ndjson";

export const linesOf = (text) => text.split(/\r\n|\r|\n/).filter((line) => line.trim() !== "");

/** Rows of RFC 4180; a quote within a field that is not quoted is a letter like any other. */
export function parseCsv(text, separator = ",") {
  const rows = [];
  let row = [], field = "", isQuoted = false;
  for (let place = 0; place < text.length; place += 1) {
    const letter = text[place];
    if (isQuoted) {
      if (letter !== '"') field += letter;
      else if (text[place + 1] === '"') { field += letter; place += 1; } else isQuoted = false;
    } else if (letter === '"' && field === "") isQuoted = true;
    else if (letter === separator) { row.push(field); field = ""; }
    else if (letter === "\n" || letter === "\r") {
      if (letter === "\r" && text[place + 1] === "\n") place += 1;
      rows.push([...row, field]);
      row = []; field = "";
    } else field += letter;
  }
  if (field !== "" || row.length) rows.push([...row, field]);
  return rows.filter((found) => found.some((value) => value.trim() !== ""));
}

/** `{columns, chosen, texts(column)}` of a file by its name's ending. */
export function readFile(name, content) {
  const text = content.replace(/^\ufeff/, "");
  if (/\.(jsonl|ndjson)$/i.test(name)) return plain(linesOf(text).map(textOfJson));
  if (!/\.(csv|tsv)$/i.test(name)) return plain(linesOf(text));
  const [columns = [], ...rows] = parseCsv(text, /\.tsv$/i.test(name) ? "\t" : ",");
  const texts = (column) => rows.map((row) => row[column] ?? "").filter((value) => value.trim() !== "");
  return { columns, chosen: columnOfTexts(columns, rows), texts };
}

const plain = (texts) => ({ columns: [], chosen: 0, texts: () => texts });

function textOfJson(line) {
  try {
    const value = JSON.parse(line);
    return typeof value === "string" ? value : String(value.text ?? line);
  } catch {
    return line;
  }
}

/** The column named text, or else the one with most in it. */
function columnOfTexts(columns, rows) {
  const named = columns.findIndex((name) => name.trim().toLowerCase() === "text");
  if (named >= 0) return named;
  const sizes = columns.map((_, column) => rows.slice(0, 200).reduce((sum, row) => sum + (row[column] ?? "").length, 0));
  return Math.max(0, sizes.indexOf(Math.max(...sizes)));
}

/**
 * Ask for all texts, in slices: over HTTP/1.1 no browser reads an answer while it sends, so each
 * slice is small enough to wait in the buffers between. `told(index, answer)` gets each answer as
 * it arrives. A slice whose answer breaks off is asked again from there.
 */
export async function predictAll(texts, told, isWanted, signal) {
  let done = 0, failures = 0;
  while (done < texts.length && isWanted()) {
    const slice = nextSlice(texts, done);
    const body = slice.map((text) => JSON.stringify({ text })).join("\n");
    const response = await patiently(isWanted, "predict_batch", body, NDJSON, signal);
    if (!response) return;
    const before = done;
    try {
      await readLines(response, (answer) => {
        if (done - before < slice.length) told(done++, answer);
      });
    } catch (error) {
      if (error.name === "AbortError" || (failures += 1) > 3) throw error;
    }
    if (done === before && (failures += 1) > 3) throw new Error("The service answers none of the lines.");
    if (done - before === slice.length) failures = 0;
  }
}

function nextSlice(texts, start) {
  let end = start, letters = 0;
  while (end < texts.length && end - start < MOST_LINES && (end === start || letters < MOST_LETTERS)) {
    letters += texts[end].length;
    end += 1;
  }
  return texts.slice(start, end);
}

async function readLines(response, told) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) told(JSON.parse(line));
  }
}

const quoted = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);

/** The rows as a file to keep. */
export function toCsv(rows) {
  const lines = rows.map((row) => [row.text, row.label, row.confidence ?? "", row.version ?? "", row.error ?? ""]);
  const all = [["text", "label", "confidence", "model_version", "error"], ...lines];
  return all.map((line) => line.map((value) => quoted(String(value))).join(",")).join("\r\n") + "\r\n";
}
