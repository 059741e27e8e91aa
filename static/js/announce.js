/** What was just done, in words for screen readers. `words` is a pattern such as "%(name)s lifted". */
export const announce = (region, words = "", values = {}) => {
  if (region) region.textContent = words.replace(/%\((\w+)\)s/g, (_all, key) => values[key] ?? "").trim();
};
