// Islands: each <div data-chart="..." data-src="..."> becomes a chart of the numbers at that
// address. The page is complete without them; a chart that cannot be drawn stays hidden,
// and its table remains.

import { chartOf } from "./charts";
import { theme } from "./theme";
import { init, use } from "echarts/core";
import { BarChart, LineChart } from "echarts/charts";
import { AriaComponent, DataZoomComponent, GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";

use([BarChart, LineChart, AriaComponent, DataZoomComponent, GridComponent, LegendComponent, TooltipComponent, CanvasRenderer]);

async function island(box: HTMLElement): Promise<void> {
  const build = chartOf(box.dataset.chart ?? "");
  const src = box.dataset.src;
  if (!build || !src) return;
  const answer = await fetch(src, { credentials: "same-origin", headers: { Accept: "application/json" } });
  if (!answer.ok || !answer.headers.get("Content-Type")?.startsWith("application/json")) return;
  const data: unknown = await answer.json();
  if (!Array.isArray(data) || data.length === 0) return;

  box.hidden = false;
  const chart = init(box, null, { renderer: "canvas" });
  const draw = () => chart.setOption(build(data, theme()), true);
  draw();
  box.dataset.drawn = "yes";
  new ResizeObserver(() => chart.resize()).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

for (const box of document.querySelectorAll<HTMLElement>("[data-chart]")) {
  island(box).catch((err: unknown) => {
    box.hidden = true;
    console.warn("chart not drawn", box.dataset.chart, err);
  });
}
