// What can be done to one layer of a run as it stands: cut or shuffle the wires that carry the error down from it, freeze it.

import { useId, useState } from "preact/hooks";
import { intervene } from "../engine.ts";
import type { StageSeen } from "../messages.ts";
import { type Action, ActionButton, Told } from "./actions.tsx";

/** Feedback that learns grows again after a cut. */
const learns = (update: string): boolean => update === "URF" || update === "KP" || update === "DTP";

/** Why there are no wires to change. */
function withoutWires({ config: { update }, wires }: StageSeen, layer: string): string | undefined {
  if (wires.includes(layer)) return undefined;
  if (wires.length === 0)
    return `${update} has no wires of its own: the error comes down through the weights themselves. Swap the rule first.`;
  return `Under ${update} no feedback wires belong to ${layer}, but to ${wires.join(", ")}.`;
}

function actionsOf(now: StageSeen, layer: string): readonly Action[] {
  const none = withoutWires(now, layer);
  const cut = now.changed[layer] === "cut" && !learns(now.config.update);
  const frozen = now.frozen.includes(layer);
  return [
    {
      value: `${layer} cut`,
      title: "Cut",
      words: `The feedback weights of ${layer} become zero: no error passes them.${learns(now.config.update) ? ` Under ${now.config.update} they learn, and may grow again.` : ""}`,
      refused: none,
      pressed: cut,
      act: () => intervene({ cutFeedback: layer }),
    },
    {
      value: `${layer} shuffled`,
      title: "Shuffle",
      words: `The feedback weights of ${layer} change places among themselves: their numbers stay, what they know of the forward weights goes.`,
      refused: none ?? (cut ? "They are cut: all are zero." : undefined),
      act: () => intervene({ shuffleFeedback: layer }),
    },
    frozen
      ? {
          value: `${layer} frozen`,
          title: "Unfreeze",
          words: `${layer} learns again.`,
          act: () => intervene({ unfreeze: layer }),
        }
      : {
          value: `${layer} frozen`,
          title: "Freeze",
          words: `${layer} learns no more; the others go on.`,
          act: () => intervene({ freeze: layer }),
        },
  ];
}

export function LayerActions({ now }: { readonly now: StageSeen }) {
  const [asked, ask] = useState<string | undefined>(undefined);
  const id = useId();
  const rows = [...new Set([...now.layers, ...now.wires])].map((layer) => ({ layer, actions: actionsOf(now, layer) }));
  const told = rows.flatMap(({ actions }) => actions).find(({ value }) => value === asked);
  const none = now.wires.length === 0 ? withoutWires(now, "") : undefined;
  return (
    <fieldset class="choice actions layer-actions" onMouseLeave={() => ask(undefined)}>
      <legend>
        One layer <small>its feedback wires, its learning</small>
      </legend>
      <ul>
        {rows.map(({ layer, actions }) => (
          <li key={layer}>
            <b>{layer}</b>
            {actions.map((action) => (
              <ActionButton
                key={action.value}
                action={action}
                words={id}
                ask={ask}
                label={`${action.title} ${layer}`}
              />
            ))}
          </li>
        ))}
      </ul>
      <p class="note" id={id}>
        {told ? <Told action={told} /> : none}
      </p>
    </fieldset>
  );
}
