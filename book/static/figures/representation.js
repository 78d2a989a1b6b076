/* A network with two hidden units that learns XOR: its input plane, and the plane of its hidden units. */
(function () {
  "use strict";

  const { sum, range, fixed, show, buttons, sliders, player, set, each, plot, figure } = interactive;

  const CORNERS = [[0, 0], [0, 1], [1, 0], [1, 1]];
  const ON = [0, 1, 1, 0];
  const WIDE = [-0.4, 1.4];
  const CELLS = 40; // along a side of the shaded ground

  const hidden = (net, [u, v]) => [0, 1].map((j) => Math.tanh(u * net.W1[j] + v * net.W1[2 + j] + net.b1[j]));
  const logit = (net, a) => a[0] * net.W2[0] + a[1] * net.W2[1] + net.b2;
  const sigmoid = (z) => 0.5 + 0.5 * Math.tanh(z / 2);
  // ln(1 + e^z) - yz, without overflow.
  const loss = (z, y) => Math.max(0, y ? -z : z) + Math.log1p(Math.exp(-Math.abs(z)));

  // One step of gradient descent on all four corners.
  function learn(net, rate) {
    const step = { W1: [...net.W1], b1: [...net.b1], W2: [...net.W2], b2: net.b2 };
    CORNERS.forEach((corner, i) => {
      const a = hidden(net, corner);
      const dz = (sigmoid(logit(net, a)) - ON[i]) * rate / CORNERS.length;
      step.b2 -= dz;
      for (const j of [0, 1]) {
        const inside = dz * net.W2[j] * (1 - a[j] ** 2);
        step.W2[j] -= dz * a[j];
        step.b1[j] -= inside;
        step.W1[j] -= inside * corner[0];
        step.W1[2 + j] -= inside * corner[1];
      }
    });
    return step;
  }

  // The ground where a function is positive: in a square grid, runs of whole cells, and of the others the part that is positive if
  // the function is linear along each side.
  function ground(drawing, [low, high], value) {
    const side = range(CELLS + 1).map((i) => low + (high - low) * i / CELLS);
    const z = side.map((y) => side.map((x) => value(x, y)));
    const shape = (corners) => `M${corners.map(([x, y]) => `${drawing.x(x).toFixed(1)} ${drawing.y(y).toFixed(1)}`).join("L")}Z`;
    let path = "";
    for (const i of range(CELLS)) {
      let from = null;
      for (const j of range(CELLS + 1)) {
        const corners = j < CELLS ? [[i, j], [i, j + 1], [i + 1, j + 1], [i + 1, j]] : [];
        const count = corners.filter(([row, column]) => z[row][column] > 0).length;
        if (count === 4) {
          from ??= j;
          continue;
        }
        if (from !== null) path += shape([[side[from], side[i]], [side[j], side[i]], [side[j], side[i + 1]], [side[from], side[i + 1]]]);
        from = null;
        if (!count) continue;
        path += shape(corners.flatMap(([row, column], k) => {
          const [row2, column2] = corners[(k + 1) % 4];
          const [here, there] = [z[row][column], z[row2][column2]];
          const way = here / (here - there);
          const zero = [side[column] + way * (side[column2] - side[column]), side[row] + way * (side[row2] - side[row])];
          return [...(here > 0 ? [[side[column], side[row]]] : []), ...((here > 0) !== (there > 0) ? [zero] : [])];
        }));
      }
    }
    return path;
  }

  // The line u x + v y + c = 0 across a square.
  function across([low, high], u, v, c) {
    const ends = [low, high];
    return Math.abs(v) > Math.abs(u) ? ends.map((x) => [x, -(u * x + c) / v]) : ends.map((y) => [-(v * y + c) / u, y]);
  }

  // Squares for on, circles for off.
  function marks(group, drawing, places) {
    each(group, "path", places, ([x, y], i) => {
      const [u, v] = [drawing.x(x).toFixed(1), drawing.y(y).toFixed(1)];
      return { class: "sample", d: ON[i] ? `M${u} ${v}m-7 -7h14v14h-14z` : `M${u} ${v}m-8 0a8 8 0 1 0 16 0a8 8 0 1 0 -16 0z` };
    });
  }

  function representation(box) {
    const chosen = sliders(box, draw);
    const run = player(box, draw, { every: 60, stride: 10 });
    const rate = Number(box.dataset.rate);
    const steps = Number(box.querySelector('[data-set="t"]').max);
    const [input, plane, course] = box.querySelectorAll("svg");
    let nets, costs;

    const switches = plot(input, { x: WIDE, y: WIDE, ticks: [[0, 1], [0, 1]], labels: ["first switch", "second switch"], equal: true });
    const shadeIn = switches.add("path", { class: "shade" });
    const gridIn = switches.add("path", { class: "mesh" });
    const lines = switches.add("path", { class: "border hidden-units" });
    const corners = switches.addAbove("g", { "aria-hidden": "true" });

    const units = plot(plane, { x: [-1.25, 1.25], y: [-1.25, 1.25], ticks: [[-1, 0, 1], [-1, 0, 1]], labels: ["hidden unit 1", "hidden unit 2"], equal: true });
    const shadeOut = units.add("path", { class: "shade" });
    const gridOut = units.add("path", { class: "mesh" });
    const tracks = units.add("path", { class: "trace" });
    const border = units.add("path", { class: "border" });
    const images = units.addAbove("g", { "aria-hidden": "true" });

    const fall = plot(course, { x: [0, steps], y: [0, 0.85], ticks: [[0, 500, 1000, 1500].filter((t) => t <= steps), [0, 0.4, 0.8]], labels: ["training step", "cost J (nats)"], height: 0.2 });
    const history = fall.add("path", { class: "curve cost" });
    const now = fall.addAbove("circle", { class: "dot model", r: 6, "aria-hidden": "true" });

    // Lines of the grid through the corners and between them.
    const mesh = range(7).flatMap((i) => {
      const at = -0.25 + i * 0.25;
      const along = range(31).map((k) => -0.25 + k * 0.05);
      return [along.map((s) => [s, at]), along.map((s) => [at, s])];
    });

    function begin(first, second) {
      nets = [{ W1: first, b1: [0, 0], W2: second, b2: 0 }];
      while (nets.length <= steps) nets.push(learn(nets[nets.length - 1], rate));
      costs = nets.map((net) => sum(CORNERS.map((corner, i) => loss(logit(net, hidden(net, corner)), ON[i]))) / 4);
    }
    const given = (button) => [button.dataset.first, button.dataset.second].map((list) => list.split(" ").map(Number));
    const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

    function draw() {
      const { t } = chosen.get();
      const net = nets[t];
      const places = CORNERS.map((corner) => hidden(net, corner));
      const z = places.map((a) => logit(net, a));

      switches.fit();
      set(shadeIn, { d: ground(switches, WIDE, (x, y) => logit(net, hidden(net, [x, y]))) });
      set(gridIn, { d: mesh.map((line) => switches.line(line)).join("") });
      set(lines, { d: [0, 1].map((j) => switches.line(across(WIDE, net.W1[j], net.W1[2 + j], net.b1[j]))).join("") });
      marks(corners, switches, CORNERS);

      units.fit();
      set(shadeOut, { d: ground(units, [-1.25, 1.25], (x, y) => logit(net, [x, y])) });
      set(gridOut, { d: mesh.map((line) => units.line(line.map((place) => hidden(net, place)))).join("") });
      set(tracks, { d: CORNERS.map((corner) => units.line(range(t / 10 + 1).map((i) => hidden(nets[10 * i], corner)))).join("") });
      set(border, { d: units.line(across([-1.25, 1.25], net.W2[0], net.W2[1], net.b2)) });
      marks(images, units, places);

      fall.fit();
      set(history, { d: fall.line(costs.filter((_, i) => i % 10 === 0).map((cost, i) => [10 * i, cost])) });
      set(now, { cx: fall.x(t), cy: fall.y(costs[t]) });

      const right = z.filter((one, i) => (one > 0) === (ON[i] === 1)).length;
      const told = places.map((a, i) => `${CORNERS[i].join("")} at (${a.map((one) => fixed(one, 2)).join(", ")})`).join(", ");
      set(input, { "aria-label": `The plane of the switches: the network is right at ${right} of the 4 corners.` });
      set(plane, { "aria-label": `The plane of the hidden units: ${told}.` });
      set(course, { "aria-label": `The cost falls from ${costs[0].toFixed(2)} at the start to ${costs[steps].toFixed(2)} after ${steps} steps.` });
      show(box, {
        t: String(t), cost: `${costs[t].toFixed(4)} nats`,
        probabilities: z.map((one) => sigmoid(one).toFixed(2)).join(", "),
        remark: right === 4 ? "All four corners are right: one line divides them on the right." : `${right} of 4 corners are right.`
          + (costs[steps] > 0.3 && t === steps ? " This start is stuck." : ""),
      });
    }

    buttons(box, {
      play: run.play,
      start: (button) => { run.pause(); begin(...given(button)); chosen.set({ t: 0 }); },
      random: () => { run.pause(); begin(range(4).map(() => normal() / Math.SQRT2), range(2).map(() => normal() / Math.SQRT2)); chosen.set({ t: 0 }); },
    }, draw);
    begin(...given(box.querySelector('[data-do="start"]')));
    chosen.set();
    return draw;
  }

  figure("representation", representation);
})();
