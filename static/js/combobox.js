/** A field that searches for a record: type, choose with the arrow keys or a click. */

import { $, $$, on } from "./dom.js";

const parts = (box) => ({
  input: $("[role=combobox]", box),
  value: $("[data-combobox-value]", box),
  list: $("[data-combobox-list]", box),
  clear: $("[data-combobox-clear]", box),
});
const choices = (list) => $$("[role=option]:not([aria-disabled=true])", list);

const show = (box, open) => {
  const { input, list } = parts(box);
  list.hidden = !open;
  input.setAttribute("aria-expanded", String(open));
  if (!open) input.removeAttribute("aria-activedescendant");
};

const mark = (box, option) => {
  const { input, list } = parts(box);
  choices(list).forEach((one) => one.setAttribute("aria-selected", String(one === option)));
  if (!option) return;
  input.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
};

const set = (box, id, label) => {
  const { input, value, clear } = parts(box);
  const changed = value.value !== id;
  value.value = id;
  input.value = label;
  box.dataset.label = label;
  if (clear) clear.hidden = !id;
  show(box, false);
  if (changed) value.dispatchEvent(new Event("change", { bubbles: true }));
};

const start = (box) => {
  if (box.dataset.label === undefined) box.dataset.label = parts(box).input.value;
};

on("focusin", "[data-combobox] [role=combobox]", (event, input) => {
  start(input.closest("[data-combobox]"));
  input.select();
});

on("click", "[data-combobox] [role=combobox]", (event, input) => {
  if (input.getAttribute("aria-expanded") !== "true") window.htmx?.trigger(input, "combobox:open");
});

document.addEventListener("htmx:afterSwap", (event) => {
  const list = event.detail.target;
  if (!list?.matches?.("[data-combobox-list]")) return;
  const box = list.closest("[data-combobox]");
  if (!box.contains(document.activeElement)) return;
  show(box, true);
  mark(box, choices(list)[0]);
});

on("keydown", "[data-combobox] [role=combobox]", (event, input) => {
  const box = input.closest("[data-combobox]");
  const { list, value } = parts(box);
  const open = !list.hidden;
  const all = choices(list);
  const now = all.findIndex((one) => one.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (!open) window.htmx?.trigger(input, "combobox:open");
    else mark(box, all[(now + (event.key === "ArrowDown" ? 1 : -1) + all.length) % all.length]);
  } else if (event.key === "Enter" && open) {
    event.preventDefault();
    if (all[now]) set(box, all[now].dataset.value, all[now].dataset.label);
  } else if (event.key === "Enter" && value.form && input.value === box.dataset.label) {
    event.preventDefault();
    value.form.requestSubmit();
  } else if (event.key === "Escape" && open) {
    event.preventDefault();
    event.stopPropagation();
    input.value = box.dataset.label;
    show(box, false);
  } else if (event.key === "Backspace" && input.value.length <= 1 && value.value) {
    set(box, "", "");
  }
});

document.addEventListener("mousedown", (event) => {
  if (event.target instanceof Element && event.target.closest("[data-combobox-list]")) event.preventDefault();
});

on("click", "[data-combobox-list] [role=option]", (event, option) => {
  if (option.getAttribute("aria-disabled") === "true") return;
  set(option.closest("[data-combobox]"), option.dataset.value, option.dataset.label);
});

on("click", "[data-combobox-clear]", (event, button) => {
  const box = button.closest("[data-combobox]");
  set(box, "", "");
  parts(box).input.focus();
});

on("focusout", "[data-combobox]", (event, box) => {
  if (box.contains(event.relatedTarget)) return;
  start(box);
  const { input } = parts(box);
  if (!input.value.trim()) set(box, "", "");
  else input.value = box.dataset.label;
  show(box, false);
});
