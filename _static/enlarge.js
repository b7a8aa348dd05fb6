// Plots and drawings are enlarged by a click, a touch or their button. Esc, a click or the
// button closes them again. Without scripts the pictures stay as they are.
(() => {
  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  dialog.innerHTML = '<div tabindex="0" autofocus></div><button type="button">Close</button>';
  dialog.addEventListener("click", () => dialog.close());
  // Sphinx keeps Escape for itself.
  dialog.addEventListener("keydown", event => event.key === "Escape" && dialog.close());
  document.body.append(dialog);

  for (const picture of document.querySelectorAll(".picture")) {
    const number = picture.closest("figure")?.querySelector(".caption-number");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "⤢";
    button.ariaLabel = `Enlarge ${number ? number.textContent.trim() : "the picture"}`;
    picture.append(button);
    picture.addEventListener("click", () => {
      const shown = [...picture.querySelectorAll("img")].find(image => image.offsetParent);
      dialog.firstChild.replaceChildren(shown.cloneNode());
      dialog.ariaLabel = button.ariaLabel;
      button.focus(); // and it is there again when the dialog closes
      dialog.showModal();
    });
  }
})();
