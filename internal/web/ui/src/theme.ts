// The charts take their colours from the style sheet, so that both change together.

export interface Theme {
  ink: string;
  muted: string;
  line: string;
  card: string;
  series: string[];
  grades: Record<"astar" | "a" | "b" | "c" | "d", string>;
}

export function theme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue("--" + name).trim();
  return {
    ink: colour("ink"),
    muted: colour("muted"),
    line: colour("line"),
    card: colour("card"),
    series: ["series-1", "series-2", "series-3", "series-4"].map(colour),
    grades: { astar: colour("grade-astar"), a: colour("grade-a"), b: colour("grade-b"), c: colour("grade-c"), d: colour("grade-d") },
  };
}
