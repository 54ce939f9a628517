// A number that is typed: taken when the field is left or Enter is pressed, and only where it can be.

import { useId, useState } from "preact/hooks";

interface Props {
  readonly title: string;
  /** Undefined for a moment: a default that the schema has not filled in yet. */
  readonly value: number | undefined;
  readonly least: number;
  readonly most: number;
  readonly whole?: boolean;
  readonly set: (value: number) => void;
}

export function NumberField({ title, value, least, most, whole = false, set }: Props) {
  const [wrong, setWrong] = useState<string | undefined>(undefined);
  /** What stands in the field and is not taken: the page may be drawn meanwhile. */
  const [typed, type] = useState<string | undefined>(undefined);
  const id = useId();
  const take = (text: string): void => {
    const number = Number(text);
    const fits = text.trim() !== "" && number >= least && number <= most && (!whole || Number.isInteger(number));
    setWrong(fits ? undefined : `A ${whole ? "whole " : ""}number from ${least} to ${most}.`);
    type(fits ? undefined : text);
    if (fits && number !== value) set(number);
  };
  return (
    <label class="field">
      <span>{title}</span>
      <input
        type="text"
        inputMode={whole ? "numeric" : "decimal"}
        value={typed ?? (value === undefined ? "" : String(value))}
        aria-invalid={wrong !== undefined}
        aria-describedby={wrong ? id : undefined}
        onInput={({ currentTarget }) => type(currentTarget.value)}
        onBlur={({ currentTarget }) => take(currentTarget.value)}
        onKeyDown={({ key, currentTarget }) => {
          if (key === "Enter") take(currentTarget.value);
        }}
      />
      {wrong && (
        <span class="wrong" id={id}>
          {wrong}
        </span>
      )}
    </label>
  );
}
