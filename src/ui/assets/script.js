// All that a page can do without this it does without this. Here are: copying and saving, names that fill themselves, and live parts.
"use strict";

const announce = (text) => {
  document.getElementById("announcer").textContent = text;
};

const textOf = (id) => document.getElementById(id)?.textContent ?? "";

for (const button of document.querySelectorAll("[data-copy]")) {
  // A browser has a clipboard for pages only under TLS, or of its own machine.
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(textOf(button.dataset.copy));
    announce("Copied.");
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = before), 2000);
  });
}

for (const button of document.querySelectorAll("[data-save]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([textOf(button.dataset.save)], { type: "text/plain" }));
    link.download = button.dataset.name;
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

// A technical id made of a name, until somebody writes one.
for (const target of document.querySelectorAll("[data-from]")) {
  const source = document.getElementById(target.dataset.from);
  let own = target.value !== "";
  target.addEventListener("input", () => (own = target.value !== ""));
  source?.addEventListener("input", () => {
    if (own) return;
    const plain = source.value.normalize("NFKD").replace(/[\u0300-\u036f]/g, "");
    target.value = plain.toLowerCase().replace(/[^0-9a-z]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 63);
  });
}

// One menu is open at a time, and Escape closes it.
const menus = () => document.querySelectorAll("details.menu[open]");
document.addEventListener("click", (event) => {
  for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// What has changed on the server is asked for again; whatever somebody has in hand stays.
const refresh = async () => {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (answer.redirected) return location.reload();
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  let changed = false;
  for (const part of document.querySelectorAll("[data-live][id]")) {
    const next = fresh.getElementById(part.id);
    const busy = part.contains(document.activeElement) || part.querySelector("details[open]");
    if (!next || busy || next.innerHTML === part.innerHTML) continue;
    part.innerHTML = next.innerHTML;
    changed = true;
  }
  if (changed) announce("The page was brought up to date.");
};

// A browser has six connections for a site, and each open page would keep one: only the one that is looked at listens.
const events = document.body.dataset.events;
if (events && document.querySelector("[data-live]")) {
  const GAP = 2000;
  let source = null;
  let waiting = null;
  let last = Date.now();
  const soon = () => {
    waiting ??= setTimeout(() => {
      waiting = null;
      last = Date.now();
      refresh().catch(() => {});
    }, Math.max(300, last + GAP - Date.now()));
  };
  // The first event says how things stand now, which a page that was just made knows.
  const listen = (known) => {
    source = new EventSource(events);
    source.addEventListener("zones", () => {
      if (known) known = false;
      else soon();
    });
  };
  document.addEventListener("visibilitychange", () => {
    source?.close();
    source = null;
    if (!document.hidden) listen(false);
  });
  if (!document.hidden) listen(true);
}
