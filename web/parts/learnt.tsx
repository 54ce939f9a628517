// What has been learnt: a map of new pictures, and how many of each class are named rightly.

import { useLayoutEffect, useRef } from "preact/hooks";
import { baseline, checked, picked, reading } from "../state.ts";
import { colours, drawMark } from "./marks.ts";

export const Learnt = () => (
  <div class="learnt">
    <MapPanel />
    <ClassPanel />
  </div>
);

const side = 340;

function MapPanel() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const seen = reading.value;
  const one = picked.value;
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !seen) return;
    const scale = canvas.current ? canvas.current.width / side : 1;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, side, side);
    const place = (value: number): number => side / 2 + Math.max(-1, Math.min(1, value)) * (side / 2 - 10);
    const draw = (i: number, strong: boolean): void => {
      context.globalAlpha = strong ? 1 : 0.22;
      drawMark(
        context,
        seen.labels[i],
        place(seen.map[2 * i]),
        place(-seen.map[2 * i + 1]),
        strong && one !== undefined ? 5 : 4,
      );
    };
    for (let i = 0; i < seen.labels.length; i++) if (one !== undefined && seen.labels[i] !== one) draw(i, false);
    for (let i = 0; i < seen.labels.length; i++) if (one === undefined || seen.labels[i] === one) draw(i, true);
    context.globalAlpha = 1;
  }, [seen, one]);
  const name = one === undefined ? undefined : checked.value?.classes[one];
  return (
    <section class="panel map" aria-labelledby="map-title" aria-busy={seen === undefined}>
      <h2 id="map-title">A map of new pictures</h2>
      <canvas
        ref={canvas}
        width={2 * side}
        height={2 * side}
        role="img"
        aria-label={`300 new pictures, near where the last layer answers alike${name ? `; ${name} picked out` : ""}. The list beside it has each class’s numbers.`}
      />
      <p class="note">
        Near means that the last layer answers alike: the two directions in which its answers spread most, at step{" "}
        {seen?.step ?? 0}. The network never sees the classes that the marks show.
      </p>
    </section>
  );
}

function ClassPanel() {
  const told = checked.value;
  const seen = reading.value;
  const known = baseline.value;
  return (
    <section class="panel classes" aria-labelledby="classes-title">
      <h2 id="classes-title">Class by class</h2>
      <ul>
        {told?.classes.map((name, label) => {
          const own = seen?.accuracy.classes[label] ?? 0;
          const random = known?.random.classes[label] ?? 0;
          return (
            <li key={name}>
              <button
                type="button"
                aria-pressed={picked.value === label}
                onClick={() => {
                  picked.value = picked.value === label ? undefined : label;
                }}
              >
                <MarkSample label={label} />
                <span class="name">{name}</span>
                <span class="share" aria-hidden="true">
                  <span class="own" style={{ width: `${100 * own}%`, background: colours[label] }} />
                  <span class="untrained" style={{ left: `${100 * random}%` }} />
                </span>
                <span class="value">
                  {seen ? `${Math.round(100 * own)} %` : "–"}
                  <span class="hidden"> named rightly, untrained {Math.round(100 * random)} %</span>
                </span>
              </button>
            </li>
          );
        })}
      </ul>
      <p class="note">
        Share of new pictures of each class whose nearest neighbours name it. The upright line is the untrained network.
        Press a class to pick it out in the map.
      </p>
    </section>
  );
}

function MarkSample({ label }: { readonly label: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    context.setTransform(2, 0, 0, 2, 0, 0);
    context.clearRect(0, 0, 14, 14);
    drawMark(context, label, 7, 7, 5);
  }, [label]);
  return <canvas ref={canvas} class="sample" width={28} height={28} aria-hidden="true" />;
}
