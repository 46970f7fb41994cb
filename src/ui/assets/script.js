// All that a page can do without this it does without this. Here are: copying and saving, forms that are sent
// once, names that fill themselves, and live parts.
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

// A link that has the file in itself needs no script. But a browser keeps the address of what was saved, and in that one is the secret.
for (const link of document.querySelectorAll("[data-save]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const file = document.createElement("a");
    file.href = URL.createObjectURL(new Blob([textOf(link.dataset.save)], { type: "text/plain" }));
    file.download = link.download;
    file.click();
    URL.revokeObjectURL(file.href);
  });
}

// A form is sent once, however often its button is clicked. Whoever comes back to the page, or waits for too long, can send it again.
const PATIENCE = 30000;
const sent = new Set();
const lock = (form, isLocked) => {
  for (const button of form.querySelectorAll("button")) button.disabled = isLocked;
};
const release = (form) => {
  sent.delete(form);
  lock(form, false);
};
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (sent.has(form)) return event.preventDefault();
  sent.add(form);
  // Not yet: a button that cannot be pressed is not sent along either.
  setTimeout(() => sent.has(form) && lock(form, true));
  setTimeout(release, PATIENCE, form);
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[method=post]")) release(form);
});

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

// What a part is but for what nobody sees, such as the name of a form, and what it says but for times, which go on by themselves.
const copyOf = (part, css) => {
  const copy = part.cloneNode(true);
  for (const element of copy.querySelectorAll(css)) element.remove();
  return copy;
};
const shapeOf = (part) => copyOf(part, "input[type=hidden]").innerHTML;
const wordsOf = (part) => copyOf(part, "time").textContent;

// What has changed on the server is asked for again; whatever somebody has in hand stays.
const refresh = async () => {
  if (sent.size) return;
  // The header says that nobody has asked: a session that nobody uses is to end.
  const answer = await fetch(location.href, { headers: { accept: "text/html", "x-partner-zones-refresh": "1" } });
  // Signed out, or no longer there: whoever looks is to see that.
  if (answer.redirected || answer.status === 404) return location.reload();
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  let changed = false;
  for (const part of document.querySelectorAll("[data-live][id]")) {
    const next = fresh.getElementById(part.id);
    const busy = part.contains(document.activeElement) || part.querySelector("details[open], button:disabled");
    if (!next || busy || shapeOf(next) === shapeOf(part)) continue;
    changed ||= wordsOf(next) !== wordsOf(part);
    part.innerHTML = next.innerHTML;
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
    // A browser tries again by itself, unless it was refused: signed out, as a rule.
    source.addEventListener("error", (event) => {
      if (event.target.readyState === EventSource.CLOSED) soon();
    });
  };
  document.addEventListener("visibilitychange", () => {
    source?.close();
    source = null;
    if (!document.hidden) listen(false);
  });
  if (!document.hidden) listen(true);
}
