// The page: puts its parts in place, listens to the keyboard, and starts with the configuration that the address holds.

import { render } from "preact";
import { base } from "./configuration.ts";
import { configure, pause, play, reset, step } from "./engine.ts";
import { Announcer } from "./parts/announcer.tsx";
import { Bar } from "./parts/bar.tsx";
import { later } from "./parts/later.tsx";
import { Pairs } from "./parts/pairs.tsx";
import { fromHash } from "./share.ts";
import * as state from "./state.ts";

const Saved = later("saved", async () => (await import("./parts/saved.tsx")).Saved);
const LossPanel = later("panel loss", async () => (await import("./parts/curves.tsx")).LossPanel);
const AccuracyPanel = later("panel accuracy", async () => (await import("./parts/curves.tsx")).AccuracyPanel);
const Rule = later("panel rule", async () => (await import("./parts/rule.tsx")).Rule);
const Stories = later("panel stories", async () => (await import("./parts/stories.tsx")).Stories);
const Apart = later("panel apart", async () => (await import("./parts/apart.tsx")).ApartPanel);
const Intervene = later("panel intervene", async () => (await import("./parts/intervene.tsx")).Intervene);
const Network = later("panel network", async () => (await import("./parts/network.tsx")).Network);
const Audit = later("panel audit", async () => (await import("./parts/audit.tsx")).Audit);
const AnglesPanel = later("panel angles", async () => (await import("./parts/angles.tsx")).AnglesPanel);
const Learnt = later("panel map", async () => (await import("./parts/learnt.tsx")).Learnt);

const Lab = () => (
  <>
    <Bar />
    <Problem />
    <Saved />
    <main>
      <p class="opening">
        This network looks at two glimpses of the same thing; nobody tells it what it is. Press Play, then change how it
        learns.
      </p>
      <Stories />
      <div class="controls">
        <Rule />
        <Audit />
      </div>
      <div class="seen">
        <Pairs />
        <Network />
        <Intervene />
        <Apart />
        <Learnt />
      </div>
      <div class="measured">
        <LossPanel />
        <AccuracyPanel />
        <AnglesPanel />
      </div>
    </main>
    <Announcer />
  </>
);

const Problem = () =>
  state.problem.value === undefined ? null : (
    <div class="problem" role="alert">
      <span>{state.problem.value}</span>
      <button type="button" onClick={() => configure(base)}>
        Start with the page’s own
      </button>
    </div>
  );

const ownKeys = "a, button, input, select, textarea, summary, [tabindex]";

addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const own = target instanceof Element && target.closest(ownKeys) !== null;
  const typing =
    target instanceof Element &&
    target.closest("input:not([type=radio]):not([type=checkbox]), select, textarea") !== null;
  if (key === " " && !own) {
    event.preventDefault();
    if (state.run.value.playing) pause();
    else play();
  } else if (key === "s" && !typing) step();
  else if (key === "r" && !typing) reset();
});

function openAddress(): void {
  const opened = fromHash(location.hash);
  if ("raw" in opened) configure(opened.raw);
  else {
    configure(base);
    state.problem.value = opened.refused;
  }
}

render(<Lab />, document.getElementById("lab") as HTMLElement);
openAddress();
addEventListener("hashchange", openAddress);
