// Says what JupyterLite itself does not: that Python cannot be loaded, and that a newer version of a set was published.
(() => {
  "use strict";
  const python = document.currentScript.dataset.python;
  const path = new URLSearchParams(location.search).get("path") ?? "";

  function say(text) {
    const notice = document.createElement("div");
    notice.className = "course-notice";
    notice.setAttribute("role", "alert");
    notice.style.cssText =
      "position: fixed; inset: auto 0 0 0; z-index: 2000; display: flex; gap: 1em; align-items: start; padding: .75em 1em;" +
      "font: 15px/1.4 system-ui, sans-serif; color: #000; background: #ffe9b8; border-top: 2px solid #8a5a00";
    const close = document.createElement("button");
    close.textContent = "Close";
    close.addEventListener("click", () => notice.remove());
    notice.append(Object.assign(document.createElement("span"), { textContent: text, style: "flex: 1" }), close);
    document.body.append(notice);
  }

  // Without this, a network that blocks Python's host shows a kernel that starts for ever.
  async function lookForPython() {
    try {
      const answer = await fetch(python, { signal: AbortSignal.timeout(30_000) });
      if (answer.ok) return;
    } catch {
      // blocked, offline, or too slow
    }
    say(
      `Python cannot be loaded from ${new URL(python).host}, so no cell will run. The network may block that address, or be ` +
        "down: reload this page on another network, or choose File > Download and open the notebook in Jupyter on your computer.",
    );
  }

  // The copy that the browser keeps, or null: JupyterLite stores one once a notebook has been saved.
  async function savedCopy() {
    const name = `JupyterLite Storage - ${new URL("..", location.href).pathname}`;
    const known = (await indexedDB.databases?.()) ?? [];
    if (!known.some((database) => database.name === name)) return null; // opening it would create it
    const database = await new Promise((done, fail) => {
      const request = indexedDB.open(name);
      request.onsuccess = () => done(request.result);
      request.onerror = fail;
    });
    try {
      if (!database.objectStoreNames.contains("files")) return null;
      return await new Promise((done, fail) => {
        const request = database.transaction("files").objectStore("files").get(path);
        request.onsuccess = () => done(request.result ?? null);
        request.onerror = fail;
      });
    } finally {
      database.close();
    }
  }

  async function compareVersions() {
    const published = await fetch(new URL(`../files/${path}`, location.href));
    const saved = await savedCopy();
    if (!published.ok || saved === null) return;
    const version = (notebook) => notebook?.metadata?.autograder?.version;
    const [old, now] = [version(saved.content), version(await published.json())];
    if (now && old !== now) {
      say(
        `A newer version of ${path} has been published since you began. Yours is still good to hand in. To begin again with the ` +
          "new one, download your copy, delete it from the list of notebooks, and open the set again.",
      );
    }
  }

  if (python) lookForPython();
  if (path) compareVersions().catch(() => {}); // a browser that keeps nothing has no copy to compare
})();
