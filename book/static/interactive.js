/* The figures that readers can move. Each function sets up one of the templates of book/interactive and returns how it is
   drawn; the last lines put it in the place of the still picture. extensions/site/interactive_figures.py says why no library. */
(function () {
  "use strict";

  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
  const general = (number) => String(Number(number.toPrecision(6))).replace("-", "−");

  function show(box, texts) {
    for (const [name, text] of Object.entries(texts)) {
      box.querySelector(`[data-show="${name}"]`).textContent = text;
    }
  }

  // What a button with data-do does; each draws the figure again.
  function buttons(box, actions, draw) {
    for (const button of box.querySelectorAll("[data-do]")) {
      button.addEventListener("click", () => { actions[button.dataset.do](); draw(); });
    }
  }

  // Sliders with data-set: their numbers by name. The browser may keep what a reader chose before a reload; we start afresh.
  function sliders(box, draw) {
    const inputs = [...box.querySelectorAll("[data-set]")];
    inputs.forEach((input) => input.addEventListener("input", draw));
    return {
      set: (values) => inputs.forEach((input) => { input.value = values ? values[input.dataset.set] : input.defaultValue; }),
      get: () => Object.fromEntries(inputs.map((input) => [input.dataset.set, Number(input.value)])),
    };
  }

  // ---- p and q as bars: entropy, cross-entropy, divergence ----

  const UNITS = 200; // shares are counted in units of 0.005, so that those on display add up to 1 exactly
  const SCALE = 8; // bits on the axis; with these units no finite cross-entropy is larger than log2(200) = 7.64

  // Whole units in these proportions with this total: all rounded down, then the largest remainders one up.
  function apportion(weights, total) {
    const whole = sum(weights);
    const exact = weights.map((weight) => (whole > 0 ? total * weight / whole : total / weights.length));
    const units = exact.map(Math.floor);
    const places = exact.map((_, place) => place).sort((i, j) => (exact[j] - units[j]) - (exact[i] - units[i]));
    places.slice(0, total - sum(units)).forEach((place) => { units[place] += 1; });
    return units;
  }

  const information = (p, q) => sum(p.map((share, i) => (share > 0 ? -share * Math.log2(q[i]) : 0)));
  // Never negative, by Gibbs' inequality; the logarithms' rounding may disagree in the last digits.
  const wasted = (p, q) => Math.max(0, sum(p.map((share, i) => (share > 0 ? share * Math.log2(share / q[i]) : 0))));
  const inBits = (number) => (number === Infinity ? "∞ bits" : `${number.toFixed(3)} bits`);

  function divergence(box) {
    const bars = { p: [...box.querySelectorAll('[data-of="p"]')], q: [...box.querySelectorAll('[data-of="q"]')] };
    const words = [...box.querySelectorAll(".outcome")].map((word) => word.textContent);
    const entropyPart = box.querySelector(".part.entropy");
    const lostPart = box.querySelector(".part.lost");
    let units, held, before;

    function restart() {
      units = {};
      for (const name of ["p", "q"]) units[name] = bars[name].map((bar) => Math.round(bar.defaultValue * UNITS));
      held = null;
    }

    // While one bar is moved, the others keep the proportions they had when it was taken hold of, even through 0.
    function move(name, place) {
      if (held !== bars[name][place]) {
        held = bars[name][place];
        before = units[name].slice();
      }
      const mine = Math.round(held.value * UNITS);
      units[name] = apportion(before.filter((_, other) => other !== place), UNITS - mine);
      units[name].splice(place, 0, mine);
      draw();
    }

    function draw() {
      const [p, q] = ["p", "q"].map((name) => units[name].map((count) => count / UNITS));
      for (const [name, shares] of [["p", p], ["q", q]]) {
        bars[name].forEach((bar, i) => {
          bar.value = shares[i];
          bar.style.setProperty("--share", shares[i]);
          bar.setAttribute("aria-valuetext", shares[i].toFixed(3));
          bar.nextElementSibling.textContent = shares[i].toFixed(3);
        });
      }
      const [entropy, lost] = [information(p, p), wasted(p, q)];
      entropyPart.style.width = `${100 * entropy / SCALE}%`;
      lostPart.style.width = `${100 * Math.min(lost, SCALE - entropy) / SCALE}%`;
      lostPart.classList.toggle("endless", lost === Infinity);
      const unheard = words.filter((_, i) => p[i] > 0 && q[i] === 0);
      show(box, {
        entropy: inBits(entropy), lost: inBits(lost), cross: inBits(information(p, q)), reverse: inBits(wasted(q, p)),
        remark: unheard.length ? `p sends ${unheard.join(" and ")}, for which q has no codeword: no number of bits is enough.`
          : lost === 0 ? "q is p: nothing is wasted." : `${Math.round(100 * lost / (entropy + lost))} % of the bits are wasted.`,
      });
    }

    for (const name of ["p", "q"]) {
      bars[name].forEach((bar, place) => bar.addEventListener("input", () => move(name, place)));
    }
    buttons(box, {
      swap: () => { units = { p: units.q, q: units.p }; held = null; },
      equal: () => { units.q = units.p.slice(); held = null; },
      restart,
    }, draw);
    restart();
    return draw;
  }

  // ---- softmax in float64, as defined and with the maximum taken out ----

  // Infinity as NumPy prints it; very large and very small numbers with a power of ten.
  function number(x) {
    if (x === Infinity) return "inf";
    return x !== 0 && (x < 1e-4 || x >= 1e5) ? x.toExponential(2).replace("-", "−") : general(Number(x.toFixed(4)));
  }

  function softmax(box) {
    const scores = box.dataset.scores.split(" ").map(Number);
    const chosen = sliders(box, draw);

    function draw() {
      const { c, T } = chosen.get();
      const z = scores.map((score) => (score + c) / T);
      const most = Math.max(...z);
      for (const [form, logits] of [["naive", z], ["shifted", z.map((logit) => logit - most)]]) {
        const e = logits.map(Math.exp);
        box.querySelectorAll(`[data-form="${form}"]`).forEach((row, i) => {
          const p = e[i] / sum(e);
          show(row, { logit: logits[i].toFixed(2).replace("-", "−"), exp: number(e[i]), p: Number.isNaN(p) ? "nan" : p.toFixed(4) });
          row.querySelector(".bar").style.setProperty("--share", Number.isNaN(p) ? 0 : p);
        });
      }
      const e = z.map(Math.exp);
      show(box, {
        c: general(c), T: general(T),
        remark: e.includes(Infinity) ? "Overflow: as defined, inf stands above and below the line, and inf / inf is nan."
          : sum(e) === 0 ? "Underflow: as defined, every exponential is 0, and 0 / 0 is nan."
            : sum(e) < 1e-307 ? "The exponentials of the form as defined are too small to keep their digits."
              : "Both forms agree.",
      });
    }

    buttons(box, { restart: () => chosen.set(), plain: () => chosen.set({ c: 0, T: 1 }) }, draw);
    chosen.set();
    return draw;
  }

  // ---- J = 3(a + bc), forward and backward: names and steps are those of the chapter's code ----

  const STEPS = [["u", "b", "*", "c"], ["v", "a", "+", "u"], ["J", "3", "*", "v"], ["dJ", "1"], ["dv", "dJ", "*", "3"],
    ["da", "dv", "*", "1"], ["du", "dv", "*", "1"], ["db", "du", "*", "c"], ["dc", "du", "*", "b"]];
  const FORWARD = 3;

  function graph(box) {
    const chosen = sliders(box, draw);
    const lines = STEPS.map(() => box.querySelector("ol").appendChild(document.createElement("li")));
    const timed = [...box.querySelectorAll("[data-from], [data-until]")];
    let step = STEPS.length; // as in the still picture

    function draw() {
      const values = chosen.get();
      const of = (name) => (name in values ? values[name] : Number(name));
      const told = STEPS.map(([name, x, sign, y], i) => {
        values[name] = sign === "*" ? of(x) * of(y) : sign === "+" ? of(x) + of(y) : of(x);
        const result = sign ? ` = ${general(of(x))} ${sign} ${general(of(y))} = ${general(values[name])}` : "";
        return `${name} = ${[x, sign, y].filter(Boolean).join(" ")}${i < step ? result : ""}`;
      });
      lines.forEach((line, i) => {
        line.textContent = told[i];
        line.classList.toggle("done", i < step);
        if (i === step - 1) line.setAttribute("aria-current", "step"); else line.removeAttribute("aria-current");
      });
      for (const part of timed) {
        part.classList.toggle("unseen", step < (part.dataset.from || 0) || step >= (part.dataset.until || Infinity));
        const name = part.dataset.value;
        if (name) part.textContent = name.startsWith("d") ? `${name} = ${general(values[name])}` : general(values[name]);
      }
      for (const text of box.querySelectorAll("[data-factor]")) {
        const factor = text.dataset.factor;
        text.textContent = factor in values ? `× ${factor} = ${general(values[factor])}` : `× ${factor}`;
      }
      for (const node of box.querySelectorAll("[data-now]")) {
        node.classList.toggle("now", step > 0 && node.dataset.now.split(" ").includes(String(step)));
      }
      const known = ["a", "b", "c", ...STEPS.slice(0, step).map(([name]) => name)];
      box.querySelector("svg").setAttribute("aria-label",
        `The graph of J = 3(a + bc). ${known.map((name) => `${name} = ${general(values[name])}`).join(", ")}.`);
      show(box, { a: general(values.a), b: general(values.b), c: general(values.c),
        remark: step === 0 ? "Only the inputs are known. Next computes u."
          : `Step ${step} of ${STEPS.length}, ${step > FORWARD ? "backward" : "forward"}: ${told[step - 1]}` });
      box.querySelector('[data-do="next"]').setAttribute("aria-disabled", step === STEPS.length);
      box.querySelector('[data-do="back"]').setAttribute("aria-disabled", step === 0);
    }

    buttons(box, {
      restart: () => { step = 0; },
      back: () => { step = Math.max(0, step - 1); },
      next: () => { step = Math.min(STEPS.length, step + 1); },
    }, draw);
    chosen.set();
    return draw;
  }

  const KINDS = { divergence, softmax, graph };
  for (const box of document.querySelectorAll("[data-interactive]")) {
    KINDS[box.dataset.interactive](box)(); // drawn before it is shown: if this fails, the picture stays
    box.hidden = false;
    box.closest("figure").classList.add("alive");
  }
})();
