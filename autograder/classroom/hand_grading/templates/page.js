// Points and comments at a key press, each saved at once. Students' words are in the page as text; this script only
// ever sets textContent.
"use strict";

const { question, full: fullText } = document.body.dataset;
const full = Number(fullText);
const articles = [...document.querySelectorAll("article")];
const said = document.getElementById("said");
const comments = document.getElementById("comments");
// One request after another: of two for the same answer, the later must win.
let queue = Promise.resolve();
let pending = 0;
// For each answer, what the gradebook has, and the last message about it.
const recorded = new Map();
const latest = new Map();

const box = (article) => article.querySelector("textarea");
let half = 0;
const current = () => document.activeElement?.closest?.("article") ?? null;

function show(article, note = "") {
  const { points } = article.dataset;
  const state = "waits" in article.dataset ? (points === "" ? "" : `${points} of ${full}, look again`) : `${points} of ${full}`;
  article.querySelector("output").textContent = note || state;
  document.getElementById("left").textContent = articles.filter((other) => "waits" in other.dataset).length;
}

function say(text, bad = false) {
  said.textContent = text;
  said.classList.toggle("error", bad);
}

function go(article) {
  if (!article) return;
  article.focus({ preventScroll: true });
  article.scrollIntoView({ block: "start" });
}

function next(article) {
  const place = articles.indexOf(article);
  const after = [...articles.slice(place + 1), ...articles.slice(0, Math.max(place, 0))];
  const waiting = after.find((other) => "waits" in other.dataset);
  if (waiting) go(waiting);
  else if (article) go(article);
}

function save(article, points) {
  const comment = box(article).value;
  const message = {
    question,
    student: article.dataset.student,
    members: JSON.parse(article.dataset.members),
    digest: article.dataset.digest,
    points: points === "" ? null : Number(points),
    comment,
  };
  latest.set(article, message);
  article.dataset.points = points;
  article.toggleAttribute("data-waits", points === "");
  article.classList.remove("failed");
  show(article);
  remember(comment.trim());
  pending += 1;
  queue = queue.then(async () => {
    try {
      const answer = await fetch("/grade", {
        method: "PUT",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(message),
      });
      const { error } = await answer.json();
      if (error) throw new Error(error);
      article.dataset.saved = comment;
      recorded.set(article, { points, waits: points === "" });
      pending -= 1;
      // What went wrong stays to be read until the next key.
      if (!said.classList.contains("error")) {
        const done = !pending && !articles.some((other) => "waits" in other.dataset);
        say(pending ? "Saving…" : done ? "Saved. All answers have points." : "Saved.");
      }
    } catch (error) {
      pending -= 1;
      if (latest.get(article) === message) {
        // Nothing was recorded, so the answer is again what it was.
        const before = recorded.get(article);
        article.dataset.points = before.points;
        article.toggleAttribute("data-waits", before.waits);
        article.classList.add("failed");
        show(article, "not saved");
      }
      const why = error instanceof TypeError ? "The command that serves this page has ended." : error.message;
      say(`Not saved: ${why}`, true);
    }
  });
}

function remember(comment) {
  const known = [...comments.children].some((entry) => entry.textContent === comment);
  if (!comment || known || comments.children.length >= 9) return;
  const entry = document.createElement("li");
  entry.textContent = comment;
  comments.append(entry);
}

function saveComment(article) {
  if (box(article).value === article.dataset.saved) return;
  // Of an answer that awaits another look, the points given before stay unconfirmed until a key gives them.
  if ("waits" in article.dataset && article.dataset.points !== "") {
    say("The comment is saved with the points.");
    return;
  }
  save(article, article.dataset.points);
}

document.addEventListener("keydown", (event) => {
  const article = current();
  if (event.target instanceof HTMLTextAreaElement) {
    if (event.key === "Escape" || (event.key === "Enter" && (event.ctrlKey || event.metaKey))) {
      event.preventDefault();
      saveComment(article);
      if (event.key === "Enter") next(article);
      else article.focus({ preventScroll: true });
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (said.classList.contains("error")) say("");
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(event.code)?.[1];
  if (event.key === "j" || event.key === "k") {
    const place = articles.indexOf(article) + (event.key === "j" ? 1 : -1);
    go(articles[Math.min(Math.max(place, 0), articles.length - 1)]);
  } else if (event.key === "n") {
    for (const name of document.querySelectorAll(".name")) name.hidden = !name.hidden;
  } else if (!article) {
    return;
  } else if (event.shiftKey && digit) {
    const chosen = comments.children[Number(digit) - 1]?.textContent;
    if (!chosen) return;
    if (!box(article).value.includes(chosen)) box(article).value = [box(article).value.trim(), chosen].filter(Boolean).join("\n");
    saveComment(article);
  } else if (event.key === "c") {
    box(article).focus();
  } else if (event.key === "u") {
    save(article, "");
  } else if (event.key === "h") {
    half = half ? 0 : 0.5;
    say(half ? "Half a point more: now the whole points." : "");
  } else if (event.key === "f" || digit) {
    const points = event.key === "f" ? full : Number(digit) + half;
    half = 0;
    if (points > full) {
      say(`The question has ${full} points.`, true);
      return;
    }
    save(article, String(points));
    next(article);
  } else {
    return;
  }
  event.preventDefault();
});

for (const article of articles) {
  article.dataset.saved = box(article).value;
  recorded.set(article, { points: article.dataset.points, waits: "waits" in article.dataset });
  box(article).addEventListener("blur", () => saveComment(article));
  show(article);
}
go(articles.find((article) => "waits" in article.dataset) ?? articles[0]);
