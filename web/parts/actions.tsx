// A row of buttons that each do something at once. What is refused stays reachable, and says why.

import { useId, useState } from "preact/hooks";
import type { Option } from "./choice.tsx";

export interface Action extends Option<string> {
  /** Whether it is so already. */
  readonly pressed?: boolean;
  readonly act: () => void;
}

interface Props {
  readonly title: string;
  readonly about: string;
  readonly actions: readonly Action[];
}

export function Actions({ title, about, actions }: Props) {
  const [asked, ask] = useState<string | undefined>(undefined);
  const id = useId();
  const told = actions.find(({ value, pressed }) => (asked === undefined ? pressed : value === asked));
  return (
    <fieldset class="choice actions" onMouseLeave={() => ask(undefined)}>
      <legend>
        {title} <small>{about}</small>
      </legend>
      <div class="segments">
        {actions.map((action) => (
          <ActionButton key={action.value} action={action} words={id} ask={ask} />
        ))}
      </div>
      <p class="note" id={id}>
        {told && <Told action={told} />}
      </p>
    </fieldset>
  );
}

interface ButtonProps {
  readonly action: Action;
  /** Id of what tells about it. */
  readonly words: string;
  readonly ask: (value: string | undefined) => void;
  /** For who does not see where it stands. */
  readonly label?: string;
}

export const ActionButton = ({ action, words, ask, label }: ButtonProps) => (
  <button
    type="button"
    class={action.refused ? "refused" : undefined}
    aria-pressed={action.pressed}
    aria-disabled={action.refused !== undefined}
    aria-describedby={words}
    aria-label={label}
    onMouseEnter={() => ask(action.value)}
    onFocus={() => ask(action.value)}
    onBlur={() => ask(undefined)}
    onClick={() => {
      ask(action.value);
      if (action.refused === undefined && !action.pressed) action.act();
    }}
  >
    {action.title}
  </button>
);

export const Told = ({ action: { title, words, refused } }: { readonly action: Action }) =>
  refused === undefined ? (
    words
  ) : (
    <>
      <b>{title}: not here.</b> {refused}
    </>
  );
