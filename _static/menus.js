// The menus at a page's head: a button opens its menu; that closes by Escape, by a click, and when
// the focus leaves it.
(() => {
  const BUTTON = "[data-bs-toggle=dropdown]";
  const show = (button, open) => {
    button.ariaExpanded = open;
    button.nextElementSibling.classList.toggle("show", open);
  };
  const close = (but) => document.querySelectorAll(`${BUTTON}[aria-expanded=true]`).forEach(
    (button) => button.parentElement.contains(but) || show(button, false));

  document.addEventListener("click", ({ target }) => {
    const button = target.closest(BUTTON), open = button?.ariaExpanded === "true";
    close();
    if (button) show(button, !open);
  });
  document.addEventListener("focusin", ({ target }) => close(target));
  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    document.activeElement.closest(".dropdown")?.querySelector(BUTTON)?.focus();
    close();
  });
})();
