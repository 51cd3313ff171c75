"use strict";
(() => {
  const theme = JSON.parse(document.getElementById("theme").textContent);
  // Words are measured before they are drawn, so the charts are told the font itself, not a CSS variable.
  theme.font = getComputedStyle(document.body).fontFamily;
  const column = document.getElementById("main");
  const options = {
    mode: "vega-lite", renderer: "svg", actions: false, defaultStyle: false, tooltip: {disableDefaultStyle: true},
    ast: true,  // expressions are interpreted: the page's policy forbids making code from text
    formatLocale: {decimal: ".", thousands: "\u202f", grouping: [3], currency: ["", ""], percent: "\u202f%"},  // 1 152 048
  };

  // A chart in a folded part has no width yet: it gets the column's, and its own when it is unfolded.
  const widthOf = (place) => Math.floor(place.clientWidth || column.clientWidth);

  async function draw(place) {
    const chart = JSON.parse(place.nextElementSibling.textContent);
    const fitted = !("width" in chart) && !["hconcat", "vconcat", "concat", "facet", "repeat", "spec"].some((key) => key in chart);
    if (fitted) chart.width = widthOf(place);
    // Set after Vega-Lite is done: told of it, it remarks on every chart of lying bars.
    const fit = (drawing) => ({...drawing, autosize: {type: "fit-x", contains: "padding"}});
    const inner = place.appendChild(document.createElement("div"));
    inner.ariaHidden = "true";  // the place itself has the role of a picture, and the words for it
    const labelLimit = widthOf(place) < 500 ? 120 : 220;
    const config = {...theme, axis: {...theme.axis, labelLimit}};
    const {view} = await vegaEmbed(inner, chart, fitted ? {...options, config, patch: fit} : {...options, config});
    place.dataset.drawn = "yes";
    if (!fitted) return;
    let width = chart.width;
    new ResizeObserver(() => {
      if (widthOf(place) === width) return;
      width = widthOf(place);
      view.width(width).runAsync();
    }).observe(place);
  }

  async function drawAll() {
    for (const place of document.querySelectorAll(".chart")) {
      try {
        await draw(place);
      } catch (error) {
        place.textContent = "This chart could not be drawn.";
        console.error(error);
      }
    }
    document.body.dataset.drawn = "yes";
  }

  async function copy(button) {
    const section = button.closest(".script");
    const code = section.querySelector("code");
    const said = section.querySelector("[role=status]");
    try {
      await navigator.clipboard.writeText(code.textContent);
      said.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      said.textContent = "Selected: copy it with Ctrl-C";
    }
  }

  for (const button of document.querySelectorAll("button.copy")) button.addEventListener("click", () => copy(button));

  // On paper nothing can be unfolded. The numbers behind a chart stay away: the chart is there.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open], .numbers)")];
    for (const part of folded) part.open = true;
  });
  addEventListener("afterprint", () => {
    for (const part of folded) part.open = false;
  });

  drawAll();
})();
