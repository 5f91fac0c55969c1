"use strict";
const list = document.querySelector("table.sortable");
const find = document.querySelector("#find");
if (list && find) {
  const body = list.tBodies[0];
  find.hidden = false;
  find.querySelector("input").addEventListener("input", (event) => {
    const word = event.target.value.toLowerCase();
    for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(word);
  });
  for (const head of list.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const falls = head.getAttribute("aria-sort") === "ascending";
      for (const each of list.tHead.rows[0].cells) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", falls ? "descending" : "ascending");
      const text = (row) => row.cells[head.cellIndex].textContent;
      const rows = [...body.rows].sort((a, b) => text(a).localeCompare(text(b), undefined, {numeric: true}));
      body.append(...(falls ? rows.reverse() : rows));
    });
  }
}
