// Draws the figures in the colours of the page: light, dark, or light for paper.
const content = JSON.parse(document.getElementById("data").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const PAPER_WIDTH = 700; // pixels of a page of A4 or Letter between its margins

function template(night) {
  const ink = night ? "#e4e7eb" : "#1d2430", line = night ? "#303640" : "#e3e6ea";
  const axis = { gridcolor: line, linecolor: line, zerolinecolor: line, tickcolor: line };
  return { layout: {
    font: { color: ink, family: "system-ui, sans-serif", size: 12 },
    xaxis: axis, yaxis: axis,
    hoverlabel: { bgcolor: night ? "#1d2128" : "#ffffff", font: { color: ink }, bordercolor: line },
    annotationdefaults: { bgcolor: night ? "rgba(20,23,28,0.75)" : "rgba(255,255,255,0.75)", borderpad: 1 },
    coloraxis: { colorbar: { outlinewidth: 0 } },
  } };
}

function draw(night, width) {
  for (const [name, figure] of Object.entries(content.figures)) {
    const place = document.getElementById("figure-" + name);
    const layout = { ...figure.layout, template: template(night), autosize: !width };
    if (width) layout.width = width;
    Plotly.react(place, figure.data, layout, { responsive: true, displayModeBar: false });
  }
}

for (const figure of Object.values(content.figures)) {
  for (const trace of figure.data) {
    if (trace.type !== "heatmap" && Array.isArray(trace.hovertext)) {
      trace.hovertext = trace.hovertext.map((number) => content.texts[number]);
    }
  }
}
draw(dark.matches, 0);
dark.addEventListener("change", () => draw(dark.matches, 0));
window.addEventListener("beforeprint", () => draw(false, PAPER_WIDTH));
window.addEventListener("afterprint", () => draw(dark.matches, 0));
document.body.dataset.drawn = "yes";
