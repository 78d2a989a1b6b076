/* Gradient descent, with momentum if the reader likes, on J = (λ1 θ1² + λ2 θ2²) / 2. */
(function () {
  "use strict";

  const { fixed, general, show, buttons, sliders, player, set, each, plot, handle, figure } = interactive;

  const LEVELS = [1, 5, 12, 25, 45];

  // By how much a step shrinks an error in a direction in the long run: the larger root of r² − (1 + β − ηλ) r + β.
  function factor(rate, beta, curvature) {
    const middle = 1 + beta - rate * curvature;
    const inside = middle ** 2 - 4 * beta;
    return inside < 0 ? Math.sqrt(beta) : (Math.abs(middle) + Math.sqrt(inside)) / 2;
  }

  function valley(box) {
    const chosen = sliders(box, draw);
    const run = player(box, draw, { every: 250 });
    const bend = box.dataset.bend.split(" ").map(Number);
    let start = box.dataset.start.split(" ").map(Number);

    const map = plot(box.querySelector("svg"), { x: [-4, 11.5], y: [-2.6, 2.6], ticks: [[0, 5, 10], [-2, 0, 2]], labels: ["θ₁", "θ₂"], height: 0.42 });
    const contours = map.add("g", { class: "curve cost" });
    const trace = map.add("path", { class: "trace model" });
    const visited = map.add("g", { class: "model" });
    const goal = map.add("path", { class: "star" });
    const ball = map.add("circle", { class: "dot model", r: 7 });
    const knob = handle(map, {
      name: "Start", shape: "square", step: 0.1, at: () => start, say: () => `θ1 ${general(start[0])}, θ2 ${general(start[1])}`,
      move: (x, y) => { start = [x, y]; draw(); },
    });

    function draw() {
      const { rate, beta, t } = chosen.get();
      const path = [start];
      let velocity = [0, 0];
      for (let step = 0; step < t; step += 1) {
        velocity = velocity.map((v, i) => beta * v - rate * bend[i] * path[step][i]);
        path.push(path[step].map((theta, i) => theta + velocity[i]));
      }
      const end = path[t];

      map.fit();
      const unit = [map.x(1) - map.x(0), map.y(0) - map.y(1)];
      each(contours, "ellipse", LEVELS, (level) => ({ cx: map.x(0), cy: map.y(0), rx: unit[0] * Math.sqrt(2 * level / bend[0]), ry: unit[1] * Math.sqrt(2 * level / bend[1]) }));
      set(trace, { d: map.line(path) });
      each(visited, "circle", path.filter(([x, y]) => Math.abs(x) < 30 && Math.abs(y) < 10), ([x, y]) => ({ cx: map.x(x), cy: map.y(y), r: 3 }));
      set(goal, { d: `M${map.x(0)} ${map.y(0)}m0 -9l2.4 6.2 6.6 .4 -5.1 4.2 1.7 6.4 -5.6 -3.6 -5.6 3.6 1.7 -6.4 -5.1 -4.2 6.6 -.4z` });
      set(ball, { cx: Math.max(-1e4, Math.min(1e4, map.x(end[0]))), cy: Math.max(-1e4, Math.min(1e4, map.y(end[1]))) });
      knob.draw();

      const [along, across] = bend.map((curvature) => factor(rate, beta, curvature));
      const worst = Math.max(along, across);
      const far = Math.abs(end[0]) > 1e4 || Math.abs(end[1]) > 1e4;
      show(box, {
        rate: rate.toFixed(2), beta: beta.toFixed(2), t: String(t),
        place: far ? "far away" : `(${fixed(end[0], 3)}, ${fixed(end[1], 3)})`,
        cost: far ? "huge" : general(Number(((bend[0] * end[0] ** 2 + bend[1] * end[1] ** 2) / 2).toPrecision(3))),
        along: along.toFixed(3), across: across.toFixed(3),
        remark: worst > 1 + 1e-9 ? "A factor above 1: the path diverges." : worst > 1 - 1e-9 ? "A factor of 1: this direction never arrives."
          : `The larger factor sets the pace: a tenth of the error is left after about ${Math.ceil(Math.log(0.1) / Math.log(worst))} steps.`,
      });
    }

    buttons(box, {
      play: run.play,
      next: () => run.step(1),
      run: (button) => { run.pause(); chosen.set(button.dataset); },
      restart: () => { run.pause(); chosen.set(); start = box.dataset.start.split(" ").map(Number); },
    }, draw);
    chosen.set();
    return draw;
  }

  figure("valley", valley);
})();
