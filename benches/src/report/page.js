// Sorts a table by the column whose heading is pressed; pressed again, the other way round.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const heading = button.closest("th");
    const table = heading.closest("table");
    const column = [...heading.parentNode.children].indexOf(heading);
    // Figures begin with the greatest, names with the first.
    const names = column === 0;
    const before = heading.getAttribute("aria-sort");
    const descending = names ? before === "ascending" : before !== "descending";
    for (const other of heading.parentNode.children) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const value = (row) => {
      const text = row.children[column].dataset.value;
      return text === undefined ? row.children[column].textContent : Number(text);
    };
    const order = (a, b) => (value(a) > value(b)) - (value(a) < value(b));
    const rows = [...table.tBodies[0].rows].sort((a, b) => (descending ? order(b, a) : order(a, b)));
    table.tBodies[0].append(...rows);
  });
}
