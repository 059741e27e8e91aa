/** Asking before something is done that cannot be taken back. */

import { $ } from "./dom.js";

/** Resolves to whether it is agreed. ``yes`` and ``no`` are the buttons' words where "Go on" and "Cancel" would not be clear. */
export const ask = (question, { danger = false, yes, no } = {}) =>
  new Promise((resolve) => {
    const dialog = $("#confirm");
    const [stop, go] = [$("[data-confirm-no]", dialog), $("[data-confirm-yes]", dialog)];
    $("[data-confirm-text]", dialog).textContent = question;
    stop.textContent = no ?? stop.dataset.words;
    go.textContent = yes ?? go.dataset.words;
    go.classList.toggle("btn-danger-fill", danger);
    go.classList.toggle("btn-primary", !danger);
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });
