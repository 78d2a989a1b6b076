/* Huffman's joinings for blocks of days with fog (F) or clear sky (c). Ties are broken as in the chapter's code. */
(function () {
  "use strict";

  const { sum, range, show, buttons, sliders, player, set, element, figure } = interactive;

  const ROW = 27;

  // All blocks, F before c, with their probabilities; products are taken from the left, as NumPy takes them.
  function blocks(days, p) {
    let list = [{ name: "", weight: 1 }];
    for (const _ of range(days)) list = list.flatMap(({ name, weight }) => [["F", p], ["c", 1 - p]].map(([sky, chance]) => ({ name: name + sky, weight: weight * chance })));
    return list;
  }

  function earlier(one, other) {
    if (one.weight !== other.weight) return one.weight - other.weight;
    for (const i of range(Math.min(one.of.length, other.of.length))) if (one.of[i] !== other.of[i]) return one.of[i] - other.of[i];
    return one.of.length - other.of.length;
  }

  // The leaves, and the joinings in their order; the less likely branch has the digit 1.
  function joinings(weights) {
    const leaves = weights.map((weight, i) => ({ weight, of: [i] }));
    const steps = [];
    let heap = [...leaves];
    while (heap.length > 1) {
      const [left, right, ...rest] = heap.sort(earlier);
      steps.push({ weight: left.weight + right.weight, of: [...left.of, ...right.of], left, right });
      heap = [...rest, steps[steps.length - 1]];
    }
    return { leaves, steps };
  }

  function huffman(box) {
    const chosen = sliders(box, draw);
    const run = player(box, draw, { every: 900 });
    const drawing = box.querySelector("svg");
    const days = Number(box.dataset.days);

    function draw() {
      const { p, t } = chosen.get();
      const outcomes = blocks(days, p);
      const { leaves, steps } = joinings(outcomes.map(({ weight }) => weight));
      const codes = (done) => {
        const code = outcomes.map(() => "");
        for (const { left, right } of done) {
          for (const i of left.of) code[i] = `1${code[i]}`;
          for (const i of right.of) code[i] = `0${code[i]}`;
        }
        return code;
      };
      const [whole, known] = [codes(steps), codes(steps.slice(0, t))];
      const order = range(outcomes.length).sort((i, j) => (whole[i] < whole[j] ? -1 : 1));

      // A node stands as far to the right as its codeword is long, and a joining halfway between its branches.
      const depth = new Map([[steps[steps.length - 1], 0]]);
      for (const step of [...steps].reverse()) for (const part of [step.left, step.right]) depth.set(part, depth.get(step) + 1);
      const letters = Math.max(...whole.map((code) => code.length));
      const width = drawing.clientWidth || 480;
      const room = { left: 46, right: 96 + 9 * letters };
      const at = new Map(leaves.map((leaf, i) => [leaf, { y: ROW * (order.indexOf(i) + 0.65) }]));
      for (const step of steps) at.set(step, { y: (at.get(step.left).y + at.get(step.right).y) / 2 });
      for (const [node, place] of at) place.x = room.left + (width - room.left - room.right) * depth.get(node) / letters;

      const height = ROW * outcomes.length + 8;
      set(drawing, { viewBox: `0 0 ${width} ${height}`, height });
      drawing.replaceChildren();
      const text = (content, attributes) => { element("text", attributes, drawing).textContent = content; };
      const free = new Set(leaves);
      steps.slice(0, t).forEach((step, n) => {
        const here = at.get(step);
        for (const [branch, digit] of [[step.right, "0"], [step.left, "1"]]) {
          const { x, y } = at.get(branch);
          element("path", { d: `M${here.x} ${here.y}V${y}H${x}`, class: n === t - 1 ? "branch latest" : "branch" }, drawing);
          text(digit, { x: (here.x + x) / 2, y: y - 4, class: "digit" });
          free.delete(branch);
        }
        free.add(step);
      });
      const next = t < steps.length ? [steps[t].left, steps[t].right] : [];
      for (const node of free) {
        const { x, y } = at.get(node);
        const marked = next.includes(node);
        element("circle", { cx: x, cy: y, r: marked ? 6 : 3, class: marked ? "next" : "root" }, drawing);
        if (node.left) text(node.weight.toFixed(3), { x: x - 9, y: y + 4, "text-anchor": "end", class: marked ? "weight marked" : "weight" });
      }
      leaves.forEach((leaf, i) => {
        const { x, y } = at.get(leaf);
        text(`${outcomes[i].name} ${leaf.weight.toFixed(3)}`, { x: x + 11, y: y + 5, "text-anchor": "start", class: next.includes(leaf) ? "leaf marked" : "leaf" });
        text(known[i], { x: width - 4, y: y + 5, "text-anchor": "end", class: "codeword" });
      });

      const name = (node) => node.of.map((i) => outcomes[i].name).join(" + ");
      const last = t ? steps[t - 1] : null;
      set(drawing, { "aria-label": `${t} of ${steps.length} joinings. Codewords so far: ${order.map((i) => `${outcomes[i].name} ${known[i] || "none"}`).join(", ")}.` });
      show(box, {
        p: p.toFixed(2), t: String(t),
        length: (sum(outcomes.map(({ weight }, i) => weight * whole[i].length)) / days).toFixed(3),
        entropy: `${(-p * Math.log2(p) - (1 - p) * Math.log2(1 - p)).toFixed(3)} bits`,
        remark: !last ? "Nothing is joined yet. The ringed blocks come first."
          : `Joined ${name(last.left)} (${last.left.weight.toFixed(3)}) and ${name(last.right)} (${last.right.weight.toFixed(3)}) into ${last.weight.toFixed(3)}.`
            + (t === steps.length ? " Every block has its codeword." : ""),
      });
      box.querySelector('[data-do="next"]').setAttribute("aria-disabled", t === steps.length);
    }

    buttons(box, { next: () => run.step(1), play: run.play, restart: () => { run.pause(); chosen.set(); } }, draw);
    chosen.set();
    return draw;
  }

  figure("huffman", huffman);
})();
