// Sorts and filters the table of tests. Without JavaScript the page is complete, in collection order.
"use strict";
const table = document.getElementById("tests");
const body = table.tBodies[0];
const collected = [...body.rows];

function keyOf(row, column) {
  const cell = row.cells[column];
  return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
}

function compare(left, right) {
  return typeof left === "number" ? left - right : left.localeCompare(right);
}

function sortBy(header) {
  const column = header.cellIndex;
  // Numbers start with the greatest: that is what people look for.
  const first = header.dataset.kind === "number" ? "descending" : "ascending";
  const second = first === "descending" ? "ascending" : "descending";
  const order = header.getAttribute("aria-sort") === first ? second : first;
  for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const keyed = collected.map((row) => [keyOf(row, column), row]);
  keyed.sort((left, right) => sign * compare(left[0], right[0]));
  body.append(...keyed.map((pair) => pair[1]));
}

for (const header of table.tHead.rows[0].cells) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...header.childNodes);
  header.append(button);
  button.addEventListener("click", () => sortBy(header));
}

const filter = document.createElement("input");
filter.type = "search";
filter.placeholder = "Filter by words in the name or the outcome";
filter.setAttribute("aria-label", filter.placeholder);
filter.addEventListener("input", () => {
  const words = filter.value.toLowerCase().split(/\s+/);
  for (const row of collected) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
});
table.before(filter);
