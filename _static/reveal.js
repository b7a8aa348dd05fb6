// What an address leads to is unfolded, and on paper nothing is folded.
"use strict";

const reveal = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let box; (box = target.closest(".toggle-hidden")); )
    box.querySelector(".toggle-button").click();
  const folded = target.closest("details:not([open])");
  if (folded) folded.open = true;
  target.scrollIntoView();
};

// After the scripts that fold; a link that is clicked again changes no address.
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
