"use strict";

// Figures are drawn when they come into view, in the colours of the page.
const told = document.getElementById("figures");
const figures = told ? JSON.parse(told.textContent) : {};
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function themed(layout) {
  const axis = { gridcolor: colour("--line"), zerolinecolor: colour("--line"), linecolor: colour("--line"), automargin: true };
  const polar = layout.polar && {
    bgcolor: "rgba(0,0,0,0)", angularaxis: axis, radialaxis: { ...axis, ...layout.polar.radialaxis },
  };
  return {
    ...layout,
    ...(polar && { polar }),
    xaxis: { ...axis, ...layout.xaxis },
    yaxis: { ...axis, ...layout.yaxis },
    font: { color: colour("--ink"), family: "system-ui, sans-serif", size: 12 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: polar ? 72 : 56, r: polar ? 72 : 12, t: 24, b: 44 },
    legend: { orientation: "h", ...(polar ? { y: -0.12 } : { yref: "container", yanchor: "bottom", y: 0 }) },
    hoverlabel: { bgcolor: colour("--panel"), bordercolor: colour("--line"), font: { color: colour("--ink") }, namelength: -1 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--quiet"), activecolor: colour("--accent") },
  };
}

function draw(place) {
  const { data, layout } = figures[place.dataset.figure];
  const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"] };
  // What a reader switched off stays off.
  Plotly.react(place, place.data ?? data, themed(layout), config);
}

const places = [...document.querySelectorAll("[data-figure]")];
const watcher = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) {
    if (isIntersecting) {
      watcher.unobserve(target);
      draw(target);
    }
  }
}, { rootMargin: "300px" });
places.forEach((place) => watcher.observe(place));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  places.filter((place) => place.data).forEach(draw);
});

// The comparison of two sets that is chosen.
document.getElementById("pairs")?.addEventListener("change", ({ target }) => {
  for (const pair of document.querySelectorAll(".pair")) pair.hidden = pair.id !== target.value;
});

// A column sorts by its first number, or as text. What has none stays below.
function key(row, column) {
  const text = row.cells[column]?.textContent.trim() ?? "";
  const number = text.match(/^-?\d+(\.\d+)?/);
  return number ? Number(number[0]) : text;
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.tabIndex = 0;
    const sort = () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const [x, y] = [key(a, column), key(b, column)];
        if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
        return (typeof x === "number" ? x - y : x.localeCompare(y)) * (down ? -1 : 1);
      });
      table.tBodies[0].append(...rows);
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => event.key === "Enter" && sort());
  });
}
