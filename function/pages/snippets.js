// The same question from a shell, from Python, from JavaScript.
import { address, hasKey, keyHeader } from "./service.js";

const MOST_IN_A_BATCH = 100;

export const LANGUAGES = ["curl", "Python", "JavaScript"];

/** Code that asks for these texts; more than a batch takes are lines of a file. */
export function snippet(language, texts) {
  const isFile = texts.length > MOST_IN_A_BATCH;
  const path = texts.length > 1 ? "predict_batch" : "predict";
  const value = texts.length > 1 ? { texts } : { text: texts[0] ?? "" };
  const made = { curl, Python: python, JavaScript: javascript }[language];
  return made(address(path), JSON.stringify(value), isFile);
}

const inShell = (value) => `'${value.replaceAll("'", "'\\''")}'`;
const shownKey = (before, after) => {
  const [name, value] = keyHeader();
  return [name, before + (value.startsWith("Bearer ") ? "Bearer " : "") + after];
};

function curl(url, json, isFile) {
  const key = hasKey() ? [`  -H "${shownKey("", "$API_KEY").join(": ")}"`] : [];
  const type = isFile ? "application/x-ndjson" : "application/json";
  const data = isFile ? "  -X POST -T texts.ndjson" : `  -d ${inShell(json)}`;
  const note = isFile ? ["# texts.ndjson: {\"text\": \"...\"}, one a line"] : [];
  return [...note, [`curl ${inShell(url)}`, `  -H 'Content-Type: ${type}'`, ...key, data].join(" \\\n")].join("\n");
}

function python(url, json, isFile) {
  const [name, value] = shownKey('"', '" + os.environ["API_KEY"]');
  const key = hasKey() ? `"${name}": ${value.replace('"" + ', "")}` : "";
  const imports = [...(isFile ? ["import json"] : []), ...(key ? ["import os"] : []), "", "import requests", ""];
  if (!isFile) {
    return [...imports, "answer = requests.post(", `    ${JSON.stringify(url)},`, `    json=${json},`,
      ...(key ? [`    headers={${key}},`] : []), ")", "print(answer.json())"].join("\n").trimStart();
  }
  return [...imports, "texts = [...]", "with requests.post(", `    ${JSON.stringify(url)},`,
    '    data=(json.dumps({"text": text}).encode() + b"\\n" for text in texts),',
    `    headers={"Content-Type": "application/x-ndjson"${key ? `, ${key}` : ""}},`, "    stream=True,", ") as answer:",
    "    for line in answer.iter_lines():", "        print(json.loads(line))"].join("\n").trimStart();
}

function javascript(url, json, isFile) {
  const [name, value] = shownKey("`", "${key}`");
  const key = hasKey() ? [`    "${name}": ${value === "`${key}`" ? "key" : value},`] : [];
  const type = isFile ? "application/x-ndjson" : "application/json";
  const body = isFile ? 'texts.map((text) => JSON.stringify({ text })).join("\\n")' : `JSON.stringify(${json})`;
  const end = isFile ? "console.log((await response.text()).trim().split(\"\\n\").map(JSON.parse));" : "console.log(await response.json());";
  return [`const response = await fetch(${JSON.stringify(url)}, {`, '  method: "POST",', "  headers: {",
    `    "Content-Type": "${type}",`, ...key, "  },", `  body: ${body},`, "});", end].join("\n");
}
