// Fills the form's hidden time zone with the browser's own.
for (const input of document.querySelectorAll("input[data-time-zone]")) {
  if (!input.value) input.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
}
