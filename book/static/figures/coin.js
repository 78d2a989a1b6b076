/* The log-likelihood of a pin's record, which narrows with every throw. */
(function () {
  "use strict";

  const { fixed, range, show, buttons, set, plot, handle, figure } = interactive;

  const LAST = 40; // throws that are shown one by one
  const GRID = range(601).map((i) => i / 600);
  const times = (count, logarithm) => (count ? count * logarithm : 0); // 0 ln 0 = 0

  // How many nats theta lies below the estimate k / n; 0 for an empty record.
  function below(theta, n, k) {
    const best = k / n;
    return n ? times(k, Math.log(theta / best)) + times(n - k, Math.log((1 - theta) / (1 - best))) : 0;
  }

  function coin(box) {
    const data = box.dataset;
    let truth, n, k, last, before;

    const hill = plot(box.querySelector("svg"), { x: [0, 1], y: [-4, 0.3], ticks: [[0, 0.25, 0.5, 0.75, 1], [-4, -3, -2, -1, 0]], labels: ["θ, chance of landing up", "nats below the top"], height: 0.5 });
    const past = hill.add("path", { class: "curve past" });
    const parabola = hill.add("path", { class: "guide" });
    const spread = hill.add("path", { class: "spread" });
    const curve = hill.add("path", { class: "curve model" });
    const real = hill.add("path", { class: "truth" });
    const knob = handle(hill, {
      name: "True chance", shape: "diamond", step: 0.01, at: () => [truth, 0.3], say: () => truth.toFixed(2),
      move: (x) => { if (x !== truth) { truth = x; forget(); draw(); } },
    });

    function forget() {
      [n, k, last, before] = [0, 0, "", null];
    }

    function restart() {
      truth = Number(data.truth);
      [n, k, last, before] = [0, 0, "", null];
      add([...data.record].map((throw_) => throw_ === "1"));
    }

    function add(thrown) {
      n += thrown.length;
      k += thrown.filter(Boolean).length;
      last = (last + thrown.slice(-LAST).map((up) => (up ? "●" : "○")).join("")).slice(-LAST);
    }

    function throwPin(throws) {
      before = [n, k];
      add(range(throws).map(() => Math.random() < truth));
    }

    function draw() {
      const best = n ? k / n : NaN;
      const width = Math.sqrt(best * (1 - best) / n);
      const inner = GRID.filter((theta) => theta > 0 && theta < 1);
      // Close to the peak too, where the grid is coarse for a thousand throws.
      const fine = n ? [...inner, ...range(81).map((i) => best + (i - 40) * width / 10)].filter((theta) => theta > 0 && theta < 1).sort((a, b) => a - b) : inner;
      hill.fit();
      set(curve, { d: hill.line(fine.map((theta) => [theta, below(theta, n, k)])) });
      set(past, { d: before ? hill.line(inner.map((theta) => [theta, below(theta, ...before)])) : "" });
      set(parabola, { d: width > 0 ? hill.line(fine.map((theta) => [theta, -0.5 * ((theta - best) / width) ** 2])) : "" });
      set(spread, { d: width > 0 ? hill.line([[best - width, -0.5], [best + width, -0.5]]) : "" });
      set(real, { d: hill.line([[truth, -4], [truth, 0.3]]) });
      knob.draw();
      const gap = -below(truth, n, k);
      show(box, {
        record: last,
        counts: `${n} times, ${k} up`,
        estimate: n ? best.toFixed(4) : "none yet",
        width: width > 0 ? width.toFixed(4) : "none yet",
        gap: gap === Infinity ? "∞" : fixed(Math.abs(gap), 2),
        remark: !n ? "Without a throw all chances are equally likely: the curve is flat."
          : !(width > 0) ? "All throws fell alike, and the peak lies on the edge: it has no curvature to measure."
            : `The estimate is ${(Math.abs(best - truth) / width).toFixed(1)} widths away from the true chance, ${truth.toFixed(2)}.`,
      });
    }

    buttons(box, { throw: (button) => throwPin(Number(button.dataset.throws)), forget, restart }, draw);
    restart();
    return draw;
  }

  figure("coin", coin);
})();
