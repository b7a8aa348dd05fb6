// Find sections by their words; search.py writes the index. Sphinx's script does the rest.
"use strict";

Search.setIndex = (index) => {
  Search._index = index;
  if (Search._queued_query !== null) Search.query(Search._queued_query);
};

// The query, and the same with other words for what it asks.
const variants = (query) => {
  const found = [query];
  for (const group of Search._index.synonyms)
    for (const phrase of group.filter((one) => query.includes(one)))
      found.push(...group.map((other) => query.replace(phrase, other)));
  return [...new Set(found)];
};

// Words and phrases match from their beginning; stems of y end in i.
const matcher = (text, flags) =>
  new RegExp(`(?<![\\p{L}\\p{N}])${_escapeRegExp(text).replace(/(?<=..)[iy]$/, "[iy]")}`, flags);

const count = (text, expression) => (text.match(expression) ?? []).length;

// How well a unit fits the words of a query; 0 where one of them is missing.
const fit = (words, phrase, page, [, title, text]) => {
  let score = 0;
  for (const word of words) {
    const here = 8 * count(title, word) + Math.log2(1 + count(text, word));
    if (!here && !page.title.match(word)) return 0;
    score += here;
  }
  return score && score + 12 * count(title, phrase) + 4 * Math.log2(1 + count(text, phrase));
};

const results = (query) => {
  const best = new Map();
  variants(query).forEach((variant, number) => {
    const stems = [...Search._parseQuery(variant)[1]];
    if (!stems.length) stems.push(variant);
    const words = stems.map((stem) => matcher(stem, "giu")), phrase = matcher(variant, "giu");
    for (const [name, page] of Object.entries(Search._index.pages))
      page.units.forEach((unit) => {
        const score = fit(words, phrase, page, unit) * (number ? 0.7 : 1);
        if (score > (best.get(unit)?.score ?? 0))
          best.set(unit, { score, name, page, unit, marks: [phrase, ...words] });
      });
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
    if (place) item.append(` – ${page.title}`);
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
