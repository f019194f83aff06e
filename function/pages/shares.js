// What each part of a text weighs: from an explanation to the pieces to mark.

const LEAST_SHOWN = 0.06; // of the heaviest

/** The UTF-16 offset of every code point and of the end: the service counts code points. */
function offsets(text) {
  const found = [];
  let place = 0;
  for (const point of text) {
    found.push(place);
    place += point.length;
  }
  found.push(place);
  return found;
}

/** Terms that are not known and hold nothing that is: of n-grams most are unknown, their words not. */
export function unknownTerms(explanation) {
  const known = explanation.terms.flatMap((term) => term.spans);
  const isFree = ([start, end]) => !known.some((span) => span[0] < end && start < span[1]);
  return (explanation.unknown ?? []).filter((term) => term.spans.every(isFree));
}

/**
 * The text in pieces `{from, to, weight, isUnknown}`, in order and without gaps. A term that
 * stands in several places is shared out among them; n-grams that overlap add up.
 */
export function pieces(text, explanation) {
  const at = offsets(text);
  const edges = new Map([[0, [0, 0, 0]], [text.length, [0, 0, 0]]]);
  const add = (place, values) => {
    const found = edges.get(place) ?? [0, 0, 0];
    edges.set(place, found.map((value, index) => value + values[index]));
  };
  const cover = (spans, weight, known, unknown) => {
    for (const [start, end] of spans) {
      add(at[start] ?? text.length, [weight, known, unknown]);
      add(at[end] ?? text.length, [-weight, -known, -unknown]);
    }
  };
  for (const term of explanation.terms) cover(term.spans, term.contribution / term.spans.length, 1, 0);
  for (const term of unknownTerms(explanation)) cover(term.spans, 0, 0, 1);
  const places = [...edges.keys()].sort((one, other) => one - other);
  let [weight, known, unknown] = [0, 0, 0];
  return places.slice(0, -1).map((from, index) => {
    const [more, covers, misses] = edges.get(from);
    [weight, known, unknown] = [weight + more, known + covers, unknown + misses];
    const isKnown = known > 0;
    return { from, to: places[index + 1], weight: isKnown ? weight : 0, isUnknown: !isKnown && unknown > 0 };
  });
}

/** The text with its pieces marked, as nodes. */
export function marked(text, found) {
  const most = Math.max(...found.map((piece) => Math.abs(piece.weight)), 1e-12);
  return found.map((piece) => {
    const words = text.slice(piece.from, piece.to);
    if (words.trim() === "") return document.createTextNode(words);
    if (piece.isUnknown) return element("span", "unknown", words);
    if (Math.abs(piece.weight) < LEAST_SHOWN * most) return document.createTextNode(words);
    const mark = element("mark", piece.weight > 0 ? "for" : "against", words);
    mark.style.setProperty("--share", String(Math.abs(piece.weight) / most));
    return mark;
  });
}

function element(tag, name, words) {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = words;
  return made;
}
