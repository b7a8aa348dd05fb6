// Formulas are marked and copied as a whole, as TeX. The keyboard scrolls formulas, code, tables and
// pictures that are wider than their place; a fading edge tells of formulas and pictures.
const FORMULA = "mjx-container";
const PLACES = "span.math, div.math > mjx-container, pre, .cell_output > .output, " +
  ".pst-scrollable-table-container, .picture.whole";

document.addEventListener("selectionchange", () => {
  const selection = getSelection(), some = !selection.isCollapsed;
  for (const one of document.querySelectorAll(some ? FORMULA : `${FORMULA}.marked`))
    one.classList.toggle("marked", some && selection.containsNode(one, true));
});

document.addEventListener("copy", (event) => {
  const selection = getSelection();
  if (selection.isCollapsed) return;
  const range = selection.getRangeAt(0).cloneRange(), around = (node) =>
    (node.nodeType == Node.ELEMENT_NODE ? node : node.parentElement).closest(FORMULA);
  const [first, last] = [range.startContainer, range.endContainer].map(around);
  if (first) range.setStartBefore(first);
  if (last) range.setEndAfter(last);
  const copy = document.createElement("div");
  copy.append(range.cloneContents());
  if (!copy.querySelector(FORMULA)) return;
  for (const formula of copy.querySelectorAll(FORMULA)) {
    const marks = formula.hasAttribute("display") ? "$$" : "$";
    formula.replaceWith(marks + formula.querySelector("annotation").textContent + marks);
  }
  document.body.append(copy); // for line breaks as they are shown
  event.clipboardData.setData("text/plain", copy.innerText.trim());
  copy.remove();
  event.preventDefault();
});

(() => {
  // Ask first and change afterwards: between a change and a question all is laid out anew.
  const look = (places) => places.map((one) => {
    const room = one.scrollWidth - one.clientWidth, at = one.scrollLeft;
    return [one, room > 1, at > 0 ? "left" : "", at < room - 1 ? "right" : ""];
  }).forEach(([one, wide, ...more]) => {
    if (!wide && !one.classList.contains("wide")) return;
    one.classList.toggle("wide", wide);
    one.dataset.more = more.join(" ");
    if (wide) one.tabIndex = 0;
    else one.removeAttribute("tabindex");
  });
  const sizes = new ResizeObserver((entries) => look(entries.map((entry) => entry.target)));
  for (const one of document.querySelectorAll(PLACES)) sizes.observe(one);
  document.addEventListener("scroll", ({ target }) => {
    if (target.matches?.(PLACES)) look([target]);
  }, { capture: true, passive: true });
})();
