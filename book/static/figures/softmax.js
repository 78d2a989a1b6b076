/* Softmax in float64, as defined and with the maximum taken out. */
(function () {
  "use strict";

  const { sum, fixed, general, minus, show, buttons, sliders, figure } = interactive;

  // Infinity as NumPy prints it; very large and very small numbers with a power of ten.
  function number(x) {
    if (x === Infinity) return "inf";
    return x !== 0 && (x < 1e-4 || x >= 1e5) ? minus(x.toExponential(2)) : general(Number(x.toFixed(4)));
  }

  function softmax(box) {
    const chosen = sliders(box, draw);
    const outcomes = Object.keys(chosen.get()).filter((name) => name !== "c" && name !== "T");

    function draw() {
      const { c, T, ...scores } = chosen.get();
      const z = outcomes.map((name) => (scores[name] + c) / T);
      const most = Math.max(...z);
      let p;
      for (const [form, logits] of [["naive", z], ["shifted", z.map((logit) => logit - most)]]) {
        const e = logits.map(Math.exp);
        p = e.map((one) => one / sum(e));
        box.querySelectorAll(`[data-form="${form}"]`).forEach((row, i) => {
          show(row, { logit: fixed(logits[i], 2), exp: number(e[i]), p: Number.isNaN(p[i]) ? "nan" : p[i].toFixed(4) });
          row.querySelector(".bar").style.setProperty("--share", Number.isNaN(p[i]) ? 0 : p[i]);
        });
      }
      const e = z.map(Math.exp);
      const shown = Object.fromEntries(outcomes.map((name) => [name, general(scores[name])]));
      show(box, {
        ...shown, c: general(c), T: general(T), scores: `(${Object.values(shown).join(", ")})`,
        entropy: `${sum(p.map((one) => (one > 0 ? -one * Math.log(one) : 0))).toFixed(3)} nats`,
        remark: e.includes(Infinity) ? "Overflow: as defined, inf stands above and below the line, and inf / inf is nan."
          : sum(e) === 0 ? "Underflow: as defined, every exponential is 0, and 0 / 0 is nan."
            : sum(e) < 1e-307 ? "The exponentials of the form as defined are too small to keep their digits."
              : "Both forms agree.",
      });
    }

    buttons(box, {
      restart: () => chosen.set(),
      plain: () => chosen.set({ c: 0, T: 1 }),
      equal: () => chosen.set(Object.fromEntries(outcomes.map((name) => [name, 0]))),
    }, draw);
    chosen.set();
    return draw;
  }

  figure("softmax", softmax);
})();
