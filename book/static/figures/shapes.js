/* Two shapes, aligned at their last axis. */
(function () {
  "use strict";

  const { range, show, buttons, element, set, figure } = interactive;

  const MOST_AXES = 6;
  const MOST_CELLS = 8; // on an axis of the drawing
  const CELL = 30;

  // "2, 3" or "(2, 3)" as numbers, or null. As in Python, one length may have a comma behind it.
  function read(text) {
    const inside = text.trim().replace(/^[(\[](.*)[)\]]$/, "$1").trim();
    if (inside === "") return [];
    const lengths = inside.replace(/,\s*$/, "").split(",").map((part) => part.trim());
    return lengths.every((length) => /^\d{1,9}$/.test(length)) && lengths.length <= MOST_AXES ? lengths.map(Number) : null;
  }

  const written = (shape) => `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
  const short = (shape) => `(${shape.join(",")}${shape.length === 1 ? "," : ""})`;
  const filled = (shape, axes) => [...Array(axes - shape.length).fill(1), ...shape];

  // What two lengths of an axis give: the common one, or that which is not 1; NaN if they do not fit.
  const together = (m, n) => (m === n || n === 1 ? m : m === 1 ? n : NaN);

  function shapes(box) {
    const [first, second] = box.querySelectorAll("[data-shape]");
    const table = box.querySelector("table");
    const drawing = box.querySelector("svg");

    function row(head, lengths, describe) {
      const line = table.insertRow();
      const name = document.createElement("th");
      name.scope = "row";
      name.innerHTML = head; // our own words
      line.append(name);
      lengths.forEach((length, axis) => {
        const cell = line.insertCell();
        const { text, kind } = describe(length, axis);
        cell.textContent = text;
        cell.className = kind;
      });
    }

    // Cells in memory are solid, those read again dashed.
    function cells(at, top, shape, real, kind) {
      const [rows, columns] = filled(shape, 2);
      const [solid, wide] = filled(real, 2);
      for (const i of range(rows)) {
        for (const j of range(columns)) {
          element("rect", { x: at + j * CELL + 1, y: top + i * CELL + 1, width: CELL - 4, height: CELL - 4, class: i < solid && j < wide ? kind : "again" }, drawing);
        }
      }
      element("text", { x: at + columns * CELL / 2, y: top - 8 }, drawing).textContent = written(real);
      return at + columns * CELL;
    }

    function draw() {
      const [a, b] = [read(first.value), read(second.value)];
      for (const [input, shape] of [[first, a], [second, b]]) input.setAttribute("aria-invalid", shape === null);
      table.replaceChildren();
      drawing.replaceChildren();
      drawing.style.display = "none";
      if (!a || !b) {
        show(box, { verdict: "A shape is a list of whole numbers, such as 2, 3.", remark: "" });
        return;
      }
      const axes = Math.max(a.length, b.length);
      const result = range(axes).map((axis) => together(filled(a, axes)[axis], filled(b, axes)[axis]));
      const fits = !result.some(Number.isNaN);
      if (axes) {
        const kinds = (shape) => (length, axis) => ({ text: length, kind: axis < axes - shape.length ? "added" : length === 1 && result[axis] !== 1 ? "stretched" : "" });
        row("axis", range(axes).map((axis) => axis - axes), (axis) => ({ text: `−${-axis}`, kind: "head" }));
        row("<i>a</i>", filled(a, axes), kinds(a));
        row("<i>b</i>", filled(b, axes), kinds(b));
        row("result", result, (length) => (Number.isNaN(length) ? { text: "✗", kind: "clash" } : { text: length, kind: "fits" }));
      }
      const clash = result.findLastIndex(Number.isNaN);
      const size = result.reduce((product, length) => product * length, 1);
      show(box, {
        verdict: fits ? `${written(a)} and ${written(b)} give ${written(result)}, ${size.toLocaleString("en").replaceAll(",", " ")} ${size === 1 ? "number" : "numbers"}.`
          : `ValueError: operands could not be broadcast together with shapes ${short(a)} ${short(b)}`,
        remark: !fits ? `On axis −${axes - clash}, ${filled(a, axes)[clash]} meets ${filled(b, axes)[clash]}, and neither is 1.`
          : a.length !== b.length && axes ? "Lengths in italics are the ones that the rule adds on the left." : "",
      });
      const small = (shape) => shape.length <= 2 && shape.every((length) => length > 0 && length <= MOST_CELLS);
      if (!small(a) || !small(b)) return;
      const [down, wide] = fits ? filled(result, 2) : [Math.max(filled(a, 2)[0], filled(b, 2)[0]), 0];
      const gap = 34;
      const sign = (text, x) => { element("text", { x, y: 26 + down * CELL / 2 + 6, class: "sign" }, drawing).textContent = text; };
      let at = 4;
      at = cells(at, 26, fits ? result : a, a, "one");
      sign("+", at + gap / 2);
      at = cells(at + gap, 26, fits ? result : b, b, "two");
      if (fits) {
        sign("=", at + gap / 2);
        at = cells(at + gap, 26, result, result, "three");
      }
      const extent = [at + 6, 30 + down * CELL];
      if (extent[0] > 1.15 * (box.clientWidth || 480)) { drawing.replaceChildren(); return; } // too small to read
      set(drawing, { viewBox: `0 0 ${extent.join(" ")}`, width: extent[0], height: extent[1],
        "aria-label": fits ? `${written(a)} and ${written(b)} as cells: ${down} by ${wide} in the result.` : `${written(a)} and ${written(b)} as cells, which do not fit.` });
      drawing.style.display = "";
    }

    const put = (a, b) => { first.value = a; second.value = b; };
    const change = (how) => { const b = read(second.value); if (b && b.length < MOST_AXES) second.value = how(b).join(", "); };
    buttons(box, {
      column: () => change((b) => [...b, 1]),
      row: () => change((b) => [1, ...b]),
      swap: () => put(second.value, first.value),
      pair: (button) => put(button.dataset.first, button.dataset.second),
      restart: () => put(first.defaultValue, second.defaultValue),
    }, draw);
    for (const input of [first, second]) input.addEventListener("input", draw);
    put(first.defaultValue, second.defaultValue);
    return draw;
  }

  figure("shapes", shapes);
})();
