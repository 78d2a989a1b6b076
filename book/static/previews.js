/* Cards that show what a link leads to, for a pointer that can hover and for the keyboard. See extensions/site/previews.py. */
const previews = (function () {
  "use strict";

  const WAIT = 250; // milliseconds before a card opens or closes
  const root = new URL(document.documentElement.dataset.content_root || "./", location.href);
  const known = new Map(); // by page: its targets, or the promise of them
  const arrived = new Map();

  // A page's data call this. Files loaded by a script element also arrive where the site is opened from a folder.
  function receive(page, targets) {
    arrived.get(page)?.(targets);
  }

  function load(page) {
    if (!known.has(page)) {
      known.set(page, new Promise((resolve) => {
        arrived.set(page, resolve);
        const script = document.createElement("script");
        script.src = new URL(`_static/previews/${page}.js`, root);
        script.onerror = () => resolve({});
        document.head.append(script);
      }));
    }
    return known.get(page);
  }

  function copied(html, base) {
    const content = document.createElement("div");
    content.innerHTML = html; // this site's own pages
    content.querySelectorAll("[id]").forEach((node) => node.removeAttribute("id"));
    content.querySelectorAll(".headerlink, .interactive, script").forEach((node) => node.remove());
    content.querySelectorAll("a, summary, button").forEach((node) => { // a card holds nothing to press
      const text = document.createElement("span");
      text.append(...node.childNodes);
      node.replaceWith(text);
    });
    content.querySelectorAll("img").forEach((picture) => {
      picture.src = new URL(picture.getAttribute("src"), base);
      picture.loading = "eager";
    });
    return content;
  }

  async function contentOf(link) {
    if (link.title || link.dataset.title) { // a reference
      if (link.title) [link.dataset.title, link.title] = [link.title, ""];
      const text = document.createElement("div");
      text.textContent = link.dataset.title;
      return text;
    }
    const target = new URL(link.href);
    const name = decodeURIComponent(target.hash.slice(1));
    if (target.pathname === location.pathname) {
      const node = document.getElementById(name)?.closest(".math, .proof, figure, dt");
      const shown = node?.matches("dt") ? node.parentElement.querySelector("dt ~ dd") : node;
      return shown ? copied(shown.outerHTML, location.href) : null;
    }
    if (!("preview" in link.dataset)) return null;
    const targets = await load(target.pathname.slice(root.pathname.length).replace(/\.html$/, ""));
    return targets[name] ? copied(targets[name], target) : null;
  }

  const card = document.createElement("div");
  card.className = "preview";
  card.id = "preview";
  card.setAttribute("role", "tooltip");
  card.hidden = true;
  let open = null; // the link whose card is shown
  let timer;

  function close() {
    clearTimeout(timer);
    open?.removeAttribute("aria-describedby");
    open = null;
    card.hidden = true;
  }

  async function show(link) {
    const content = await contentOf(link);
    if (!content || !(link.matches(":hover") || link === document.activeElement)) return;
    close();
    open = link;
    card.replaceChildren(content);
    document.body.append(card);
    card.hidden = false;
    link.setAttribute("aria-describedby", card.id);
    const at = link.getClientRects()[0];
    const below = at.bottom + card.offsetHeight + 8 < innerHeight || at.top < card.offsetHeight + 8;
    card.style.top = `${(below ? at.bottom + 4 : at.top - card.offsetHeight - 4) + scrollY}px`;
    card.style.left = `${Math.max(8, Math.min(at.left, document.documentElement.clientWidth - card.offsetWidth - 8)) + scrollX}px`;
  }

  const later = (action) => { clearTimeout(timer); timer = setTimeout(action, WAIT); };
  const linkAt = (event) => event.target.closest?.("article a.reference.internal[href*='#']");
  if (matchMedia("(hover: hover) and (pointer: fine)").matches) {
    document.addEventListener("mouseover", (event) => {
      const link = linkAt(event);
      if (link && link !== open) later(() => show(link));
      else if (event.target.closest?.(".preview") || (link && link === open)) clearTimeout(timer); // the card stays under the pointer
      else if (open && open !== document.activeElement) later(close);
      else if (!open) clearTimeout(timer);
    });
    document.addEventListener("focusin", (event) => {
      const link = linkAt(event);
      if (link?.matches(":focus-visible")) show(link);
      else close();
    });
    document.addEventListener("focusout", close);
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
    document.addEventListener("click", close);
  }

  return receive;
})();
