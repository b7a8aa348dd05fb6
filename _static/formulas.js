// Formulas are marked and copied as a whole, as TeX; the keyboard and a fading edge tell of those
// that are wider than their place.
const FORMULA = "mjx-container";

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

addEventListener("load", () => {
  const places = [...document.querySelectorAll("span.math, div.math > mjx-container")];
  const look = () => places
    .map((one) => [one, one.scrollWidth - one.clientWidth, one.scrollLeft])
    .forEach(([one, room, at]) => {
      one.classList.toggle("wide", room > 1);
      one.dataset.more = `${at > 0 ? "left" : ""} ${at < room - 1 ? "right" : ""}`;
      if (room > 1) one.tabIndex = 0;
      else one.removeAttribute("tabindex");
    });
  look();
  addEventListener("resize", look);
  for (const one of places) one.addEventListener("scroll", look);
});
