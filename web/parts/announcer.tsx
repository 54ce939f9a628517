// What a screen reader is told while it plays: a sentence, every eight seconds at most, and when it stops.

import { useEffect, useState } from "preact/hooks";
import { baseline, curves, reading, run } from "../state.ts";

const every = 8000;

function sentence(): string {
  const { step, playing, ended, made } = run.value;
  if (!made) return "";
  const loss = curves.value.losses.at(-1);
  const [own, random] = [reading.value?.accuracy.all, baseline.value?.random.all];
  const percent = (share: number): string => `${Math.round(100 * share)} per cent`;
  const parts = [
    `${ended ? "Done at step" : playing ? "Step" : "Paused at step"} ${step}`,
    ...(loss === undefined ? [] : [`loss ${Number(loss.toPrecision(3))}`]),
    ...(own === undefined ? [] : [`accuracy ${percent(own)}`]),
    ...(random === undefined ? [] : [`untrained network ${percent(random)}`]),
  ];
  return `${parts.join(", ")}.`;
}

export function Announcer() {
  const [told, tell] = useState("");
  const { playing } = run.value;
  useEffect(() => {
    tell(sentence());
    if (!playing) return undefined;
    const timer = setInterval(() => tell(sentence()), every);
    return () => clearInterval(timer);
  }, [playing]);
  return (
    <p class="hidden" role="status" aria-live="polite">
      {told}
    </p>
  );
}
