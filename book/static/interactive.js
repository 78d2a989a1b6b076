/* What the figures that readers can move have in common: sliders, buttons, drawings with axes, points to drag, a player.
   A script in figures/ sets up each template of book/interactive. extensions/site/interactive_figures.py says why no library.
   These are plain scripts, not modules, which browsers do not load from a folder without a server. */
const interactive = (function () {
  "use strict";

  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
  const clamp = (number, low, high) => Math.min(Math.max(number, low), high);
  const minus = (text) => text.replace("-", "−");
  const general = (number) => minus(String(Number(number.toPrecision(6))));
  const fixed = (number, digits) => minus(Math.abs(number) < 0.5 * 10 ** -digits ? (0).toFixed(digits) : number.toFixed(digits));
  const range = (count) => [...Array(count).keys()];

  function show(box, texts) {
    for (const [name, text] of Object.entries(texts)) {
      box.querySelector(`[data-show="${name}"]`).textContent = text;
    }
  }

  // What a button with data-do does; each draws the figure again.
  function buttons(box, actions, draw) {
    for (const button of box.querySelectorAll("[data-do]")) {
      button.addEventListener("click", () => { actions[button.dataset.do](button); draw(); });
    }
  }

  // Sliders with data-set: their numbers by name. The browser may keep what a reader chose before a reload; we start afresh.
  function sliders(box, draw) {
    const inputs = [...box.querySelectorAll("[data-set]")];
    inputs.forEach((input) => input.addEventListener("input", draw));
    return {
      set: (values) => inputs.forEach((input) => {
        if (!values) input.value = input.defaultValue;
        else if (input.dataset.set in values) input.value = values[input.dataset.set];
      }),
      get: () => Object.fromEntries(inputs.map((input) => [input.dataset.set, Number(input.value)])),
      say: (name, text) => inputs.find((input) => input.dataset.set === name).setAttribute("aria-valuetext", text),
    };
  }

  // Runs the slider of time, data-set="t". While it runs, nothing is announced; a reader who stops it hears where it is.
  function player(box, draw, { every = 350, stride = 1 } = {}) {
    const slider = box.querySelector('[data-set="t"]');
    const button = box.querySelector('[data-do="play"]');
    const said = box.querySelector("output");
    let timer = null;
    function pause() {
      clearInterval(timer);
      timer = null;
      button.textContent = "Play";
      said.removeAttribute("aria-live");
    }
    function step(by) {
      slider.value = Number(slider.value) + by;
      if (Number(slider.value) >= Number(slider.max)) pause();
    }
    function play() {
      if (timer !== null) { pause(); return; }
      if (Number(slider.value) >= Number(slider.max)) slider.value = 0;
      button.textContent = "Pause";
      said.setAttribute("aria-live", "off");
      timer = setInterval(() => { if (box.isConnected) { step(stride); draw(); } else pause(); }, every);
    }
    slider.addEventListener("input", pause);
    return { play, pause, step: (by) => { pause(); step(by); } };
  }

  function set(node, attributes) {
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  }

  function element(name, attributes, parent) {
    const node = set(document.createElementNS("http://www.w3.org/2000/svg", name), attributes);
    if (parent) parent.append(node);
    return node;
  }

  // As many nodes as there are items, from those that are there; each is then given its item's attributes and text.
  function each(parent, name, items, describe) {
    while (parent.children.length > items.length) parent.lastChild.remove();
    while (parent.children.length < items.length) element(name, {}, parent);
    items.forEach((item, place) => {
      const { text, ...attributes } = describe(item, place);
      set(parent.children[place], attributes);
      if (text !== undefined) parent.children[place].textContent = text;
    });
  }

  // A drawing with axes. Its lengths are pixels of the page, so letters have the same size on a telephone and on a desk.
  // `ticks` are the numbers at the axes; `equal` gives both axes the same scale, otherwise `height` is a share of the width.
  let drawings = 0;
  function plot(svg, { x, y, ticks = [[], []], labels = ["", ""], height = 0.6, equal = false }) {
    const edge = { left: ticks[1].length ? 40 : 14, right: 18, top: labels[1] ? 26 : 10, bottom: 14 + (ticks[0].length ? 14 : 0) + (labels[0] ? 18 : 0) };
    const clip = element("clipPath", { id: `drawing-${drawings += 1}` }, svg);
    const window_ = element("rect", {}, clip);
    const frame = element("g", { class: "frame", "aria-hidden": "true" }, svg);
    const inside = element("g", { "clip-path": `url(#drawing-${drawings})`, "aria-hidden": "true" }, svg);
    const above = element("g", {}, svg);
    let width, inner, tall;
    const across = (value) => edge.left + inner * (value - x[0]) / (x[1] - x[0]);
    const up = (value) => edge.top + tall * (y[1] - value) / (y[1] - y[0]);

    function fit() {
      const now = svg.clientWidth || 480;
      if (now === width) return;
      width = now;
      inner = width - edge.left - edge.right;
      tall = equal ? inner * (y[1] - y[0]) / (x[1] - x[0]) : clamp(height * width, 150, 330);
      set(svg, { viewBox: `0 0 ${width} ${tall + edge.top + edge.bottom}`, height: tall + edge.top + edge.bottom });
      set(window_, { x: edge.left, y: edge.top, width: inner, height: tall });
      frame.replaceChildren();
      const label = (text, at) => { element("text", at, frame).textContent = typeof text === "number" ? general(text) : text; };
      for (const value of ticks[0]) {
        element("line", { x1: across(value), x2: across(value), y1: edge.top, y2: edge.top + tall }, frame);
        label(value, { x: across(value), y: edge.top + tall + 16 });
      }
      for (const value of ticks[1]) {
        element("line", { x1: edge.left, x2: edge.left + inner, y1: up(value), y2: up(value) }, frame);
        label(value, { x: edge.left - 7, y: up(value) + 4, "text-anchor": "end" });
      }
      element("path", { d: `M${edge.left} ${edge.top}V${edge.top + tall}H${edge.left + inner}` }, frame);
      label(labels[0], { x: edge.left + inner / 2, y: edge.top + tall + edge.bottom - 5, class: "name" });
      label(labels[1], { x: 2, y: 13, "text-anchor": "start", class: "name" });
    }

    return {
      x: across, y: up, domain: { x, y }, fit,
      // Marks are cut off at the axes, unless they stand above all others.
      add: (name, attributes) => element(name, attributes, inside),
      addAbove: (name, attributes) => element(name, attributes, above),
      // A line through points; far outside, where a browser's drawing would fail, it stays.
      line: (points) => points.map(([u, v], i) => `${i ? "L" : "M"}${clamp(across(u), -1e4, 1e4).toFixed(1)} ${clamp(up(v), -1e4, 1e4).toFixed(1)}`).join(""),
      place(event) {
        const at = svg.getBoundingClientRect();
        return [x[0] + (event.clientX - at.left - edge.left) / inner * (x[1] - x[0]), y[1] - (event.clientY - at.top - edge.top) / tall * (y[1] - y[0])];
      },
    };
  }

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

  // A point to drag, by mouse, finger or arrow keys (with Shift, ten steps at once). `move` receives where it should go; `say`
  // tells where it is. A screen reader knows no role with two directions; as a slider it lets the arrow keys through.
  function handle(drawing, { name, shape = "circle", step, at, move, say, press }) {
    const group = drawing.addAbove("g", { class: `handle ${shape}`, tabindex: 0, role: "slider" });
    const { x, y } = drawing.domain;
    element("circle", { class: "reach", r: 18 }, group);
    element("circle", { class: "knob", r: 9 }, group); // the style sheet shows one of the two
    element("rect", { class: "knob", x: -8, y: -8, width: 16, height: 16 }, group);
    const whole = (value) => Number((Math.round(value / step) * step).toFixed(6));
    const go = (u, v) => move(clamp(whole(u), ...x), clamp(whole(v), ...y));
    let offset = null;
    group.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      const [u, v] = drawing.place(event);
      offset = [at()[0] - u, at()[1] - v];
      group.setPointerCapture(event.pointerId);
      group.focus({ preventScroll: true });
      event.preventDefault();
    });
    group.addEventListener("pointermove", (event) => {
      if (!offset) return;
      const [u, v] = drawing.place(event);
      go(u + offset[0], v + offset[1]);
    });
    for (const end of ["pointerup", "pointercancel"]) group.addEventListener(end, () => { offset = null; });
    group.addEventListener("keydown", (event) => {
      const by = ARROWS[event.key];
      if (by) go(at()[0] + by[0] * step * (event.shiftKey ? 10 : 1), at()[1] + by[1] * step * (event.shiftKey ? 10 : 1));
      else if (press && (event.key === "Enter" || event.key === " ")) press();
      else return;
      event.preventDefault();
    });
    return {
      group,
      draw() {
        const [u, v] = at();
        set(group, { transform: `translate(${drawing.x(u)} ${drawing.y(v)})`, "aria-label": typeof name === "function" ? name() : name,
          "aria-valuemin": x[0], "aria-valuemax": x[1], "aria-valuenow": u, "aria-valuetext": say() });
      },
    };
  }

  // Put the controls of one kind in the place of their still pictures, when the reader comes near. They are drawn before they
  // are shown: if this fails, the picture stays. They are drawn again when they become wider or narrower.
  function figure(kind, setup) {
    for (const box of document.querySelectorAll(`[data-interactive="${kind}"]`)) {
      const frame = box.closest("figure");
      const near = new IntersectionObserver((seen) => {
        if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
        near.disconnect();
        const draw = setup(box);
        draw();
        box.hidden = false;
        frame.classList.add("alive");
        let width = 0;
        new ResizeObserver(() => {
          if (box.clientWidth === width) return;
          width = box.clientWidth;
          draw();
        }).observe(box);
      }, { rootMargin: "100% 0px" });
      near.observe(frame);
    }
  }

  return { sum, clamp, minus, general, fixed, range, show, buttons, sliders, player, set, element, each, plot, handle, figure };
})();
