/* p and q as bars: entropy, cross-entropy, divergence. */
(function () {
  "use strict";

  const { sum, show, buttons, figure } = interactive;

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

  figure("divergence", divergence);
})();
