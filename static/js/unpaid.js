/**
 * A workspace that is not paid for: what would change something is shown as not working, and whoever tries it is told why
 * before anything is sent, so that what they typed stays. The server refuses it too; it says which addresses work all the same.
 */

import { $$ } from "./dom.js";
import { show } from "./toast.js";

const { unpaid, unpaidWorks, unpaidForms, unpaidUrl, unpaidLabel } = document.body.dataset;
const works = new RegExp(unpaidWorks ?? "");
const forms = new RegExp(unpaidForms ?? "^$");
const OFF = "data-unpaid-off";
const SENDS = "button:not([type=button], [type=reset]), input[type=submit]";

const pathOf = (address) => new URL(address || location.href, location.href).pathname;
const isRefused = (address) => !works.test(pathOf(address));
const opensForm = (address) => forms.test(pathOf(address));

const off = (element) => {
  element.setAttribute(OFF, "");
  element.setAttribute("aria-disabled", "true");
  element.title = unpaid;
};

const sent = (form) => form.getAttribute("hx-post") ?? form.getAttribute("action");

const mark = (root) => {
  for (const form of $$("form", root)) {
    if (form.method !== "post" && !form.hasAttribute("hx-post")) continue;
    for (const button of $$(SENDS, form)) if (isRefused(button.getAttribute("formaction") ?? sent(form))) off(button);
  }
  for (const one of $$("[hx-post]:not(form)", root)) if (isRefused(one.getAttribute("hx-post"))) off(one);
  for (const one of $$("a[href], [hx-get]", root)) if (opensForm(one.getAttribute("hx-get") ?? one.getAttribute("href"))) off(one);
  for (const one of $$("[data-pen], [data-edit-field]", root)) off(one);
};

const refuse = (event) => {
  event.preventDefault();
  event.stopImmediatePropagation();
  for (const old of $$(".toast[data-unpaid-said]")) old.remove();
  show({ message: unpaid, kind: "error", link_url: unpaidUrl, link_label: unpaidLabel });
  $$(".toast").at(-1)?.setAttribute("data-unpaid-said", "");
};

if (unpaid) {
  mark(document);
  document.addEventListener("htmx:load", (event) => mark(event.detail.elt));
  const inTheWay = (event) => {
    const element = event.target instanceof Element ? event.target : null;
    const cell = element?.closest("a, button, input, select, textarea, label, form") ? null : element?.closest(".cell[data-edit]");
    if (element?.closest(`[${OFF}]`) || cell) refuse(event);
  };
  document.addEventListener("click", inTheWay, true);
  document.addEventListener(
    "submit",
    (event) => {
      if (event.target.method !== "dialog" && isRefused(event.submitter?.getAttribute("formaction") ?? sent(event.target)) && (event.target.method === "post" || event.target.hasAttribute("hx-post"))) refuse(event);
    },
    true,
  );
}
