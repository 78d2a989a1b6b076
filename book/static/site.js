// What every page can do besides being read: be reached by keyboard, show where the reader is, be printed
// whole, and give its formulas as TeX.

const PAGE = {};

// A box that scrolls is a stop of the Tab key. Its size is reported when it is shown, and asking then costs no further
// layout (the theme asks all boxes at once, closed folds too: extensions/site/page_weight.py).
PAGE.boxes = new ResizeObserver((changes) => {
  const boxes = changes.map(({ target }) => target);
  const scrolls = boxes.map((box) => box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight);
  boxes.forEach((box, place) => { box.tabIndex = scrolls[place] ? 0 : -1; });
});
for (const box of document.querySelectorAll("pre, .cell_output > .output, .pst-scrollable-table-container")) {
  PAGE.boxes.observe(box);
}

// In the contents beside the page, the section that is being read and those around it are marked. (The theme leaves this to
// Bootstrap, which lays out the whole page for it: extensions/site/page_weight.py.)
PAGE.marks = new Map();
for (const link of document.querySelectorAll("#pst-page-toc-nav a[href^='#']")) {
  const section = document.getElementById(decodeURIComponent(link.hash.slice(1)));
  if (section) PAGE.marks.set(section, link);
}
PAGE.inSight = new Set();
PAGE.reading = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) PAGE.inSight[isIntersecting ? "add" : "delete"](target);
  const last = [...PAGE.marks.keys()].filter((section) => PAGE.inSight.has(section)).pop() ?? null;
  for (const [section, link] of PAGE.marks) {
    const marked = section.contains(last) && last !== null;
    for (const node of [link, link.parentElement]) node.classList.toggle("active", marked);
  }
}, { rootMargin: "0px 0px -60%" });
for (const section of PAGE.marks.keys()) PAGE.reading.observe(section);

// The contents in the sidebar open where they were left, or with the open page in sight, and with no entry cut at their top.
// (The theme moves the whole sidebar, whose title and search stay: reading.css.)
PAGE.contents = document.querySelector(".sidebar-primary-item:has(> .bd-docs-nav)");
PAGE.showContents = () => {
  const box = PAGE.contents.getBoundingClientRect();
  const entries = [...PAGE.contents.querySelectorAll(".caption, a")];
  const tops = entries.map((entry) => entry.getBoundingClientRect().top - box.top + PAGE.contents.scrollTop);
  let wanted = Number(PAGE.stored) || 0;
  const open = tops[entries.findLastIndex((entry) => entry.matches(".current"))];
  if (open < wanted || open > wanted + 0.9 * box.height) wanted = open - box.height / 4;
  wanted = Math.min(wanted, PAGE.contents.scrollHeight - PAGE.contents.clientHeight);
  PAGE.contents.scrollTop = wanted > 0 ? tops.findLast((top) => top <= wanted) ?? 0 : 0;
};
if (PAGE.contents) {
  try {
    PAGE.stored = sessionStorage.getItem("place in the contents");
    addEventListener("pagehide", () => sessionStorage.setItem("place in the contents", PAGE.contents.scrollTop));
  } catch { /* storage is forbidden: the open page is in sight all the same */ }
  PAGE.showContents();
}

// Sections that are not near have assumed heights, so the height at which a reader was before a reload is another place after
// it. What stood in the middle of the window is put there again; as it may be laid out late, that is repeated for a moment.
PAGE.blocks = () => [...document.querySelectorAll("article :is(p, li, dt, dd, tr, pre, figure, h1, h2, h3)")];
PAGE.key = `place on ${location.pathname}`;
addEventListener("pagehide", () => {
  const node = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
  const block = PAGE.blocks().findLastIndex((one) => one.contains(node));
  try {
    if (block < 0) sessionStorage.removeItem(PAGE.key);
    else sessionStorage.setItem(PAGE.key, JSON.stringify([block, PAGE.blocks()[block].getBoundingClientRect().top]));
  } catch { /* storage is forbidden: the browser restores what it can */ }
});
try {
  const [block, top] = JSON.parse(sessionStorage.getItem(PAGE.key)) ?? [];
  const again = performance.getEntriesByType("navigation")[0]?.type !== "navigate";
  if (again && block !== undefined && PAGE.blocks()[block]) {
    history.scrollRestoration = "manual";
    let times = 10;
    const settle = () => {
      scrollBy(0, PAGE.blocks()[block].getBoundingClientRect().top - top);
      times -= 1;
      if (times) requestAnimationFrame(settle);
      else history.scrollRestoration = "auto";
    };
    addEventListener("load", settle, { once: true });
  }
} catch { /* as above */ }

/** Load the pictures that wait for the reader to come near. */
PAGE.loadPictures = () => {
  const pictures = [...document.images];
  for (const picture of pictures) picture.loading = "eager";
  return Promise.allSettled(pictures.map((picture) => picture.decode()));
};

/** Print when every picture is there. */
PAGE.print = async () => {
  await PAGE.loadPictures();
  window.print();
};

// The browser takes the page as it is when it prints, with the pictures that have been loaded by then.
addEventListener("keydown", (event) => {
  const waiting = [...document.images].some((picture) => !picture.complete);
  if (event.key !== "p" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey || !waiting) return;
  event.preventDefault();
  PAGE.print();
});
addEventListener("beforeprint", () => {
  PAGE.loadPictures();
  const folds = [...document.querySelectorAll("main details:not([open], .above-input, .below-input, .checked > *)")];
  const boxes = [...document.querySelectorAll("main .toggle-hidden")];
  for (const fold of folds) fold.open = true;
  for (const box of boxes) box.classList.remove("toggle-hidden");
  const close = () => {
    for (const fold of folds) fold.open = false;
    for (const box of boxes) box.classList.add("toggle-hidden");
  };
  addEventListener("afterprint", close, { once: true });
});
const printButton = document.querySelector(".btn-download-pdf-button");
if (printButton) printButton.onclick = PAGE.print;

/** The TeX of the formulas in a selection, between the words around them; nothing if there are none. */
PAGE.selectionAsText = (selection) => {
  const formulaAt = (node) => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement)?.closest(".katex");
  const range = selection.getRangeAt(0).cloneRange();
  const [first, last] = [formulaAt(range.startContainer), formulaAt(range.endContainer)];
  if (first) range.setStartBefore(first);
  if (last) range.setEndAfter(last);
  const copy = document.createElement("div");
  copy.append(range.cloneContents());
  const formulas = [...copy.querySelectorAll(".katex")];
  if (!formulas.length) return null;
  for (const formula of formulas) {
    const tex = formula.querySelector("annotation")?.textContent.trim() ?? "";
    formula.replaceWith(formula.parentElement.matches(".katex-display") ? `\n$$\n${tex}\n$$\n` : `$${tex}$`);
  }
  copy.style.cssText = "position: fixed; left: -200vw; white-space: pre-wrap;";
  document.body.append(copy); // innerText needs a layout to know where lines end
  const text = copy.innerText;
  copy.remove();
  return text;
};
addEventListener("copy", (event) => {
  const selection = getSelection();
  if (selection.isCollapsed || !event.clipboardData) return;
  const text = PAGE.selectionAsText(selection);
  if (text === null) return;
  event.clipboardData.setData("text/plain", text);
  event.preventDefault();
});
