// The excerpt that the search shows for each page it finds. Sphinx's own excerpts begin at the stem of a word ("entropi"),
// which many pages do not contain; they include the buttons above the page, and repeat each formula three times. Sphinx
// loads this script after its search tools and before the index (html_search_scorer, set by tidy_html.py).

const EXCERPT = 240; // characters
const BEFORE = 80; // characters of them before the word that was found

/** A formula's TeX as plain text: p = 1/2, -sum_i p_i log p_i. */
Search.formulaToText = (tex) => {
  const part = (text) => (/^\w+$/.test(text) ? text : `(${text})`);
  return tex
    .replace(/\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}/g, (_, above, below) => ` ${part(above)}/${part(below)}`)
    .replace(/\\[dt]?frac(\w)(\w)/g, " $1/$2")
    .replaceAll("\\|", "‖")
    .replaceAll("\\mid", "|")
    .replace(/\\[,;:! ]/g, " ")
    .replace(/\\(?:left|right|[bB]igg?[lr]?|math[a-z]+|text|operatorname)(?![a-z])|[\\{}]/g, "");
};

/** The text of a page, or of the part that an anchor points to: only the prose, or the code too. */
Search.htmlToText = (source, anchor, withCode = false) => {
  const page = new DOMParser().parseFromString(source, "text/html");
  const apart = ["h1", ".headerlink", ".notebook-download", ".interactive", "div.math", "script", "style", "svg"];
  if (!withCode) apart.push("pre", "summary");
  page.querySelectorAll(apart.join()).forEach((element) => element.remove());
  page.querySelectorAll("span.math").forEach((formula) => {
    formula.textContent = Search.formulaToText(formula.querySelector("annotation")?.textContent ?? "");
  });
  page.querySelectorAll("p, li, td, th, h2, h3, h4, pre, figcaption").forEach((block) => block.append(" "));
  page.querySelectorAll("dl.glossary dt").forEach((term) => term.append(": "));
  let found = page.querySelector("article");
  const place = anchor && page.getElementById(decodeURIComponent(anchor.slice(1)));
  if (place) found = place;
  let text = found?.textContent ?? "";
  const meaning = found?.matches("dt") && found.parentElement.querySelector(`#${CSS.escape(found.id)} ~ dd`);
  if (meaning) text += meaning.textContent;
  return text.replace(/\s+/g, " ").trim();
};

/** The position in a text of the first word searched for, or of one that contains its stem; -1 if there is none. */
Search.placeOf = (text, stems) => {
  const stemmer = new Stemmer();
  const words = [...text.matchAll(/[\p{Letter}\p{Number}_]+/gu)].map((word) => [word[0].toLowerCase(), word.index]);
  const same = words.find(([word]) => stems.has(stemmer.stemWord(word)));
  const alike = () => words.find(([word]) => [...stems].some((stem) => word.includes(stem)));
  return (same ?? alike() ?? ["", -1])[1];
};

/** The excerpt, a paragraph. */
Search.makeSearchSummary = (source, stems, anchor) => {
  let text = Search.htmlToText(source, anchor);
  let place = Search.placeOf(text, stems);
  if (place < 0) {
    const all = Search.htmlToText(source, anchor, true);
    const inCode = Search.placeOf(all, stems);
    if (inCode >= 0) [text, place] = [all, inCode];
  }
  if (!text) return null;
  const start = place <= BEFORE ? 0 : text.indexOf(" ", place - BEFORE) + 1;
  const end = start + EXCERPT >= text.length ? text.length : text.lastIndexOf(" ", start + EXCERPT);
  const excerpt = document.createElement("p");
  excerpt.classList.add("context");
  excerpt.textContent = (start ? "… " : "") + text.slice(start, end) + (end < text.length ? " …" : "");
  return excerpt;
};
