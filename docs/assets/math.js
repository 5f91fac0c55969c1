// Each formula stands between \( \) or \[ \] in an element of its own.
for (const box of document.querySelectorAll(".arithmatex")) {
  const tex = box.textContent.trim().slice(2, -2);
  katex.render(tex, box, { displayMode: box.tagName === "DIV", throwOnError: false });
}
