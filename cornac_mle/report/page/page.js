"use strict";
// Tables are sorted by a heading; without this script the headings are text.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[table.tBodies.length - 1];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const isTurned = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", isTurned ? "descending" : "ascending");
      const sign = isTurned ? -1 : 1;
      const rows = [...body.rows].map((row) => [keyOf(row.cells[column]), row]);
      rows.sort(([one], [other]) => compared(one, other, sign));
      body.append(...rows.map(([, row]) => row));
    });
  });
}
document.documentElement.classList.add("scripted");

function keyOf(cell) {
  const value = cell.dataset.value;
  if (value !== undefined) return Number(value);
  const text = (cell.querySelector("summary") || cell).textContent.trim();
  return text === "-" || text === "" ? null : text;
}

// What has no value stands last, whichever way the table is sorted.
function compared(one, other, sign) {
  if (one === null || other === null) return (one === null) - (other === null);
  if (typeof one === "number" && typeof other === "number") return sign * (one - other);
  return sign * String(one).localeCompare(String(other));
}

// A link to a user unfolds what the user stands in.
function unfold() {
  let place = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  const target = place;
  for (; place; place = place.parentElement) {
    if (place.tagName === "DETAILS") place.open = true;
  }
  if (target && target.tagName === "DETAILS") target.scrollIntoView();
}
addEventListener("hashchange", unfold);
unfold();
