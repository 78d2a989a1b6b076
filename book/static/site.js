// What every page can do besides being read: be printed whole, and give its formulas as TeX.

const PAGE = {};

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
