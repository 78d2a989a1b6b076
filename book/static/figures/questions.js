/* Find one teacher by questions: what each answer tells, in bits, and that all of them together tell the same. */
(function () {
  "use strict";

  const { range, show, buttons, sliders, set, each, figure } = interactive;

  const COLUMNS = 20;
  const bits = (number) => `${number.toFixed(3)} bits`;

  function questions(box) {
    const chosen = sliders(box, draw);
    const slider = box.querySelector('[data-set="m"]');
    const [dots, rows] = [box.querySelector("svg"), box.querySelector("tbody")];
    const teachers = Number(box.dataset.teachers);
    let drawn, possible, log;

    const halve = () => chosen.set({ m: Math.floor(possible.length / 2) });

    function restart() {
      drawn = Math.floor(Math.random() * teachers);
      possible = range(teachers);
      log = [];
      slider.max = teachers - 1;
      halve();
    }

    function ask() {
      if (possible.length === 1) return;
      const { m } = chosen.get();
      const named = possible.slice(0, m);
      const yes = named.includes(drawn);
      const left = yes ? named : possible.slice(m);
      log.push({ question: `one of these ${m}, of ${possible.length}?`, yes, left: left.length, told: Math.log2(possible.length / left.length) });
      possible = left;
      slider.max = Math.max(1, possible.length - 1);
      halve();
    }

    function draw() {
      const { m } = chosen.get();
      const all = possible.length;
      const done = all === 1;
      const chance = done ? 1 : m / all;
      const [yes, no] = [Math.log2(1 / chance), Math.log2(1 / (1 - chance))];
      const named = new Set(done ? [] : possible.slice(0, m));
      const still = new Set(possible);
      set(dots, { viewBox: `0 0 ${COLUMNS * 22} ${Math.ceil(teachers / COLUMNS) * 22}`,
        "aria-label": done ? `One teacher is left, after ${log.length} questions.` : `${all} teachers are still possible; the question names ${m} of them.` });
      each(dots, "circle", range(teachers), (teacher) => ({
        cx: 11 + 22 * (teacher % COLUMNS), cy: 11 + 22 * Math.floor(teacher / COLUMNS), r: 7,
        class: named.has(teacher) ? "named" : still.has(teacher) ? "possible" : "out",
      }));
      rows.replaceChildren(...log.map((line) => {
        const row = document.createElement("tr");
        for (const text of [line.question, line.yes ? "yes" : "no", String(line.left), bits(line.told)]) row.insertCell().textContent = text;
        return row;
      }));
      const told = Math.log2(teachers / all);
      show(box, {
        m: String(m), left: String(all), told: bits(told),
        yes: done ? "nothing" : bits(yes), no: done ? "nothing" : bits(no), mean: done ? "0.000 bits" : bits(chance * yes + (1 - chance) * no),
        remark: !done ? `${log.length ? `The answer was ${log[log.length - 1].yes ? "yes" : "no"}. ` : ""}${all} are still possible.`
          : `Found with ${log.length} ${log.length === 1 ? "question" : "questions"}. The answers told ${bits(told)}, as they do on every way.`,
      });
      box.querySelector('[data-do="ask"]').setAttribute("aria-disabled", done);
    }

    buttons(box, { ask, half: () => { if (possible.length > 1) halve(); }, one: () => chosen.set({ m: 1 }), restart }, draw);
    restart();
    return draw;
  }

  figure("questions", questions);
})();
