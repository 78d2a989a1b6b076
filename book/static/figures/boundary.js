/* Logistic regression on a few samples: the decision boundary, and the norm of the weights as it grows. */
(function () {
  "use strict";

  const { sum, range, fixed, general, show, buttons, sliders, set, plot, handle, figure } = interactive;

  const FINEST = 4; // places a decade on the axis of steps
  const dot = (w, x) => w[0] * x[0] + w[1] * x[1];

  // The weights after 1, 1.8, 3.2, 5.6, 10 ... steps, as far as the slider goes.
  function descend(samples, labels, rate, decades) {
    let [u, v, b] = [0, 0, 0];
    let step = 0;
    const n = samples.length;
    return range(decades * FINEST + 1).map((place) => {
      for (const end = Math.round(10 ** (place / FINEST)); step < end; step += 1) {
        let [du, dv, db] = [0, 0, 0];
        for (let i = 0; i < n; i += 1) {
          const error = 1 / (1 + Math.exp(-(u * samples[i][0] + v * samples[i][1] + b))) - labels[i];
          du += error * samples[i][0];
          dv += error * samples[i][1];
          db += error;
        }
        u -= rate * du / n;
        v -= rate * dv / n;
        b -= rate * db / n;
      }
      return { step, w: [u, v], b };
    });
  }

  // Whether a line has all samples of one label on one side. If there is such a line, there is one that is perpendicular to the
  // line between two samples of different labels, or parallel to that between two of the same.
  function separable(samples, labels) {
    const groups = [0, 1].map((label) => samples.filter((_, i) => labels[i] === label));
    if (groups.some((group) => !group.length)) return true;
    const between = (p, q) => [p[0] - q[0], p[1] - q[1]];
    const normals = [
      ...groups[0].flatMap((p) => groups[1].map((q) => between(p, q))),
      ...groups.flatMap((group) => group.flatMap((p) => group.map((q) => between(p, q)))).map(([x, y]) => [-y, x]),
    ];
    return [...normals, ...normals.map(([x, y]) => [-x, -y])].some((normal) =>
      Math.min(...groups[0].map((p) => dot(normal, p))) > Math.max(...groups[1].map((p) => dot(normal, p))) + 1e-9);
  }

  function boundary(box) {
    const chosen = sliders(box, draw);
    const rate = Number(box.dataset.rate);
    const decades = Number(box.querySelector('[data-set="t"]').max);
    const [plane, course] = box.querySelectorAll("svg");
    const given = { samples: JSON.parse(box.dataset.samples), labels: JSON.parse(box.dataset.labels) };
    let samples, labels, runs;

    const map = plot(plane, { x: [0, 8], y: [0, 8], ticks: [[0, 2, 4, 6, 8], [0, 2, 4, 6, 8]], labels: ["x₁", "x₂"], equal: true });
    const shade = map.add("path", { class: "shade" });
    const levels = map.add("path", { class: "border quarter" });
    const border = map.add("path", { class: "border" });
    const arrow = map.add("path", { class: "arrow" });
    const knobs = given.samples.map((_, i) => handle(map, {
      name: () => `Sample ${i + 1}, label ${labels[i]}`, step: 0.1,
      at: () => samples[i], say: () => `x1 ${general(samples[i][0])}, x2 ${general(samples[i][1])}`,
      move: (x, y) => { samples[i] = [x, y]; learn(); draw(); },
      press: () => { labels[i] = 1 - labels[i]; learn(); draw(); },
    }));

    const growth = plot(course, { x: [0, decades], y: [0, 8], ticks: [range(decades + 1), [0, 2, 4, 6, 8]], labels: ["steps, as a power of ten", "norm |w|"], height: 0.8 });
    const norms = growth.add("path", { class: "curve model" });
    const now = growth.addAbove("circle", { class: "dot model", r: 6 });

    function learn() {
      runs = descend(samples, labels, rate, decades);
    }

    function restart() {
      samples = given.samples.map((sample) => [...sample]);
      labels = [...given.labels];
      chosen.set();
      learn();
    }

    // The line w · x + b = z, from edge to edge of a square that is larger than the drawing.
    function level(w, b, z) {
      const size = dot(w, w);
      if (size < 1e-12) return [];
      const at = [(z - b) * w[0] / size, (z - b) * w[1] / size];
      const long = 40 / Math.sqrt(size);
      return [[at[0] - w[1] * long, at[1] + w[0] * long], [at[0] + w[1] * long, at[1] - w[0] * long]];
    }

    function draw() {
      const place = Math.round(chosen.get().t * FINEST);
      const { step, w, b } = runs[place];
      const norm = Math.sqrt(dot(w, w));
      const z = samples.map((sample) => dot(w, sample) + b);
      map.fit();
      const line = level(w, b, 0);
      set(border, { d: map.line(line) });
      set(levels, { d: [-Math.log(3), Math.log(3)].map((one) => map.line(level(w, b, one))).join("") });
      set(shade, { d: line.length ? `${map.line([...line, ...[...line].reverse().map(([x, y]) => [x + 40 * w[0] / norm, y + 40 * w[1] / norm])])}Z` : "" });
      if (line.length) { // the arrow starts on the line, at the point nearest to the middle of the picture, and has the length |w|
        const off = (dot(w, [4, 4]) + b) / norm ** 2;
        const foot = [4 - off * w[0], 4 - off * w[1]];
        const tip = [foot[0] + w[0], foot[1] + w[1]];
        const [x, y] = [map.x(tip[0]), map.y(tip[1])];
        const turn = Math.atan2(y - map.y(foot[1]), x - map.x(foot[0]));
        const wing = (angle) => `M${x.toFixed(1)} ${y.toFixed(1)}L${(x - 10 * Math.cos(turn + angle)).toFixed(1)} ${(y - 10 * Math.sin(turn + angle)).toFixed(1)}`;
        set(arrow, { d: map.line([foot, tip]) + wing(0.5) + wing(-0.5) });
      } else set(arrow, { d: "" });
      knobs.forEach((knob, i) => {
        knob.group.classList.toggle("square", labels[i] === 1);
        knob.draw();
      });
      growth.fit();
      set(norms, { d: growth.line(runs.map((run, i) => [i / FINEST, Math.hypot(...run.w)])) });
      set(now, { cx: growth.x(place / FINEST), cy: growth.y(norm) });
      set(course, { "aria-label": `The norm of w against the number of steps: ${[0, 2, 3, 4, 5].filter((k) => k <= decades).map((k) => `${general(10 ** k)} steps, ${Math.hypot(...runs[k * FINEST].w).toFixed(2)}`).join("; ")}.` });

      const apart = separable(samples, labels);
      const right = z.filter((one, i) => (one >= 0) === (labels[i] === 1)).length;
      chosen.say("t", `${step} steps`);
      show(box, {
        t: step.toLocaleString("en").replace(",", " "),
        weights: `(${fixed(w[0], 3)}, ${fixed(w[1], 3)}), ${fixed(b, 3)}`,
        norm: norm.toFixed(3),
        cost: `${(sum(z.map((one, i) => Math.max(0, labels[i] ? -one : one) + Math.log1p(Math.exp(-Math.abs(one))))) / z.length).toFixed(4)} nats`,
        right: `${right} of ${z.length}`,
        remark: apart ? "A line separates the labels: longer weights always fit better, and the norm never stops growing."
          : "No line separates the labels: the norm settles.",
      });
    }

    buttons(box, { mix: () => { [labels[0], labels[labels.length - 1]] = [1, 0]; learn(); }, restart }, draw);
    restart();
    return draw;
  }

  figure("boundary", boundary);
})();
