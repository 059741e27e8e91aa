/** Toasts: from the event `toast` {message, kind, undo_url}, and those that came with the page. */

import { $, $$, isVisible, on } from "./dom.js";

const STAY = 6000;
const STAY_WITH_UNDO = 10000;
const timers = new WeakMap();
const region = $("#toasts");

const lift = () => {
  if (!region?.showPopover) return;
  if (region.matches(":popover-open")) region.hidePopover();
  if ($(".toast", region)) region.showPopover();
};

const remove = (toast) => {
  clearTimeout(timers.get(toast));
  toast.remove();
  if (!$(".toast", region) && region.matches(":popover-open")) region.hidePopover();
};

const arm = (toast) => {
  clearTimeout(timers.get(toast));
  if (toast.matches(".toast-error")) return;
  timers.set(toast, setTimeout(() => remove(toast), $("form", toast) ? STAY_WITH_UNDO : STAY));
};

export const show = ({ message, kind = "info", undo_url = "" }) => {
  const pattern = $("#toast-template")?.content.querySelector(`.toast-${CSS.escape(kind)}`) ?? $("#toast-template")?.content.querySelector(".toast");
  if (!region || !pattern || !message) return;
  const toast = pattern.cloneNode(true);
  $(".toast-text", toast).textContent = message;
  const form = $("form", toast);
  if (undo_url.startsWith("/")) form.action = undo_url;
  else form.remove();
  region.append(toast);
  lift();
  arm(toast);
};

const fromEvent = (event) => {
  const value = event.detail?.value ?? event.detail;
  for (const one of Array.isArray(value) ? value : [value]) show(typeof one === "string" ? { message: one } : one);
};
document.addEventListener("toast", fromEvent);

on("click", "[data-dismiss]", (event, button) => remove(button.closest(".toast")));

on("submit", ".toast form[data-undo]", (event, form) => {
  if (!window.htmx) return;
  event.preventDefault();
  const url = form.getAttribute("action");
  remove(form.closest(".toast"));
  window.htmx.ajax("POST", url, { source: document.body, target: document.body, swap: "none" });
});

for (const type of ["pointerenter", "focusin"])
  region?.addEventListener(type, () => $$(".toast", region).forEach((toast) => clearTimeout(timers.get(toast))));
for (const type of ["pointerleave", "focusout"]) region?.addEventListener(type, () => $$(".toast", region).forEach(arm));

const say = (event, name) => {
  const words = document.body.dataset[name];
  if (words) show({ message: words, kind: "error" });
};
document.addEventListener("htmx:sendError", (event) => say(event, "offline"));
document.addEventListener("htmx:responseError", (event) => {
  const { status, responseURL } = event.detail.xhr;
  if (status === 401 || responseURL.endsWith("/inbox/badge/")) return;
  let message = "";
  try {
    message = JSON.parse(event.detail.xhr.getResponseHeader("HX-Trigger") ?? "{}").toast?.message ?? "";
  } catch {
    message = "";
  }
  if (!message) say(event, status === 403 ? "forbidden" : status === 404 ? "missing" : status === 429 ? "busy" : "failed");
});

/** Undo the newest change that can still be undone. */
export const undoLast = () => {
  const button = $$(".toast form[data-undo] button", region ?? document).at(-1) ?? $$("[data-undo-last]").find(isVisible);
  button?.click();
  return Boolean(button);
};

lift();
if (region) $$(".toast", region).forEach(arm);
