/** Small behaviours by attribute: copying, asking before a form is sent and sending it once, narrowing a list. */

import { ask } from "./confirm.js";
import { $, $$, on } from "./dom.js";
import { show } from "./toast.js";

on("click", "[data-copy]", async (event, button) => {
  const source = $(button.dataset.copy);
  if (!source) return;
  const text = "value" in source ? source.value : source.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const range = document.createRange();
    range.selectNodeContents(source);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    source.select?.();
    document.execCommand("copy");
  }
  show({ message: document.body.dataset.copied, kind: "success" });
});

const agreed = new WeakSet();
document.addEventListener(
  "submit",
  async (event) => {
    const form = event.target;
    /* What has a field "ask" would be asked by a page in between where this script is not there yet. */
    const asking = $("input[name=ask]", form);
    const question = event.submitter?.dataset.confirm || form.dataset.confirm || asking?.value;
    if (!question || !$("#confirm") || agreed.delete(form)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const { submitter } = event;
    const danger = submitter?.matches(".btn-danger, .btn-danger-fill, .menu-item-danger") ?? false;
    if (!(await ask(question, { danger }))) return;
    if (asking) asking.disabled = true;
    agreed.add(form);
    form.requestSubmit(submitter);
  },
  true,
);

/* A form that is on its way is not sent again: a double click on Create makes one record. */
const SENT_FOR = 10000;
const sending = new Map();
const sent = (form) => {
  clearTimeout(sending.get(form));
  sending.delete(form);
};
const isPost = (form) => form instanceof HTMLFormElement && form.method === "post";
const send = (form) => {
  if (isPost(form)) sending.set(form, setTimeout(() => sent(form), SENT_FOR));
};
document.addEventListener(
  "submit",
  (event) => {
    if (!sending.has(event.target)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  },
  true,
);
window.addEventListener("submit", (event) => {
  if (!event.defaultPrevented) send(event.target);
});
document.addEventListener("htmx:beforeRequest", (event) => {
  if (!event.defaultPrevented) send(event.detail.elt);
});
document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.detail.elt;
  if (!event.detail.xhr?.getResponseHeader("HX-Redirect")) sent(form);
});
window.addEventListener("pageshow", () => [...sending.keys()].forEach(sent));

// Without case, accents and signs that one does not type, as the server compares (crm/workspace/text/folding.py): in bare
// letters, and spelled without umlauts.
const LETTERS = { ł: "l", ø: "o", đ: "d", ð: "d", ı: "i", ħ: "h", ŋ: "n", ŧ: "t", œ: "oe", æ: "ae", þ: "th", ß: "ss" };
const SPELLED = { ä: "ae", ö: "oe", ü: "ue", å: "aa", ø: "oe" };
const folded = (text) =>
  text
    .normalize("NFKD")
    .replace(/[\p{M}\p{Cf}]/gu, "")
    .toLowerCase()
    .replace(/[łøđðıħŋŧœæþß]/g, (letter) => LETTERS[letter])
    .replace(/[‘’‛ʹʻʼʽ′]/g, "'")
    .replace(/[‐‑‒–−]/g, "-");
const spelled = (text) => folded(text.normalize("NFC").toLowerCase().replace(/[äöüåø]/g, (letter) => SPELLED[letter]));

on("input", "[data-filter]", (event, input) => {
  const root = input.closest("[data-filterable]");
  const words = input.value.split(/\s+/).filter((word) => folded(word)).map((word) => [folded(word), spelled(word)]);
  let any = false;
  for (const group of $$("[data-filter-group]", root)) {
    let inGroup = false;
    for (const item of $$("[data-filter-item]", group)) {
      const known = [folded(item.dataset.filterItem), spelled(item.dataset.filterItem)];
      item.hidden = words.length ? !words.every(([bare, other]) => known[0].includes(bare) || known[1].includes(other)) : "filterFound" in item.dataset;
      inGroup ||= !item.hidden;
    }
    group.hidden = !inGroup;
    any ||= inGroup;
  }
  const empty = $("[data-filter-empty]", root);
  if (empty) empty.hidden = any;
});

const shownItems = (root) => $$("[data-filter-item]", root).filter((item) => item.checkVisibility());

on("keydown", "[data-filter]", (event, input) => {
  const [first] = shownItems(input.closest("[data-filterable]"));
  if (event.key === "Enter" && first && input.value.trim()) {
    event.preventDefault();
    first.click();
  } else if (event.key === "ArrowDown" && first) {
    event.preventDefault();
    first.focus();
  }
});

on("keydown", "[data-filter-item]", (event, item) => {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const root = item.closest("[data-filterable]");
  const all = shownItems(root);
  const next = all.indexOf(item) + (event.key === "ArrowDown" ? 1 : -1);
  event.preventDefault();
  (next < 0 ? $("[data-filter]", root) : all[Math.min(next, all.length - 1)]).focus();
});

$(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

/* Conditions come anew from the server when a field or an operator is chosen: what was typed meanwhile is kept. */
const typedAt = new WeakMap();
const sentAt = new WeakMap();
let typed = [];
on("input", ".filter-row input", (event, input) => typedAt.set(input, performance.now()));
document.addEventListener("htmx:beforeSend", (event) => sentAt.set(event.detail.xhr, performance.now()));
document.addEventListener("htmx:beforeSwap", (event) => {
  const since = sentAt.get(event.detail.xhr) ?? Infinity;
  typed = $$(".filter-row input", event.detail.target)
    .filter((input) => typedAt.get(input) > since)
    .map((input) => ({
      name: input.name,
      place: [...document.getElementsByName(input.name)].indexOf(input),
      value: input.value,
      focused: input === document.activeElement,
    }));
});
document.addEventListener("htmx:afterSwap", () => {
  for (const { name, place, value, focused } of typed.splice(0)) {
    const input = document.getElementsByName(name)[place];
    if (!input?.matches("input")) continue;
    input.value = value;
    if (focused) input.focus();
  }
});
