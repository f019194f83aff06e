// Small helpers; nothing here writes markup, so no text can become any.

export const byId = (id) => document.getElementById(id);

/** An element with properties (`class`, `data-*`, `aria-*` too) and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name === "class" ? "class" : name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const show = (id, isShown) => { byId(id).hidden = !isShown; };

const percents = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const counts = new Intl.NumberFormat("en");

export const percent = (share) => (share === null || share === undefined ? "" : percents.format(share));
export const count = (number) => counts.format(number);
export const signed = (number) => `${number < 0 ? "\u2212" : "+"}${Math.abs(number).toFixed(2)}`;

export function seconds(value) {
  return value < 1 ? `${(1000 * value).toFixed(value < 0.01 ? 1 : 0)} ms` : `${value.toFixed(2)} s`;
}

/** A bar from 0 to 1; its width is set by script, since the page allows no inline style. */
export function bar(share) {
  const fill = make("i");
  fill.style.setProperty("width", `${100 * Math.min(1, Math.max(0, share))}%`);
  return make("span", { class: "track", "aria-hidden": "true" }, fill);
}

let telling;

/** Say it to a screen reader, once things have come to rest. */
export function tell(words) {
  clearTimeout(telling);
  telling = setTimeout(() => { byId("told").textContent = words; }, 700);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no secure context
    const area = make("textarea", { value: text, class: "hidden" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/** The button says for a moment what it has done. */
export function acknowledge(button, words) {
  const before = button.dataset.words ??= button.textContent;
  button.textContent = words;
  tell(words);
  setTimeout(() => { button.textContent = before; }, 1600);
}
