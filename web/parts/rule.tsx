// How the network learns from its first step on: Learning × Update × Loss, negatives, gradient block, and behind a disclosure the numbers.

import type { Config } from "../../src/training/config.ts";
import type { LearningName, LossName, UpdateName } from "../../src/training/registry.ts";
import { labelled, lossTitles, withLoss, withPart } from "../configuration.ts";
import { change, own } from "../engine.ts";
import { checked, raw, run, shown } from "../state.ts";
import { blockWords, learningWords, lossWords, updateWords } from "../words.ts";
import { Choice } from "./choice.tsx";
import { Numbers } from "./numbers.tsx";

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
      <p class="note">
        {run.value.step === 0
          ? "From its first step on."
          : "From its first step on: a change here begins anew. To change this run as it stands, intervene."}
      </p>
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
        options={offered(losses, lossWords, lossTitles).map((loss) =>
          own.value && labelled(loss.value) ? { ...loss, refused: "Your own pictures come without names." } : loss,
        )}
        choose={(loss) => change(withLoss(raw.value, loss))}
      />
      {config.loss.kind === "contrastiveHinge" && <Hinge config={config} loss={config.loss} />}
      <Numbers />
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
