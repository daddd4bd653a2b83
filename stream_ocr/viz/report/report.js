// Filters the table of texts. The report is complete without this script.
const field = document.getElementById("find");
const rows = [...document.querySelectorAll("tbody tr[id]")].map((row) => [row, row.textContent.toLowerCase()]);
const counter = document.getElementById("found");
field.addEventListener("input", () => {
  const query = field.value.trim().toLowerCase();
  let matches = 0;
  for (const [row, text] of rows) {
    row.hidden = !text.includes(query);
    matches += !row.hidden;
  }
  counter.textContent = query ? `${matches} of ${rows.length}` : "";
});
