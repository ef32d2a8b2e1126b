// What each chart shows of its data. Tooltips are drawn on the canvas (richText): the page's
// content security policy allows no inline style, and echarts' HTML tooltips are made of it.

import type { EChartsCoreOption } from "echarts/core";
import type { Theme } from "./theme";

interface Step { name: string; title: string; value: number }
interface Day { day: string; answered: number; calls_uk: number; long_calls_uk: number }
interface Use { name: string; a_star: number; a: number; b: number; c: number; d: number }

type Build = (data: never, t: Theme) => EChartsCoreOption;

export function chartOf(kind: string): ((data: unknown, t: Theme) => EChartsCoreOption) | undefined {
  const charts: Record<string, Build> = { funnel, days, institutions };
  return charts[kind] as ((data: unknown, t: Theme) => EChartsCoreOption) | undefined;
}

const full = new Intl.NumberFormat("en-GB");
const brief = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });

function base(t: Theme): EChartsCoreOption {
  return {
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: t.ink },
    aria: { enabled: true },
    tooltip: {
      renderMode: "richText", trigger: "axis", axisPointer: { type: "shadow", shadowStyle: { opacity: 0.12 } },
      backgroundColor: t.card, borderColor: t.line, textStyle: { color: t.ink },
      valueFormatter: (v: unknown) => full.format(Number(v)),
    },
  };
}

const axis = (t: Theme) => ({
  axisLabel: { color: t.muted, formatter: undefined as unknown },
  axisLine: { lineStyle: { color: t.line } },
  splitLine: { lineStyle: { color: t.line } },
});

// The steps differ by a factor of thousands, so the axis is logarithmic and says so.
function funnel(data: Step[], t: Theme): EChartsCoreOption {
  return {
    ...base(t),
    grid: { left: 8, right: 84, top: 8, bottom: 34, containLabel: true },
    xAxis: {
      type: "log", min: 1, ...axis(t), name: "logarithmic scale", nameLocation: "middle", nameGap: 24, nameTextStyle: { color: t.muted },
      axisLabel: { color: t.muted, formatter: (v: number) => brief.format(v) },
    },
    yAxis: {
      type: "category", inverse: true, data: data.map((s) => s.title), axisTick: { show: false },
      ...axis(t), axisLabel: { color: t.ink, width: 190, overflow: "break" },
    },
    series: [{
      type: "bar", data: data.map((s) => (s.value > 0 ? s.value : null)), barMaxWidth: 22, itemStyle: { color: t.series[0] },
      label: { show: true, position: "right", color: t.ink, formatter: (p: { value: unknown }) => full.format(Number(p.value)) },
    }],
  };
}

// Days without a row are gaps in the record and stay gaps in the line.
function days(data: Day[], t: Theme): EChartsCoreOption {
  const byDay = new Map(data.map((d) => [d.day, d]));
  const all: string[] = [];
  const last = data.at(-1)!.day;
  for (let d = new Date(data[0]!.day + "T00:00:00Z"); ; d.setUTCDate(d.getUTCDate() + 1)) {
    const day = d.toISOString().slice(0, 10);
    if (day > last) break;
    all.push(day);
  }
  const line = (name: string, value: (d: Day) => number, colour: string | undefined) => ({
    name, type: "line", showSymbol: all.length < 40, symbolSize: 4, connectNulls: false, lineStyle: { width: 1.5 }, itemStyle: { color: colour },
    data: all.map((day) => { const d = byDay.get(day); return d ? value(d) : null; }),
  });
  return {
    ...base(t),
    legend: { top: 0, left: 0, textStyle: { color: t.ink }, icon: "roundRect", itemHeight: 4 },
    grid: { left: 8, right: 16, top: 34, bottom: 56, containLabel: true },
    xAxis: { type: "category", data: all, boundaryGap: false, ...axis(t), splitLine: { show: false } },
    yAxis: { type: "value", ...axis(t), axisLabel: { color: t.muted, formatter: (v: number) => brief.format(v) } },
    dataZoom: [{ type: "slider", height: 22, bottom: 8, borderColor: t.line, textStyle: { color: t.muted } }],
    series: [
      line("Answered", (d) => d.answered, t.series[3]),
      line("Answered, to the UK", (d) => d.calls_uk, t.series[0]),
      line("Long, to the UK", (d) => d.long_calls_uk, t.series[1]),
    ],
  };
}

function institutions(data: Use[], t: Theme): EChartsCoreOption {
  const bar = (name: string, value: (u: Use) => number, colour: string) => ({
    name, type: "bar", stack: "grade", barMaxWidth: 22, itemStyle: { color: colour }, data: data.map(value),
  });
  return {
    ...base(t),
    legend: { top: 0, left: 0, textStyle: { color: t.ink }, itemWidth: 14 },
    grid: { left: 8, right: 24, top: 30, bottom: 8, containLabel: true },
    xAxis: { type: "value", ...axis(t), axisLabel: { color: t.muted, formatter: (v: number) => brief.format(v) } },
    yAxis: {
      type: "category", inverse: true, data: data.map((u) => u.name), axisTick: { show: false },
      ...axis(t), axisLabel: { color: t.ink, width: 150, overflow: "truncate" },
    },
    series: [
      bar("A*", (u) => u.a_star, t.grades.astar), bar("A", (u) => u.a, t.grades.a),
      bar("B", (u) => u.b, t.grades.b), bar("C", (u) => u.c, t.grades.c),
      bar("D, not counted", (u) => u.d, t.grades.d),
    ],
  };
}
