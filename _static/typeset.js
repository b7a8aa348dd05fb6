// Typeset the formulas a few at a time: all at once would freeze a long page.
addEventListener("DOMContentLoaded", async () => {
  if (!window.MathJax?.startup) return;
  await MathJax.startup.promise;
  const formulas = [...document.querySelectorAll(".math")];
  while (formulas.length) {
    await MathJax.typesetPromise(formulas.splice(0, 10));
    await new Promise((next) => setTimeout(next));
  }
});
