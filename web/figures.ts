// The page's curves as files: SVG that stands by itself, and CSV.

import type { Files } from "./file-messages.ts";
import { baseline, curves } from "./state.ts";

/** What the page's style sheet says of an SVG's parts. */
const styled = [
  ...["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "stroke-opacity"],
  ...["font-family", "font-size", "font-weight", "display"],
] as const;

/** Around a figure: on the page its panel has it. */
const margin = 10;

export function figuresOf(): Files {
  const { losses, readings } = curves.value;
  const known = baseline.value;
  const text = new TextEncoder();
  const csv = (title: string, rows: readonly (readonly (number | string)[])[]): Uint8Array =>
    text.encode([title, ...rows.map((row) => row.join(","))].map((line) => `${line}\n`).join(""));
  const files = new Map([
    [
      "figures/loss.csv",
      csv(
        "step,loss",
        losses.map((loss, i) => [i + 1, loss]),
      ),
    ],
    [
      "figures/accuracy.csv",
      csv(
        "step,kNN,untrained,pixels",
        readings.map(({ step, all }) => [step, all, known?.random.all ?? "", known?.pixels.all ?? ""]),
      ),
    ],
  ]);
  for (const [name, title] of [
    ["loss", "loss-title"],
    ["accuracy", "accuracy-title"],
  ] as const) {
    const drawn = document.querySelector<SVGElement>(`section:has(#${title}) .chart > svg`);
    if (drawn) files.set(`figures/${name}.svg`, text.encode(standalone(drawn)));
  }
  return files;
}

/** On the page's own ground: its colours are made for it. */
function standalone(drawn: SVGElement): string {
  const copy = drawn.cloneNode(true) as SVGElement;
  const copies = [copy, ...copy.querySelectorAll("*")];
  for (const [i, element] of [drawn, ...drawn.querySelectorAll("*")].entries()) {
    const style = getComputedStyle(element);
    for (const property of styled) copies[i].setAttribute(property, style.getPropertyValue(property));
    copies[i].removeAttribute("class");
  }
  const [, , width = 340, height = 176] = (drawn.getAttribute("viewBox") ?? "").split(" ").map(Number);
  const whole = { x: -margin, y: -margin, width: width + 2 * margin, height: height + 2 * margin };
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries(whole)) ground.setAttribute(name, String(value));
  ground.setAttribute("fill", getComputedStyle(drawn.closest(".panel") ?? document.body).backgroundColor);
  copy.prepend(ground);
  copy.setAttribute("viewBox", Object.values(whole).join(" "));
  copy.setAttribute("width", String(whole.width));
  copy.setAttribute("height", String(whole.height));
  return `${new XMLSerializer().serializeToString(copy)}\n`;
}
