/** Passkeys, on forms that say what they are for, and printing. The server's options come with the page. */

import { $, $$, on } from "./dom.js";

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const withIds = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));

const optionsOf = (form) => {
  const options = JSON.parse(form.dataset.options);
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  if (options.excludeCredentials) options.excludeCredentials = withIds(options.excludeCredentials);
  if (options.allowCredentials) options.allowCredentials = withIds(options.allowCredentials);
  return options;
};

const asJson = (credential) => {
  const { response } = credential;
  const said = { clientDataJSON: text(response.clientDataJSON) };
  for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[part]) said[part] = text(response[part]);
  }
  if (response.getTransports) said.transports = response.getTransports();
  return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, clientExtensionResults: {}, response: said });
};

let waiting;

/** Ask the browser for a passkey and send the form with what it gives. A quiet one waits in the email's suggestions. */
const ask = async (form, quiet = false) => {
  waiting?.abort();
  waiting = new AbortController();
  const problem = $("[data-passkey-problem]", form);
  if (problem) problem.hidden = true;
  const request = { publicKey: optionsOf(form), signal: waiting.signal };
  try {
    const credential =
      form.dataset.passkey === "make"
        ? await navigator.credentials.create(request)
        : await navigator.credentials.get(quiet ? { ...request, mediation: "conditional" } : request);
    form.elements.credential.value = asJson(credential);
    form.submit();
  } catch (error) {
    if (quiet || error.name === "AbortError" || !problem) return;
    problem.textContent = error.name === "InvalidStateError" ? problem.dataset.known : problem.dataset.failed;
    problem.hidden = false;
  }
};

on("submit", "form[data-passkey]", (event, form) => {
  event.preventDefault();
  if (form.reportValidity()) ask(form);
});

on("click", "[data-print]", () => window.print());

const forms = $$("form[data-passkey]");
if (!window.PublicKeyCredential) {
  for (const form of forms) {
    $$("button", form).forEach((button) => { button.disabled = true; });
    const problem = $("[data-passkey-problem]", form);
    if (problem) [problem.textContent, problem.hidden] = [problem.dataset.missing, false];
  }
} else if (await PublicKeyCredential.isConditionalMediationAvailable?.()) {
  const quiet = forms.find((form) => form.hasAttribute("data-passkey-quiet"));
  if (quiet) ask(quiet, true);
}
