/* Gradient descent on the parabola of the showers, J = θ², with curvature 2. */
(function () {
  "use strict";

  const { minus, fixed, range, show, buttons, sliders, player, set, each, plot, handle, figure } = interactive;

  const CURVATURE = 2; // degrees a notch
  const FAR = 6.4; // notches at the edge of the picture

  function regime(factor) {
    if (factor === 1) return "A rate of 0 changes nothing.";
    if (factor === 0) return "One step arrives.";
    if (factor === -1) return "The threshold: the path goes to and fro for ever.";
    if (factor < -1) return "The error changes its sign and grows: the path diverges.";
    if (factor < 0) return "The error changes its sign and shrinks: the path oscillates, and settles.";
    return factor > 0.8 ? "The error keeps its sign and shrinks slowly: the path crawls." : "The error keeps its sign and shrinks: the path settles.";
  }

  function descent(box) {
    const chosen = sliders(box, draw);
    const run = player(box, draw);
    let start = Number(box.dataset.start);

    const factors = plot(box.querySelector("svg.factor"), { x: [0, 1.15], y: [0, 1.35], ticks: [[0, 0.5, 1], [0, 0.5, 1]], labels: ["learning rate η", "factor |1 − ηλ|"], height: 0.8 });
    const threshold = factors.add("path", { class: "guide" });
    const sizes = factors.add("path", { class: "curve lost" });
    const here = factors.addAbove("circle", { class: "dot model", r: 6 });

    const valley = plot(box.querySelector("svg.parabola"), { x: [-FAR, FAR], y: [-2, 41], ticks: [[-5, 0, 5], [0, 20, 40]], labels: ["notches off", "cost J"], height: 0.8 });
    const bowl = valley.add("path", { class: "curve cost" });
    const trace = valley.add("path", { class: "trace model" });
    const visited = valley.add("g", { class: "model" });
    const ball = valley.add("circle", { class: "dot model", r: 7 });
    const knob = handle(valley, {
      name: "Start", shape: "square", step: 0.1,
      at: () => [start, start ** 2], say: () => `${minus(start.toFixed(1))} notches off`,
      move: (x) => { start = x; run.pause(); chosen.set({ t: 0 }); draw(); },
    });

    function draw() {
      const { rate, t } = chosen.get();
      const factor = 1 - rate * CURVATURE;
      const path = [start];
      for (let step = 0; step < t; step += 1) path.push(path[step] - rate * CURVATURE * path[step]);
      const theta = path[t];

      factors.fit();
      set(threshold, { d: factors.line([[0, 1], [1.15, 1]]) });
      set(sizes, { d: factors.line([0, 1 / CURVATURE, 1.15].map((eta) => [eta, Math.abs(1 - eta * CURVATURE)])) });
      set(here, { cx: factors.x(rate), cy: factors.y(Math.abs(factor)) });
      box.querySelector("svg.factor").setAttribute("aria-label", `The size of the factor falls from 1 at rate 0 to 0 at rate 0.5 and is 1 again at rate 1. At rate ${rate} it is ${Math.abs(factor).toFixed(2)}.`);

      valley.fit();
      set(bowl, { d: valley.line(range(129).map((i) => [(i - 64) / 10, ((i - 64) / 10) ** 2])) });
      set(trace, { d: valley.line(path.map((x) => [x, x ** 2])) });
      each(visited, "circle", path.filter((x) => Math.abs(x) <= 2 * FAR), (x) => ({ cx: valley.x(x), cy: valley.y(x ** 2), r: 3 }));
      set(ball, { cx: valley.x(Math.max(-1e3, Math.min(1e3, theta))), cy: valley.y(Math.min(1e3, theta ** 2)) });
      knob.draw();

      const degrees = CURVATURE * theta;
      show(box, {
        rate: rate.toFixed(2), t: String(t), factor: fixed(factor, 2),
        error: `${Math.abs(degrees).toFixed(2)}° too ${degrees < 0 ? "cold" : "hot"}`,
        remark: regime(factor) + (Math.abs(theta) > FAR ? " It is out of sight." : ""),
      });
    }

    buttons(box, {
      play: run.play,
      next: () => run.step(1),
      guest: (button) => { run.pause(); chosen.set({ rate: button.dataset.rate, t: 0 }); },
      restart: () => { run.pause(); chosen.set(); start = Number(box.dataset.start); },
    }, draw);
    chosen.set();
    return draw;
  }

  figure("descent", descent);
})();
