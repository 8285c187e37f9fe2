// The page's own script: "Copy" buttons, keys, and what folds on a phone.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const address = button.parentElement.querySelector("a.permalink").href;
  try {
    await navigator.clipboard.writeText(address);
    button.textContent = "Copied";
  } catch {
    window.prompt("Copy this link", address); // pages without https have no clipboard
  }
});

document.addEventListener("click", (event) => {
  const button = event.target.closest(".fold-controls");
  if (button) button.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") !== "true"));
  if (event.target.closest(".show-keys")) showKeys();
});

document.addEventListener("submit", (event) => { // who logs out leaves no searches to the next one
  if (event.target.matches(".login")) localStorage.removeItem("rspnet.searches");
});

// Searches that this browser keeps under a key, each {search: its address, name}; none where it keeps nothing.
window.rspnetKept = (key) => ({
  read() {
    try {
      const found = JSON.parse(localStorage.getItem(key));
      return Array.isArray(found) ? found.filter((each) => typeof each?.search === "string" && typeof each.name === "string") : [];
    } catch { return []; } // no storage, or another's
  },
  write(searches) { // whether they are kept
    try { localStorage.setItem(key, JSON.stringify(searches)); } catch { return false; }
    return true;
  },
});
window.rspnetKept.said = (search) => // an address in words, but for the video
  [...new URLSearchParams(search)].filter(([key]) => key !== "video").map((pair) => pair.join(" ")).join(", ");

// Ticked videos, by id: they stay ticked while pages, searches and tabs change.
window.rspnetTicks = (() => {
  const ticked = new Set();
  let told = ""; // what was ticked when that was last said
  const boxes = (root) => [...root.querySelectorAll("input[data-tick]")];
  const set = (node, name, value) => { if (node[name] !== value) node[name] = value; };
  function show() {
    for (const box of boxes(document)) set(box, "checked", ticked.has(box.dataset.tick));
    const text = ticked.size ? `${ticked.size} ticked` : "Nothing ticked";
    for (const bar of document.querySelectorAll(".ticks-bar")) {
      const shown = [...document.querySelectorAll(bar.dataset.of)].flatMap(boxes);
      const all = bar.querySelector("[data-tick-all]"), on = shown.filter((box) => box.checked).length;
      set(bar.querySelector(".ticked"), "textContent", text);
      set(bar.querySelector("[data-untick]"), "hidden", !ticked.size);
      set(bar, "hidden", !shown.length && !ticked.size);
      set(all, "checked", on > 0 && on === shown.length);
      set(all, "indeterminate", on > 0 && on < shown.length);
      set(all.parentElement, "hidden", !shown.length);
    }
    const now = [...ticked].join(" ");
    if (now === told) return;
    told = now;
    document.dispatchEvent(new Event("rspnet-ticks"));
  }
  function put(box, on) { if (on) ticked.add(box.dataset.tick); else ticked.delete(box.dataset.tick); }
  document.addEventListener("change", ({ target }) => {
    if (target.matches("input[data-tick]")) put(target, target.checked);
    else if (target.matches("input[data-tick-all]")) {
      const { of } = target.closest(".ticks-bar").dataset;
      for (const root of document.querySelectorAll(of)) for (const box of boxes(root)) put(box, target.checked);
    } else return;
    show();
  });
  function clear() { ticked.clear(); show(); }
  document.addEventListener("click", ({ target }) => { if (target.closest("[data-untick]")) clear(); });
  let waits = false;
  new MutationObserver(() => { // a list that is drawn anew comes without its ticks
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => { waits = false; show(); });
  }).observe(document, { childList: true, subtree: true });
  const chosen = (shown) => // the ticked, or all that are shown
    (ticked.size ? [...ticked] : [...document.querySelectorAll(shown)].flatMap(boxes).map((box) => box.dataset.tick)).join(" ");
  const toggle = (ids, on) => { for (const id of ids) if (on ?? !ticked.has(id)) ticked.add(id); else ticked.delete(id); show(); };
  return { ids: () => [...ticked].join(" "), has: (id) => ticked.has(id), toggle, chosen, clear };
})();

const KEYS = [
  ["/", "to the search: choose a video"],
  ["← → ↑ ↓", "from hit to hit; → goes to the first one"],
  ["Enter", "play the hit, or press the button that has the focus"],
  ["Tab", "to the next button or slider"],
  ["Esc", "close this"],
  ["?", "show these keys"],
];

function showKeys() {
  let dialog = document.querySelector("dialog.keys");
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.className = "keys";
    dialog.setAttribute("aria-labelledby", "keys-title");
    const title = Object.assign(document.createElement("h2"), { id: "keys-title", textContent: "Keys" });
    const list = document.createElement("dl");
    for (const [key, meaning] of KEYS) {
      const row = document.createElement("div"), term = document.createElement("dt");
      term.append(Object.assign(document.createElement("kbd"), { textContent: key }));
      row.append(term, Object.assign(document.createElement("dd"), { textContent: meaning }));
      list.append(row);
    }
    const form = Object.assign(document.createElement("form"), { method: "dialog" });
    form.append(Object.assign(document.createElement("button"), { textContent: "Close", autofocus: true }));
    dialog.append(title, list, form);
    document.querySelector(".gradio-container").append(dialog);
  }
  if (!dialog.open) dialog.showModal();
}

const TYPED_INTO = "input, textarea, select, video, [contenteditable=true], [role=grid], [role=listbox], [role=tablist], dialog";

document.addEventListener("keydown", (event) => {
  const target = event.composedPath()[0];
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (target instanceof Element && target.closest(TYPED_INTO)) return;
  if (event.key === "?") showKeys();
  else if (event.key === "/") toSearch();
  else if (!event.key.startsWith("Arrow") || !toHit(event.key, target)) return;
  event.preventDefault();
});

function toSearch() {
  document.querySelector("#tab-search-button")?.click();
  const focus = (tries) => { // a tab that opens takes a frame or two
    const button = document.querySelector("#query-video button");
    if (button?.offsetParent) button.focus();
    else if (tries) requestAnimationFrame(() => focus(tries - 1));
  };
  focus(60);
}

function toHit(key, target) { // says whether there was one to go to
  const cards = [...document.querySelectorAll("#results li.card")].filter((card) => card.offsetParent);
  const now = cards.findIndex((card) => card.contains(target));
  if (!cards.length || (now < 0 && !(key === "ArrowRight" && target === document.body))) return false;
  const columns = cards.filter((card) => card.offsetTop === cards[0].offsetTop).length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
  const next = cards[now < 0 ? 0 : now + step];
  next?.querySelector(".poster, video").focus();
  return true;
}
