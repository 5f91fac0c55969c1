// Each formula stands between \( \) or \[ \] in an element of its own.
for (const box of document.querySelectorAll(".arithmatex")) {
  const tex = box.textContent.trim().slice(2, -2);
  katex.render(tex, box, { displayMode: box.tagName === "DIV", throwOnError: false });
}

// The theme puts a wide table into a box of its own: who has no mouse scrolls it, too.
addEventListener("load", () => {
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap")) box.tabIndex = 0;
});
