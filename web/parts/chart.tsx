// Lines over steps, as SVG: names at the lines' samples below, marks for what happened, the numbers as a table.

import { useState } from "preact/hooks";
import type { Mark } from "../state.ts";

export interface Line {
  readonly name: string;
  /** How it is drawn: see lab.css. */
  readonly look: "trained" | "raw" | "random" | "pixels" | "before";
  readonly points: readonly (readonly [step: number, value: number])[];
  readonly dots?: boolean;
}

interface Props {
  readonly label: string;
  readonly lines: readonly Line[];
  readonly marks: readonly Mark[];
  readonly format: (value: number) => string;
  /** Least step at the right edge. */
  readonly leastSteps: number;
  /** Values that are always in sight. */
  readonly including: readonly number[];
  /** What is told, newest first, as it is: for whom a picture is nothing, and for whom it is too coarse. */
  readonly numbers: readonly (readonly [step: number, value: number])[];
}

const [width, height] = [340, 176];
/** Words of marks that stand close to each other are one below the other. */
const markRows = 4;
/** Points that a line shows with dots: with more of them the line is enough, and the page's elements do not grow with the run. */
const mostDots = 100;
const edge = { left: 42, right: 10, top: 10, bottom: 22 };

export function Chart({ label, lines, marks, format, leastSteps, including, numbers }: Props) {
  const [at, setAt] = useState<number | undefined>(undefined);
  const drawn = lines.filter(({ points }) => points.length > 0);
  const values = [...including, ...drawn.flatMap(({ points }) => points.map(([, value]) => value))].filter(
    Number.isFinite,
  );
  const last = Math.max(leastSteps, ...drawn.flatMap(({ points }) => points.at(-1)?.[0] ?? 0));
  const scale = niceScale(Math.min(...values, 0), Math.max(...(drawn.length > 0 ? values : [1, ...values]), 1e-9), 4);
  const x = (step: number): number => edge.left + (step / last) * (width - edge.left - edge.right);
  const y = (value: number): number =>
    height - edge.bottom - ((value - scale.low) / (scale.high - scale.low)) * (height - edge.top - edge.bottom);
  const steps = niceScale(0, last, 4).ticks.filter((tick) => tick <= last);
  const told = drawn.filter(({ look }) => look !== "raw");
  const near = at === undefined ? [] : told.flatMap((line) => nearestPoint(line, at) ?? []);
  return (
    <div class="chart">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label={`${label} over steps. ${told.map(({ name, points }) => `${name}: ${format(points[points.length - 1][1])}`).join("; ") || "Nothing yet."}${marks.map(({ step, text }) => ` At step ${step}: ${text}.`).join("")}`}
        onPointerMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          const along = ((event.clientX - box.left) / box.width) * width;
          setAt(Math.max(0, Math.min(last, ((along - edge.left) / (width - edge.left - edge.right)) * last)));
        }}
        onPointerLeave={() => setAt(undefined)}
      >
        {scale.ticks.map((tick) => (
          <g key={tick} class="tick">
            <line x1={edge.left} x2={width - edge.right} y1={y(tick)} y2={y(tick)} />
            <text x={edge.left - 6} y={y(tick) + 3.5} text-anchor="end">
              {format(tick)}
            </text>
          </g>
        ))}
        {steps.map((tick) => (
          <text key={tick} class="step-tick" x={x(tick)} y={height - 6} text-anchor="middle">
            {tick}
          </text>
        ))}
        {marks.map(({ step, text }, i) => (
          <g key={`${step}${text}`} class="mark">
            <line x1={x(step)} x2={x(step)} y1={edge.top} y2={height - edge.bottom} />
            <text
              x={x(step) + (x(step) > width / 2 ? -3 : 3)}
              y={edge.top + 8 + 11 * (i % markRows)}
              text-anchor={x(step) > width / 2 ? "end" : "start"}
            >
              {text}
            </text>
          </g>
        ))}
        {drawn.map(({ name, look, points, dots }) => (
          <g key={name} class={`line ${look}`}>
            <path
              d={points
                .map(([step, value], i) => `${i === 0 ? "M" : "L"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`)
                .join("")}
            />
            {dots &&
              points.length <= mostDots &&
              points.map(([step, value]) => <circle key={step} cx={x(step)} cy={y(value)} r={2.4} />)}
          </g>
        ))}
        {near.length > 0 && at !== undefined && (
          <g class="hovered">
            <line x1={x(near[0].point[0])} x2={x(near[0].point[0])} y1={edge.top} y2={height - edge.bottom} />
            {near.map(({ name, point }) => (
              <circle key={name} cx={x(point[0])} cy={y(point[1])} r={3.2} />
            ))}
          </g>
        )}
      </svg>
      <ul class="legend">
        {told.map((line) => {
          const point = near.find(({ name }) => name === line.name)?.point ?? line.points[line.points.length - 1];
          return (
            <li key={line.name} class={line.look}>
              <svg viewBox="0 0 24 8" aria-hidden="true">
                <line class="sample" x1="1" x2="23" y1="4" y2="4" />
              </svg>
              {line.name} <b>{format(point[1])}</b>
            </li>
          );
        })}
      </ul>
      {numbers.length > 0 && (
        <details class="data">
          <summary>As numbers</summary>
          <table>
            <thead>
              <tr>
                <th scope="col">step</th>
                <th scope="col">{label}</th>
              </tr>
            </thead>
            <tbody>
              {numbers.map(([step, value]) => (
                <tr key={step}>
                  <th scope="row">{step}</th>
                  <td>{value}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
    </div>
  );
}

function nearestPoint(
  { name, points }: Line,
  at: number,
): { name: string; point: readonly [number, number] } | undefined {
  const [first] = points;
  if (first === undefined) return undefined;
  const point = points.reduce((best, one) => (Math.abs(one[0] - at) < Math.abs(best[0] - at) ? one : best), first);
  return { name, point };
}

/** Round numbers that hold [low, high], about `count` apart. */
export function niceScale(low: number, high: number, count: number): { low: number; high: number; ticks: number[] } {
  const rough = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= rough) ?? 10 * power;
  const [first, last] = [Math.floor(low / step), Math.ceil(high / step)];
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  return { low: first * step, high: last * step, ticks };
}
