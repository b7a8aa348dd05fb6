// Find sections by their words; search.py writes the index. Sphinx's script does the rest.
"use strict";

// The query, and the same with other words for what it asks.
const variants = (query) => {
  const found = [query];
  for (const group of Search._index.synonyms)
    for (const phrase of group.filter((one) => query.includes(one)))
      found.push(...group.map((other) => query.replace(phrase, other)));
  return [...new Set(found)];
};

// Words and phrases match from their beginning; stems of y end in i.
const matcher = (text) =>
  new RegExp(`(?<![\\p{L}\\p{N}])${_escapeRegExp(text).replace(/(?<=..)[iy]$/, "[iy]")}`, "giu");

const count = (text, expression) => (text.match(expression) ?? []).length;

// How well a unit of a page fits the words of a query; 0 where one of them is missing. Words
// that do not stand together count less.
const fit = (words, phrase, page, [, title, text]) => {
  let score = 0;
  for (const word of words) {
    const here = 8 * count(title, word) + Math.log2(1 + count(text, word));
    if (!here && !page.match(word)) return 0;
    score += here;
  }
  const inTitle = title.match(phrase), inText = text.match(phrase);
  return score * (inTitle || inText ? 1 : 0.4) + (inTitle ? 20 : 0) + (inText ? 10 : 0);
};

const results = (query) => {
  const best = new Map();
  variants(query).forEach((variant, number) => {
    const phrase = matcher(variant);
    const stems = number ? [] : [...Search._parseQuery(variant)[1]];
    const words = stems.length ? stems.map(matcher) : [phrase];
    for (const [name, units] of Object.entries(Search._index.pages)) {
      const page = units[0][1];
      for (const unit of units) {
        const score = fit(words, phrase, page, unit) * (number ? 0.9 : 1);
        if (score > (best.get(unit)?.score ?? 0))
          best.set(unit, { score, name, page, unit, marks: [phrase, ...words] });
      }
    }
  });
  return [...best.values()].sort((a, b) => b.score - a.score);
};

// Some words of the text around the first match, which is marked.
const snippet = (text, marks) => {
  const at = marks.map((mark) => text.search(mark)).find((place) => place >= 0) ?? 0;
  const start = at < 60 ? 0 : text.lastIndexOf(" ", at - 40) + 1;
  const short = text.slice(start, start + 220).replace(/\s\S*$/, "");
  const line = document.createElement("p");
  line.className = "context";
  line.append(start ? "… " : "");
  let done = 0;
  const mark = new RegExp(marks.map((one) => `(?:${one.source})[\\p{L}\\p{N}]*`).join("|"), "giu");
  for (const match of short.matchAll(mark)) {
    line.append(short.slice(done, match.index));
    line.appendChild(document.createElement("mark")).textContent = match[0];
    done = match.index + match[0].length;
  }
  line.append(short.slice(done), start + 220 < text.length ? " …" : "");
  return line;
};

Search.query = (query) => {
  const { FILE_SUFFIX } = DOCUMENTATION_OPTIONS, found = results(query.toLowerCase().trim());
  for (const { name, page, unit: [place, title, text], marks } of found.slice(0, 40)) {
    const item = Search.output.appendChild(document.createElement("li"));
    const link = item.appendChild(document.createElement("a"));
    link.href = name + FILE_SUFFIX + (place && `#${place}`);
    link.textContent = title;
    if (place) item.append(` – ${page}`);
    if (text) item.append(snippet(text, marks));
  }
  Search._parseQuery(query); // the words that the page behind a link marks
  Search.stopPulse();
  Search.title.textContent = "Search results";
  Search.status.setAttribute("role", "status");
  Search.status.textContent = found.length
    ? `${found.length} ${found.length === 1 ? "section" : "sections"} found.`
    : "Nothing was found. Try fewer or other words.";
};
