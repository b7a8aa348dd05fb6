// A link's target (formula, figure, exercise, section, source) in a card beside the link, while
// the mouse or the keyboard is on it. Escape closes it. A touch follows the link at once.
"use strict";

(() => {
  const article = document.querySelector("article");
  if (!article || !("popover" in article)) return;
  const card = article.appendChild(document.createElement("div"));
  Object.assign(card, { id: "preview", role: "tooltip", popover: "manual" });
  let timer, shown;

  // What a link leads to, on this page or in the templates that previews.py has added.
  const target = (link) => {
    const address = link.getAttribute("href");
    const node = address.startsWith("#")
      ? document.getElementById(decodeURIComponent(address.slice(1)))
      : document.querySelector(`template[data-of="${CSS.escape(address)}"]`)?.content
          .firstElementChild;
    return node?.matches("span") ? node.parentElement : node; // a section's further name
  };

  // A copy to look at: of a section its head, without what a reader could press.
  const copy = (node) => {
    const part = document.createElement("div");
    const blocks = node.matches("section")
      ? [...node.querySelectorAll(":scope > :is(h1, h2, h3, p)")].slice(0, 3) : [node];
    part.append(...blocks.map((one) => one.cloneNode(true)));
    for (const one of part.querySelectorAll(".headerlink, button, script, .to-solution"))
      one.remove();
    for (const one of part.querySelectorAll("[id]")) one.removeAttribute("id");
    for (const one of part.querySelectorAll("a, [tabindex]")) one.tabIndex = -1;
    return part;
  };

  const hide = () => {
    clearTimeout(timer);
    shown?.removeAttribute("aria-describedby");
    shown = undefined;
    card.hidePopover();
  };

  const place = (link) => {
    const { left, top, bottom } = link.getClientRects()[0];
    const room = { right: innerWidth - card.offsetWidth - 8, below: innerHeight - bottom };
    card.style.left = `${Math.max(8, Math.min(left, room.right))}px`;
    card.style.top = room.below > card.offsetHeight + 8 || room.below > top
      ? `${bottom + 4}px` : `${Math.max(8, top - card.offsetHeight - 4)}px`;
  };

  const show = (link) => {
    const node = target(link);
    if (!node || node.contains(link) || node.matches(".solution")) return;
    hide();
    card.replaceChildren(copy(node));
    card.showPopover();
    place(link);
    link.setAttribute("aria-describedby", card.id);
    shown = link;
  };

  const soon = (action, wait) => {
    clearTimeout(timer);
    timer = setTimeout(action, wait);
  };
  const linkOf = (event) => event.target.closest?.("article a.reference.internal");

  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const link = linkOf(event);
    if (link && link !== shown && !card.contains(link)) soon(() => show(link), 250);
    else if (card.contains(event.target) || link === shown) clearTimeout(timer);
    else soon(hide, 250);
  });
  document.addEventListener("focusin", (event) => {
    const link = linkOf(event);
    if (link?.matches(":focus-visible")) show(link);
    else if (shown) hide();
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  document.addEventListener("click", hide);
  addEventListener("scroll", () => {
    if (shown && !shown.matches(":hover, :focus-visible") && !card.matches(":hover")) hide();
  }, { passive: true });
})();
