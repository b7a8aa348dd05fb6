// Each copy button says which cell's code it copies. They come when their library has loaded.
(function name() {
  const cells = document.querySelectorAll("div.cell");
  const inside = "div.cell_input div.highlight";
  if (document.readyState !== "complete" || document.querySelector(`${inside}:not(:has(.copybtn))`))
    return setTimeout(name, 250);
  cells.forEach((cell, i) => cell.querySelectorAll(".copybtn").forEach(
    button => { button.ariaLabel = `Copy the code of cell ${i + 1}`; }));
})();
