/** Small helpers that every module shares. */

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** Listen on the document for events from elements that match, also those swapped in later. */
export const on = (type, selector, handler) =>
  document.addEventListener(type, (event) => {
    const element = event.target instanceof Element ? event.target.closest(selector) : null;
    if (element) handler(event, element);
  });

export const isTyping = (element = document.activeElement) =>
  element instanceof HTMLElement &&
  element.checkVisibility() &&
  (element.isContentEditable || element.matches("input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select"));

export const isVisible = (element) => element.checkVisibility();

/** Remember a choice for a year, so that the server renders it with the next page. */
export const remember = (name, value) => {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=${value ? 31536000 : 0}; samesite=lax${secure}`;
};
