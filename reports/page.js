"use strict";
// Sorts a table by the column whose head is pressed. Without this script the page lacks nothing else.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  if (body.rows.length < 3 || table.classList.contains("fields")) continue;
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      body.replaceChildren(...[...body.rows].sort((a, b) => compare(a.cells[column], b.cells[column], up ? 1 : -1)));
    });
  });
}

// Numbers before words; a cell without a value stays at the end whichever way the table is sorted.
function compare(left, right, sign) {
  const a = left.dataset.sort, b = right.dataset.sort;
  if (a !== undefined && b !== undefined) return sign * (Number(a) - Number(b));
  if (a !== undefined || b !== undefined) return a === undefined ? 1 : -1;
  return sign * left.textContent.localeCompare(right.textContent, "en", { numeric: true });
}
