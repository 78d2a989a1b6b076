// The search: the sections that match, while the reader types. Pagefind finds them in the index that the extension
// site/search_index.py writes. It needs a server, so a site opened as files falls back on Sphinx's own search.

const SEARCH = {
  root: new URL(document.documentElement.dataset.content_root, location.href),
  pages: 12,
  sections: 3, // of each page
  delay: 120, // milliseconds between the last key and the search
  ranking: { pageLength: 0 }, // a chapter is long, and explains more than a short list
};

/** Pagefind, loaded when the reader first uses the search. */
SEARCH.engine = () => {
  SEARCH.loaded ??= import(new URL("pagefind/pagefind.js", SEARCH.root)).then(async (module) => {
    await module.options({ baseUrl: SEARCH.root.pathname, excerptLength: 36, ranking: SEARCH.ranking });
    return module;
  });
  return SEARCH.loaded;
};

/** The pages that match, best first, each with its title, address and matching sections. */
SEARCH.find = async (words) => {
  const engine = await SEARCH.engine();
  const found = await engine.search(words);
  return Promise.all(found.results.slice(0, SEARCH.pages).map((result) => result.data()));
};

/** What stands in the index for words that are not shown: those by which a section is also found. */
SEARCH.unseen = /^[^⟦]*⟧|⟦[^⟧]*(?:⟧|$)/g;

/** An excerpt as nodes, with a mark on each word that was found. */
SEARCH.excerpt = (page, section) => {
  let html = section.excerpt.replace(SEARCH.unseen, " ").trim();
  if (html.length < 60) {
    // The section was found by its unseen words, or by its heading: show how it begins.
    const start = section.anchor?.location ?? 0;
    const words = page.content.split(/\s+/).slice(start, start + 150).join(" ").replace(SEARCH.unseen, " ");
    html = words.replace(section.title, "").trim().split(/\s+/).slice(1, 40).join(" ");
  }
  return [...new DOMParser().parseFromString(html, "text/html").body.childNodes];
};

SEARCH.element = (tag, name, ...children) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...children);
  return made;
};

/** One page in the list: its title, and its best sections with an excerpt each. */
SEARCH.item = (page) => {
  const link = (address, text) => Object.assign(SEARCH.element("a", "", text), { href: address });
  const best = (section) => Math.max(...section.weighted_locations.map((place) => place.balanced_score));
  const sections = page.sub_results.filter((section) => section.title !== page.meta.title);
  sections.sort((one, other) => best(other) - best(one));
  const list = SEARCH.element("ul", "");
  for (const section of sections.slice(0, SEARCH.sections)) {
    const excerpt = SEARCH.element("p", "context", ...SEARCH.excerpt(page, section));
    list.append(SEARCH.element("li", "", link(section.url, section.title), excerpt));
  }
  const item = SEARCH.element("li", "", link(page.url, page.meta.title));
  item.append(list.children.length ? list : SEARCH.element("p", "context", ...SEARCH.excerpt(page, { ...page, title: page.meta.title })));
  return item;
};

/** Shows below a search field what it finds, and lets the arrow keys walk through it. */
SEARCH.attach = (form, place) => {
  const field = form.querySelector("input");
  const status = SEARCH.element("p", "search-summary");
  status.setAttribute("role", "status");
  const list = SEARCH.element("ul", "search");
  place.append(status, list);
  let latest = 0;

  const show = async () => {
    const words = field.value.trim();
    const mine = ++latest;
    if (!words) {
      status.textContent = "";
      list.replaceChildren();
      return;
    }
    const pages = await SEARCH.find(words).catch(() => null);
    if (mine !== latest) return; // the reader has typed on
    status.textContent = !pages
      ? "The search could not be loaded."
      : pages.length
        ? `${pages.length} ${pages.length === 1 ? "page" : "pages"} for “${words}”`
        : `Nothing is found for “${words}”. Try one word of it, or the glossary.`;
    list.replaceChildren(...(pages ?? []).map(SEARCH.item));
  };

  let timer = 0;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, SEARCH.delay);
  });
  place.closest("dialog, .bd-search-container").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const stops = [field, ...list.querySelectorAll("a")];
    const next = stops[stops.indexOf(document.activeElement) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  });
  // A result on the page that is open would leave the dialog in front of it.
  list.addEventListener("click", (event) => event.target.closest("a") && place.closest("dialog")?.close());
  return show;
};

/** Sphinx's search, whose index is a script and can be read from a file. Its excerpts could not. */
SEARCH.fallBack = () => {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
  for (const name of ["_static/language_data.js", "_static/searchtools.js", "searchindex.js"]) {
    const script = Object.assign(document.createElement("script"), { src: new URL(name, SEARCH.root), async: false });
    document.body.append(script);
  }
};

{
  const page = document.querySelector("#search-results");
  if (location.protocol === "file:") {
    if (page) SEARCH.fallBack();
  } else {
    const dialog = document.querySelector("#pst-search-dialog");
    if (dialog) SEARCH.attach(dialog.querySelector("form"), dialog.appendChild(SEARCH.element("div", "search-results")));
    if (page) {
      const form = page.parentElement.querySelector("form");
      const show = SEARCH.attach(form, page);
      form.querySelector("input").value = new URLSearchParams(location.search).get("q") ?? "";
      show();
    }
  }
  page?.parentElement.querySelector("input").focus();
}
