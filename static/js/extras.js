/** Small behaviours by attribute: copying, asking before a form is sent and sending it once, narrowing a list. */

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

const ask = (question, danger) =>
  new Promise((resolve) => {
    const dialog = $("#confirm");
    $("[data-confirm-text]", dialog).textContent = question;
    $("[data-confirm-yes]", dialog).classList.toggle("btn-danger-fill", danger);
    $("[data-confirm-yes]", dialog).classList.toggle("btn-primary", !danger);
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });

const agreed = new WeakSet();
document.addEventListener(
  "submit",
  async (event) => {
    const form = event.target;
    const source = event.submitter?.dataset.confirm ? event.submitter : form;
    if (!source.dataset.confirm || !$("#confirm") || agreed.delete(form)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const { submitter } = event;
    const danger = submitter?.matches(".btn-danger, .btn-danger-fill, .menu-item-danger") ?? false;
    if (!(await ask(source.dataset.confirm, danger))) return;
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

on("input", "[data-filter]", (event, input) => {
  const root = input.closest("[data-filterable]");
  const words = input.value.trim().toLocaleLowerCase();
  let any = false;
  for (const group of $$("[data-filter-group]", root)) {
    let inGroup = false;
    for (const item of $$("[data-filter-item]", group)) {
      item.hidden = Boolean(words) && !item.dataset.filterItem.toLocaleLowerCase().includes(words);
      inGroup ||= !item.hidden;
    }
    group.hidden = !inGroup;
    any ||= inGroup;
  }
  const empty = $("[data-filter-empty]", root);
  if (empty) empty.hidden = any;
});

on("keydown", "[data-filter]", (event, input) => {
  if (event.key !== "Enter") return;
  const first = $$("[data-filter-item]", input.closest("[data-filterable]")).find((item) => item.checkVisibility());
  if (first) {
    event.preventDefault();
    first.click();
  }
});

$(".settings-nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
