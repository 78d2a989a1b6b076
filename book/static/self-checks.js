/* Self-checks and guesses: choices become buttons, and what was answered stays in this browser. See extensions/site/self_checks.py. */
(function () {
  "use strict";

  const KEY = "from-bits-to-backprop";
  const page = DOCUMENTATION_OPTIONS.pagename;

  // { checks: { page: { total, right: [names], chosen: { name: number } } }, guesses: { name: text } }
  function load() {
    try {
      return { checks: {}, guesses: {}, ...JSON.parse(localStorage.getItem(KEY)) };
    } catch { // storage is forbidden, or holds something else: nothing is remembered
      return { checks: {}, guesses: {} };
    }
  }
  const memory = load();
  function save() {
    try {
      localStorage.setItem(KEY, JSON.stringify(memory));
    } catch { /* as above */ }
    tick();
  }

  function made(tag, attributes = {}, ...children) {
    const node = Object.assign(document.createElement(tag), attributes);
    node.append(...children);
    return node;
  }

  // ---- questions ----

  const checks = [...document.querySelectorAll(".self-check")];
  const own = () => (memory.checks[page] ??= { right: [], chosen: {} });

  function setUp(check) {
    const answer = Number(check.dataset.answer);
    const reasons = check.querySelectorAll("details > ol > li");
    const verdict = made("div", { className: "verdict" });
    verdict.setAttribute("role", "status");
    const choices = [...check.querySelectorAll(":scope > ol > li")].map((item, place) => {
      const text = item.querySelector("p");
      const button = made("button", { type: "button", className: "choice" }, ...text.childNodes);
      text.replaceWith(button);
      button.addEventListener("click", () => {
        const right = place + 1 === answer;
        const known = own();
        known.total = checks.length;
        known.chosen[check.id] = place;
        known.right = known.right.filter((name) => name !== check.id).concat(right ? check.id : []);
        save();
        mark(place);
      });
      return button;
    });
    check.querySelector(":scope > ol").after(verdict);

    function mark(chosen) {
      choices.forEach((button, place) => {
        button.setAttribute("aria-pressed", place === chosen);
        button.classList.toggle("right", place === chosen && place + 1 === answer);
        button.classList.toggle("wrong", place === chosen && place + 1 !== answer);
      });
      verdict.replaceChildren(...(chosen === undefined ? [] : [...reasons[chosen].cloneNode(true).childNodes]));
    }
    mark(memory.checks[page]?.chosen[check.id]);
    return mark;
  }
  const marks = checks.map(setUp);

  // ---- guesses ----

  const again = [...document.querySelectorAll("[data-guessed]")];
  function repeat() {
    for (const line of again) {
      const guess = memory.guesses[line.dataset.guessed] ?? "";
      line.querySelector("b").textContent = guess;
      line.hidden = !guess;
    }
  }
  const lines = [...document.querySelectorAll("[data-guess]")];
  for (const line of lines) {
    line.closest(".guess").hidden = false;
    line.value = memory.guesses[line.dataset.guess] ?? "";
    line.addEventListener("input", () => {
      if (line.value.trim()) memory.guesses[line.dataset.guess] = line.value.trim();
      else delete memory.guesses[line.dataset.guess];
      repeat();
      save();
    });
  }
  repeat();

  // ---- ticks in the contents ----

  const contents = document.querySelector("nav.bd-links");
  const root = new URL(document.documentElement.dataset.content_root || "./", location.href).pathname;
  const forget = made("button", { type: "button", className: "forget-answers", textContent: "Forget my answers" });
  forget.addEventListener("click", () => {
    memory.checks = {};
    memory.guesses = {};
    try {
      localStorage.removeItem(KEY);
    } catch { /* as above */ }
    marks.forEach((mark) => mark(undefined));
    for (const line of lines) line.value = "";
    repeat();
    tick();
    contents.querySelector("a")?.focus();
  });

  function tick() {
    if (!contents) return;
    contents.querySelectorAll(".answered").forEach((mark) => mark.remove());
    for (const link of contents.querySelectorAll("a")) {
      const target = new URL(link.href, location.href).pathname;
      const name = target.startsWith(root) ? target.slice(root.length).replace(/\.html$/, "") : "";
      const known = memory.checks[name];
      if (!known || !known.right.length) continue;
      const all = known.right.length >= known.total;
      const words = all ? "all questions answered" : `${known.right.length} of ${known.total} questions answered`;
      link.append(made("span", { className: "answered", title: words }, made("span", { className: "sign", textContent: all ? "✓" : `${known.right.length}/${known.total}` }),
        made("span", { className: "visually-hidden", textContent: `, ${words}` })));
    }
    if (Object.keys(memory.checks).length || Object.keys(memory.guesses).length) contents.append(forget);
    else forget.remove();
  }
  tick();
})();
