// How the network learns: Learning × Update × Loss, negatives, gradient block, and behind a disclosure the numbers.

import type { Config } from "../../src/training/config.ts";
import type { LearningName, LossName, UpdateName } from "../../src/training/registry.ts";
import { lossTitles, type PageNetwork, pageNetworks, withLoss, withNetwork, withPart } from "../configuration.ts";
import { change } from "../engine.ts";
import { checked, raw, shown } from "../state.ts";
import { blockWords, learningWords, lossWords, updateWords } from "../words.ts";
import { Choice } from "./choice.tsx";
import { NumberField } from "./number-field.tsx";
import { Term } from "./term.tsx";

const learnings = Object.keys(learningWords) as LearningName[];
const updates = Object.keys(updateWords) as UpdateName[];
const losses = (Object.keys(lossWords) as LossName[]).filter((name) => name !== "clappPatches");

export function Rule() {
  const config = shown.value;
  if (config === undefined) return <section class="panel rule" aria-busy="true" />;
  const offered = <Name extends string>(
    names: readonly Name[],
    words: Readonly<Record<Name, string>>,
    titles?: Readonly<Record<Name, string>>,
  ) =>
    names.map((value) => ({
      value,
      title: titles?.[value] ?? value,
      words: words[value],
      refused: reason(checked.value?.refusals[value]),
    }));
  return (
    <section class="panel rule" aria-labelledby="rule-title">
      <h2 id="rule-title">How it learns</h2>
      <Choice
        name="learning"
        title="Learning"
        about="which layers, and when"
        value={config.learning}
        options={offered(learnings, learningWords)}
        choose={(learning) => change({ ...raw.value, learning })}
      />
      <Choice
        name="update"
        title="Update"
        about="where the error comes from"
        value={config.update}
        options={offered(updates, updateWords)}
        choose={(update) => change({ ...raw.value, update })}
      />
      <Choice
        name="loss"
        title="Loss"
        about="what is asked of it"
        value={config.loss.kind}
        options={offered(losses, lossWords, lossTitles)}
        choose={(loss) => change(withLoss(raw.value, loss))}
      />
      {config.loss.kind === "contrastiveHinge" && <Hinge config={config} loss={config.loss} />}
      <Numbers config={config} />
    </section>
  );
}

/** "learning GLL with update DTP: targets travel …; use E2E" without its first half, which the buttons say. */
const reason = (sentence: string | undefined): string | undefined => {
  const rest = sentence?.slice(sentence.indexOf(": ") + 2);
  return rest === undefined ? undefined : `${rest[0].toUpperCase()}${rest.slice(1)}.`;
};

type HingeLoss = Extract<Config["loss"], { kind: "contrastiveHinge" }>;

function Hinge({ config, loss }: { readonly config: Config; readonly loss: HingeLoss }) {
  const set = (part: Partial<HingeLoss>): void => change(withPart(raw.value, "loss", part));
  const counts = ["0", "1", "5", "all"] as const;
  const few = String(loss.negatives);
  const shown = counts.some((count) => count === few) ? counts : ([...counts, few] as const);
  return (
    <>
      <Choice
        name="negatives"
        title="Negatives"
        about="strangers to push away"
        value={few}
        options={shown.map((value) => ({
          value,
          title: value,
          words:
            value === "0"
              ? "Nothing is pushed away: the loss is content once all views are alike enough."
              : value === "all"
                ? `A view is pushed away from all ${config.batch - 1} other pictures of its batch.`
                : `A view is pushed away from the next ${value === "1" ? "picture" : `${value} pictures`} alone: less to remember.`,
        }))}
        choose={(value) => set({ negatives: value === "all" ? "all" : Number(value) })}
      />
      <label class="switch">
        <input
          type="checkbox"
          checked={loss.gradientBlock}
          onChange={({ currentTarget }) => set({ gradientBlock: currentTarget.checked })}
        />
        <span>Gradient block</span>
      </label>
      <p class="note">{blockWords}</p>
    </>
  );
}

function Numbers({ config }: { readonly config: Config }) {
  const { loss, optimiser, encoder, batch, seed, epochs } = config;
  return (
    <details class="numbers">
      <summary>Network and numbers</summary>
      <label class="field">
        <span>Network</span>
        <select
          value={typeof encoder === "string" ? encoder : encoder.name}
          onChange={({ currentTarget }) => change(withNetwork(raw.value, currentTarget.value as PageNetwork))}
        >
          {Object.entries(pageNetworks).map(([name, { title }]) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <NumberField
        title="Learning rate"
        value={optimiser.learningRate}
        least={1e-7}
        most={1}
        set={(learningRate) => change(withPart(raw.value, "optimiser", { learningRate }))}
      />
      {loss.kind === "contrastiveHinge" && (
        <div class="two">
          <NumberField
            title="Margin m1"
            value={loss.m1}
            least={0}
            most={loss.m2}
            set={(m1) => change(withPart(raw.value, "loss", { m1 }))}
          />
          <NumberField
            title="Margin m2"
            value={loss.m2}
            least={loss.m1}
            most={1000}
            set={(m2) => change(withPart(raw.value, "loss", { m2 }))}
          />
        </div>
      )}
      {loss.kind === "simclr" && (
        <NumberField
          title="Temperature"
          value={loss.temperature}
          least={0.001}
          most={10}
          set={(temperature) => change(withPart(raw.value, "loss", { temperature }))}
        />
      )}
      <div class="two">
        <NumberField
          title="Pictures a batch"
          value={batch}
          least={2}
          most={256}
          whole
          set={(value) => change({ ...raw.value, batch: value })}
        />
        <NumberField
          title="Epochs"
          value={epochs}
          least={1}
          most={1000}
          whole
          set={(value) => change({ ...raw.value, epochs: value })}
        />
      </div>
      <NumberField
        title="Seed"
        value={seed}
        least={0}
        most={2 ** 32 - 1}
        whole
        set={(value) => change({ ...raw.value, seed: value })}
      />
      <p class="note">
        <Term words="Weights, order of the pictures, crops and colours all follow from it: the same seed gives the same bytes, here and on the command line.">
          Seed
        </Term>{" "}
        and everything above are in the address. Each change begins anew; the curves of the run before stay as a shadow.
      </p>
    </details>
  );
}
