/** Asking before something is done that cannot be taken back. */

import { $ } from "./dom.js";

export const ask = (question, danger = false) =>
  new Promise((resolve) => {
    const dialog = $("#confirm");
    $("[data-confirm-text]", dialog).textContent = question;
    $("[data-confirm-yes]", dialog).classList.toggle("btn-danger-fill", danger);
    $("[data-confirm-yes]", dialog).classList.toggle("btn-primary", !danger);
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });
