// A cell's code is copied by its button, which says so for a moment. Where the browser keeps the
// clipboard to itself, the code is marked.
document.addEventListener("click", async ({ target }) => {
  const button = target.closest(".copybtn"), code = button?.previousElementSibling;
  if (!button) return;
  try {
    await navigator.clipboard.writeText(code.textContent.trimEnd());
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  } catch {
    getSelection().selectAllChildren(code);
  }
});
