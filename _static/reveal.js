// What an address leads to is unfolded, and on paper nothing is folded.
"use strict";

const reveal = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let box; (box = target.closest("details:not([open])")); ) box.open = true;
  target.scrollIntoView();
};

// Once pictures have their room; a link that is clicked again changes no address.
addEventListener("load", () => location.hash && reveal());
addEventListener("hashchange", reveal);
addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link && link.hash === location.hash) reveal();
});

let unfolded = [];
addEventListener("beforeprint", () => {
  unfolded = [...document.querySelectorAll("details:not([open])")];
  for (const one of unfolded) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of unfolded) one.open = false;
});
