/* J = 3(a + bc), forward and backward: names and steps are those of the chapter's code. */
(function () {
  "use strict";

  const { general, show, buttons, sliders, figure } = interactive;

  const STEPS = [["u", "b", "*", "c"], ["v", "a", "+", "u"], ["J", "3", "*", "v"], ["dJ", "1"], ["dv", "dJ", "*", "3"],
    ["da", "dv", "*", "1"], ["du", "dv", "*", "1"], ["db", "du", "*", "c"], ["dc", "du", "*", "b"]];
  const FORWARD = 3;

  function graph(box) {
    const chosen = sliders(box, draw);
    const lines = STEPS.map(() => box.querySelector("ol").appendChild(document.createElement("li")));
    const timed = [...box.querySelectorAll("[data-from], [data-until]")];
    let step = 0;

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

  figure("graph", graph);
})();
