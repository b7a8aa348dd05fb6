// Formulas are marked and copied as a whole, as TeX. The keyboard scrolls formulas, code and tables
// that are wider than their place; a fading edge tells of such formulas.
const FORMULA = "mjx-container";
const PLACES = "span.math, div.math > mjx-container, pre, .cell_output > .output, " +
  ".pst-scrollable-table-container";

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

addEventListener("DOMContentLoaded", () => {
  const look = (one) => {
    const room = one.scrollWidth - one.clientWidth, at = one.scrollLeft;
    one.classList.toggle("wide", room > 1);
    one.dataset.more = `${at > 0 ? "left" : ""} ${at < room - 1 ? "right" : ""}`;
    if (room > 1) one.tabIndex = 0;
    else one.removeAttribute("tabindex");
  };
  const sizes = new ResizeObserver((entries) => entries.forEach((entry) => look(entry.target)));
  for (const one of document.querySelectorAll(PLACES)) {
    sizes.observe(one);
    one.addEventListener("scroll", () => look(one));
  }
});
