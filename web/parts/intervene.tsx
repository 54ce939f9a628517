// Intervene: changes of the run as it stands, from this step on, and a list of those that it has had. On a phone a sheet at the bottom.

import { useState } from "preact/hooks";
import type { UpdateName } from "../../src/training/registry.ts";
import { intervene, keepInterventions } from "../engine.ts";
import type { Change, StageSeen } from "../messages.ts";
import { notIntervened, raw, run, stage } from "../state.ts";
import { updateWords } from "../words.ts";
import { Actions } from "./actions.tsx";
import { LayerActions } from "./layer-actions.tsx";
import { NumberField } from "./number-field.tsx";
import { sentenceOf } from "./told.ts";

const updates = Object.keys(updateWords) as UpdateName[];

export function Intervene() {
  const [open] = useState(() => matchMedia("(width >= 560px)").matches);
  const { step, ended, playing } = run.value;
  const now = stage.value;
  const begun = step > 0 && !ended;
  return (
    <details class="panel intervene" open={open}>
      <summary>
        <h2 id="intervene-title">Intervene</h2>{" "}
        {begun && <span>{playing ? "from this step on" : `from step ${step} on`}</span>}
      </summary>
      <p class="note">
        {begun
          ? "Change this run in mid-course: what it has learnt so far stays. (What is set under “How it learns” begins anew.)"
          : ended
            ? "This run has come to its end. Reset begins it anew; then it can be changed in mid-course."
            : "Once it has taken a step, you can change this run in mid-course: swap its rule, cut a wire, freeze a layer. Press Play."}
      </p>
      {begun && now && <Controls now={now} />}
      {notIntervened.value !== undefined && (
        <p class="wrong" role="alert">
          {notIntervened.value}
        </p>
      )}
      <List />
    </details>
  );
}

function Controls({ now }: { readonly now: StageSeen }) {
  const { config, refusals } = now;
  const { loss, optimiser, batch } = config;
  const hinge = loss.kind === "contrastiveHinge" ? loss : undefined;
  const set = (part: NonNullable<Change["set"]>) => intervene({ set: part });
  return (
    <div class="groups">
      <div>
        <Actions
          title="Swap the rule"
          about="where the error comes from"
          actions={updates.map((update) => ({
            value: update,
            title: update,
            words: updateWords[update],
            refused: refusals[update] && sentence(refusals[update]),
            pressed: update === config.update,
            act: () => set({ update }),
          }))}
        />
        {hinge && (
          <Actions
            title="Negatives"
            about="strangers to push away"
            actions={([0, 1, 5, "all"] as const).map((negatives) => ({
              value: String(negatives),
              title: String(negatives),
              words:
                negatives === 0
                  ? "From here on nothing is pushed away."
                  : `A view is pushed away from ${negatives === "all" ? `all ${batch - 1} other pictures of its batch` : negatives === 1 ? "the next picture alone" : `the next ${negatives} pictures`}.`,
              pressed: negatives === hinge.negatives,
              act: () => set({ loss: { negatives } }),
            }))}
          />
        )}
      </div>
      <div>
        <LayerActions now={now} />
        <details class="numbers">
          <summary>Rate and margins</summary>
          <NumberField
            title="Learning rate from here on"
            value={optimiser.learningRate}
            least={1e-7}
            most={1}
            set={(learningRate) => set({ learningRate })}
          />
          {hinge && <Margins hinge={hinge} set={(loss) => set({ loss })} />}
        </details>
      </div>
    </div>
  );
}

type Hinge = Extract<StageSeen["config"]["loss"], { kind: "contrastiveHinge" }>;

function Margins({ hinge, set }: { readonly hinge: Hinge; readonly set: (part: Partial<Hinge>) => void }) {
  return (
    <>
      <div class="two">
        <NumberField title="m1 from here on" value={hinge.m1} least={0} most={hinge.m2} set={(m1) => set({ m1 })} />
        <NumberField title="m2 from here on" value={hinge.m2} least={hinge.m1} most={1000} set={(m2) => set({ m2 })} />
      </div>
      <label class="switch">
        <input
          type="checkbox"
          checked={hinge.gradientBlock}
          onChange={({ currentTarget }) => set({ gradientBlock: currentTarget.checked })}
        />
        <span>Gradient block</span>
      </label>
    </>
  );
}

/** "learning GLL with update DTP: targets travel …" without its first half, which the button says. */
function sentence(refusal: string): string {
  const rest = refusal.slice(refusal.indexOf(": ") + 2);
  return `${rest[0].toUpperCase()}${rest.slice(1)}.`;
}

function List() {
  const all = (raw.value.interventions ?? []) as readonly (Change & { readonly step: number })[];
  const { step } = run.value;
  return (
    <section class="interventions" aria-label="Interventions of this run">
      <div role="status">
        {all.length > 0 && (
          <ol>
            {all.map((one, i) => (
              <li key={`${one.step}-${i}`} class={one.step > step ? "to-come" : undefined}>
                <b>step {one.step}</b> {sentenceOf(one)}
                {one.step > step && <i> (to come)</i>}
              </li>
            ))}
          </ol>
        )}
      </div>
      {all.length > 0 && (
        <>
          <div class="take-back">
            <button type="button" onClick={() => keepInterventions(all.slice(0, -1))}>
              Take the last back
            </button>
            {all.length > 1 && (
              <button type="button" onClick={() => keepInterventions([])}>
                Take all back
              </button>
            )}
          </div>
          <p class="note">
            They are in the address. Reset plays them again at the same steps; to take one back is to begin anew without
            it, for what it did is in the weights.
          </p>
        </>
      )}
    </section>
  );
}
