// What is found on a page, as somebody would find it who looks at it. `page.rs` asks for these by name.
const isSeen = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
const words = (text) => text.replace(/\s+/gu, " ").trim();
const said = (element) => words(element.innerText ?? element.textContent);
const all = (css, text) => [...document.querySelectorAll(css)].filter((element) => isSeen(element) && said(element).includes(text));
const one = (css, text) => all(css, text)[0];

// Where to click; a text says why that is not possible (yet).
const aim = (css, text) => {
  const element = one(css, text);
  if (!element) return "is not to be seen";
  if (element.disabled) return "is disabled";
  element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
  const box = element.getClientRects()[0];
  if (!box) return "has no place";
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const hit = document.elementFromPoint(x, y);
  if (!hit || !(element.contains(hit) || hit.contains(element))) return `is covered by ${hit?.outerHTML.slice(0, 200)}`;
  return { x, y };
};

// Ready for typing, with what it holds selected.
const focus = (css) => {
  const element = one(css, "");
  if (!element) return "is not to be seen";
  if (element.disabled || element.readOnly) return "cannot be written to";
  element.focus();
  element.select?.();
  return null;
};

// As the browser's own pickers do it.
const choose = (css, value) => {
  const element = one(css, "");
  if (!element) return "is not to be seen";
  element.value = value;
  if (element.value !== value) return `does not offer ${value}`;
  for (const name of ["input", "change"]) element.dispatchEvent(new Event(name, { bubbles: true }));
  return null;
};

// A form that the page does not have.
const post = (path, fields) => {
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action: path });
  for (const [name, value] of fields) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(form);
  form.submit();
};

const describe = (element) => element.outerHTML.replace(/\s+/gu, " ").slice(0, 160);

// What the Tab key has to get to. Of a group of radio buttons that is one.
const stops = () => {
  const groups = new Set();
  return [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")].filter((element) => {
    if (!isSeen(element) || element.disabled || element.tabIndex < 0) return false;
    if (element.type !== "radio") return true;
    const group = document.querySelectorAll(`input[type=radio][name="${CSS.escape(element.name)}"]`);
    const chosen = [...group].find((other) => other.checked);
    if (groups.has(element.name) || (chosen && chosen !== element)) return false;
    groups.add(element.name);
    return true;
  });
};

// Notes where the Tab key has come to, and says what is still to come and what cannot be seen to be in focus.
const visit = () => {
  const here = document.activeElement;
  globalThis.visited ??= new Set();
  visited.add(here);
  const style = getComputedStyle(here);
  const isMarked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return {
    left: stops().filter((element) => !visited.has(element)).map(describe),
    unmarked: here === document.body || here === document.documentElement || isMarked ? null : describe(here),
  };
};

// What is wider than the window, innermost first.
const overflow = () => {
  const root = document.scrollingElement;
  if (root.scrollWidth <= innerWidth) return [];
  const wide = [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5);
  return [`${root.scrollWidth} > ${innerWidth}`, ...wide.slice(-5).map(describe)];
};

const axeFindings = async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.html.slice(0, 200)} (${words(node.failureSummary)})`));
};
