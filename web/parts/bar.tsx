// The bar at the top: Play, Step, Reset, the pace, where the run stands, and sharing.

import { pause, play, reset, setPace, step, threads } from "../engine.ts";
import { pace, run } from "../state.ts";
import { Share } from "./share.tsx";

const paces: readonly { readonly title: string; readonly steps: number | undefined }[] = [
  { title: "as fast as it goes", steps: undefined },
  { title: "10 steps a second", steps: 10 },
  { title: "2 steps a second", steps: 2 },
];

export const Bar = () => (
  <header class="bar">
    <h1>
      Saccade <span>lab</span>
    </h1>
    <div class="playing">
      <PlayButton />
      <button type="button" onClick={step} disabled={!run.value.made || run.value.ended} aria-keyshortcuts="S">
        Step
      </button>
      <button type="button" onClick={reset} aria-keyshortcuts="R">
        Reset
      </button>
      <button
        type="button"
        class="to-rule"
        onClick={() => document.querySelector(".rule")?.scrollIntoView({ behavior: "instant" })}
      >
        Rule
      </button>
    </div>
    <label class="pace">
      <span>Pace</span>
      <select
        onChange={({ currentTarget }) => setPace(paces[currentTarget.selectedIndex].steps)}
        value={paces.find(({ steps }) => steps === pace.value)?.title}
      >
        {paces.map(({ title }) => (
          <option key={title}>{title}</option>
        ))}
      </select>
    </label>
    <Where />
    <Share />
  </header>
);

function PlayButton() {
  const { made, playing, ended } = run.value;
  return (
    <button
      type="button"
      class="play"
      onClick={playing ? pause : play}
      disabled={!playing && (!made || ended)}
      aria-keyshortcuts="Space"
    >
      {playing ? "Pause" : "Play"}
    </button>
  );
}

const number = new Intl.NumberFormat("en");

function Where() {
  const { made, step: at, totalSteps, viewsPerSecond, layer, ended, recorded, engine } = run.value;
  const where =
    threads === "here"
      ? "one thread: this address may not share memory between threads"
      : `WebAssembly, ${threads} ${threads === 1 ? "thread" : "threads"}`;
  return (
    <p class="where">
      <span>
        {made ? (
          <>
            step <b>{number.format(at)}</b> of {number.format(totalSteps)}
          </>
        ) : (
          "getting ready …"
        )}
        {recorded ? ", a recorded run" : ended && ", done"}
      </span>
      {layer !== undefined && <span>layer {layer} learns</span>}
      {viewsPerSecond !== undefined && <span>{number.format(Math.round(viewsPerSecond))} views/s</span>}
      <span class="engine" title={engine}>
        {where}
      </span>
    </p>
  );
}
