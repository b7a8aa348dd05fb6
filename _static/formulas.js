// Copy formulas as TeX; let the keyboard, and a fading edge, tell of those that are wider than
// their place.
document.addEventListener("copy", (event) => {
  const selection = getSelection(), formulas = "mjx-container";
  if (selection.isCollapsed) return;
  const range = selection.getRangeAt(0), whole = (node) =>
    (node.nodeType == Node.ELEMENT_NODE ? node : node.parentElement)?.closest(formulas);
  if (whole(range.startContainer)) range.setStartBefore(whole(range.startContainer));
  if (whole(range.endContainer)) range.setEndAfter(whole(range.endContainer));
  const copy = document.createElement("div");
  copy.append(range.cloneContents());
  if (!copy.querySelector(formulas)) return;
  for (const formula of copy.querySelectorAll(formulas)) {
    const marks = formula.hasAttribute("display") ? "$$" : "$";
    formula.replaceWith(marks + formula.querySelector("annotation").textContent + marks);
  }
  document.body.append(copy); // line breaks are those of what is shown
  event.clipboardData.setData("text/plain", copy.innerText);
  copy.remove();
  event.preventDefault();
});

addEventListener("load", () => {
  const formulas = [...document.querySelectorAll("div.math > mjx-container")];
  const look = () => formulas.map((one) => [one, one.scrollWidth - one.clientWidth, one.scrollLeft])
    .forEach(([one, room, at]) => {
      one.tabIndex = room > 0 ? 0 : -1;
      one.dataset.more = `${at > 0 ? "left" : ""} ${at < room - 1 ? "right" : ""}`;
    });
  look();
  addEventListener("resize", look);
  for (const one of formulas) one.addEventListener("scroll", look);
});
