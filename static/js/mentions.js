/**
 * Mentions: typing @ in a long text opens a list of members. On the screen a mention is "@Ann Lee"; what is sent and
 * stored is "@[Ann Lee](member:<id>)", which is put in place of it when the form's data is read.
 */

import { $$, on } from "./dom.js";

const FIELDS = "textarea[data-mentions], [data-composer-body] textarea";
const STORED = /@\[([^[\]\n]{1,120})\]\(member:([0-9a-f-]{36})\)/gi;
const TYPED = /(^|[\s([{"'])@([^\s@[\]()]*(?: [^\s@[\]()]*)?)$/u;
const PAUSE = 120;
const known = new WeakMap();
let list = null;
let field = null;
let waiting = 0;
let asked = 0;

const namesOf = (area) => {
  if (!known.has(area)) known.set(area, new Map());
  return known.get(area);
};

/** Show stored mentions as people read them, and remember whom they mean; a name of two stays as it is stored. */
export const show = (area) => {
  const names = namesOf(area);
  const text = area.value.replace(STORED, (stored, name, id) => {
    if (names.has(name) && names.get(name) !== id) return stored;
    names.set(name, id);
    return `@${name}`;
  });
  if (text !== area.value) area.value = text;
};

const stored = (area) => {
  const names = [...namesOf(area)].sort(([one], [other]) => other.length - one.length);
  let text = area.value;
  for (const [name, id] of names) {
    const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    text = text.replace(new RegExp(`@${escaped}(?![\\p{L}\\p{N}])`, "gu"), () => `@[${name}](member:${id})`);
  }
  return text;
};

/** A field is a combobox from the first list on until it is left: so it says that the list has gone. */
const close = (left = false) => {
  clearTimeout(waiting);
  asked += 1;
  list?.remove();
  list = null;
  const gone = left ? ["role", "aria-expanded", "aria-haspopup", "aria-autocomplete"] : [];
  for (const name of ["aria-controls", "aria-activedescendant", ...gone]) field?.removeAttribute(name);
  if (left) field = null;
  else field?.setAttribute("aria-expanded", "false");
};

const options = () => (list ? $$("[role=option]:not([aria-disabled=true])", list) : []);
const current = () => options().find((one) => one.getAttribute("aria-selected") === "true");

const mark = (option) => {
  options().forEach((one) => one.setAttribute("aria-selected", String(one === option)));
  if (!option) return;
  field.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
};

const open = (area, content) => {
  if (!list) {
    list = document.createElement("ul");
    list.className = "mention-list combobox-list";
    list.id = "mention-list";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "@");
    area.after(list);
  }
  field = area;
  list.innerHTML = content;
  area.setAttribute("role", "combobox");
  area.setAttribute("aria-expanded", "true");
  area.setAttribute("aria-controls", list.id);
  area.setAttribute("aria-haspopup", "listbox");
  area.setAttribute("aria-autocomplete", "list");
  mark(options()[0]);
};

const typed = (area) => TYPED.exec(area.value.slice(0, area.selectionStart));

const ask = async (area) => {
  const now = typed(area);
  if (!now) return close();
  const mine = ++asked;
  const base = area.dataset.mentions || area.closest("[data-mentions]")?.dataset.mentions || "/mentions/";
  const address = new URL(base, location.href);
  address.searchParams.set("q", now[2].trim());
  try {
    const answer = await fetch(address, { headers: { "HX-Request": "true" } });
    if (!answer.ok || mine !== asked || document.activeElement !== area) return undefined;
    const content = await answer.text();
    if (mine !== asked) return undefined;
    open(area, content);
    if (!options().length && now[2].includes(" ")) close();
  } catch {
    close();
  }
  return undefined;
};

const take = (option) => {
  const area = field;
  const now = typed(area);
  const { value: id, label: name } = option.dataset;
  close();
  if (!now) return;
  const names = namesOf(area);
  const taken = names.has(name) && names.get(name) !== id;
  if (!taken) names.set(name, id);
  const end = area.selectionStart;
  const start = end - now[2].length - 1;
  area.focus();
  area.setRangeText(`${taken ? `@[${name}](member:${id})` : `@${name}`} `, start, end, "end");
  area.dispatchEvent(new Event("input", { bubbles: true }));
};

on("input", FIELDS, (event, area) => {
  clearTimeout(waiting);
  if (!typed(area)) return close();
  waiting = setTimeout(() => ask(area), PAUSE);
  return undefined;
});

document.addEventListener(
  "keydown",
  (event) => {
    if (!list || event.target !== field || event.isComposing) return;
    const all = options();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && all.length) mark(all[(all.indexOf(current()) + step + all.length) % all.length]);
    else if ((event.key === "Enter" || event.key === "Tab") && current() && !event.ctrlKey && !event.metaKey) take(current());
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  },
  true,
);

on("pointerdown", ".mention-list", (event) => event.preventDefault());
on("click", ".mention-list [role=option]", (event, option) => {
  if (option.getAttribute("aria-disabled") !== "true") take(option);
});
on("focusout", FIELDS, () => close(true));
on("focusin", FIELDS, (event, area) => show(area));

document.addEventListener("formdata", (event) => {
  for (const area of $$(FIELDS, event.target)) {
    if (!area.name || !known.has(area)) continue;
    if (event.formData.getAll(area.name).length === 1) event.formData.set(area.name, stored(area));
  }
});
