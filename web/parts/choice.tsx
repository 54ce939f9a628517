// A choice of one of a few: native radio buttons side by side. What is refused stays reachable, and says why.

import { useState } from "preact/hooks";

export interface Option<Value> {
  readonly value: Value;
  readonly title: string;
  readonly words: string;
  /** Why it cannot be chosen now. */
  readonly refused?: string | undefined;
}

interface Props<Value> {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly value: Value;
  readonly options: readonly Option<Value>[];
  readonly choose: (value: Value) => void;
}

export function Choice<Value extends string | number>({ name, title, about, value, options, choose }: Props<Value>) {
  const [asked, ask] = useState<Value | undefined>(undefined);
  const told = options.find((option) => option.value === (asked ?? value)) ?? options[0];
  return (
    <fieldset class="choice" onMouseLeave={() => ask(undefined)}>
      <legend>
        {title} <small>{about}</small>
      </legend>
      <div class="segments">
        {options.map((option) => (
          <label
            key={option.value}
            class={option.refused ? "refused" : undefined}
            onMouseEnter={() => ask(option.value)}
          >
            <input
              type="radio"
              name={name}
              value={option.value}
              checked={option.value === value}
              aria-disabled={option.refused !== undefined}
              aria-describedby={`${name}-words`}
              onClick={(event) => {
                ask(option.value);
                if (option.refused) event.preventDefault();
              }}
              onFocus={() => ask(option.value)}
              onBlur={() => ask(undefined)}
              onChange={(event) => {
                if (option.refused) event.preventDefault();
                else if (option.value !== value) choose(option.value);
              }}
            />
            <span>{option.title}</span>
          </label>
        ))}
      </div>
      <p class="note" id={`${name}-words`}>
        {told.refused ? (
          <>
            <b>{told.title}: not here.</b> {told.refused}
          </>
        ) : (
          told.words
        )}
      </p>
    </fieldset>
  );
}
