// On a long page: the list of contents follows what is read, also after a jump, and two links
// lead to the section before and after.
"use strict";

(() => {
  const links = [...document.querySelectorAll("#pst-page-toc-nav a[href^='#']:not([href='#'])")];
  if (links.length < 5) return;
  const sections = links.map((link) => document.getElementById(link.hash.slice(1)));
  const steps = document.querySelector("article").appendChild(document.createElement("nav"));
  steps.className = "section-steps";
  steps.setAttribute("aria-label", "Sections");
  const [before, after] = ["↑", "↓"].map((arrow) => {
    const step = steps.appendChild(document.createElement("a"));
    step.textContent = arrow;
    return step;
  });

  const point = (step, link, words) => {
    step.hidden = !link;
    if (!link) return;
    step.href = link.hash;
    step.title = `${words}: ${link.textContent.trim()}`;
    step.setAttribute("aria-label", step.title);
  };

  const follow = () => {
    // Where sections far away are not laid out (book.css), nothing asks for those inside them.
    const at = sections.findLastIndex((one) => one.checkVisibility({ contentVisibilityAuto: true })
      && one.getBoundingClientRect().top < innerHeight / 4);
    const inside = at >= 0 && sections[at].getBoundingClientRect().top < -innerHeight / 4;
    point(before, links[inside ? at : at - 1], inside ? "Start of this section" : "Section before");
    point(after, links[at + 1], "Section after");
    for (const link of links) {
      link.classList.toggle("active", link === links[at]);
      if (link === links[at]) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
      const entry = link.closest(".toc-entry");
      entry.classList.toggle("active", at >= 0 && entry.contains(links[at]));
    }
  };

  let waiting = false;
  addEventListener("scroll", () => {
    if (!waiting) requestAnimationFrame(() => { waiting = false; follow(); });
    waiting = true;
  }, { passive: true });
  requestAnimationFrame(follow);
})();
