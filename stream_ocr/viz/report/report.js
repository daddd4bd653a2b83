// Shows only the texts that hold what is typed. The report is whole without this.
const field = document.getElementById("find");
const rows = [...document.querySelectorAll("tbody tr[id]")].map((row) => [row, row.textContent.toLowerCase()]);
const said = document.getElementById("found");
field.addEventListener("input", () => {
  const wanted = field.value.trim().toLowerCase();
  let shown = 0;
  for (const [row, text] of rows) {
    row.hidden = !text.includes(wanted);
    shown += !row.hidden;
  }
  said.textContent = wanted ? `${shown} of ${rows.length}` : "";
});
