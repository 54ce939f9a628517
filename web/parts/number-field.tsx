// A number that is typed: taken when the field is left or Enter is pressed, and only where it can be.

import { useId, useState } from "preact/hooks";

interface Props {
  readonly title: string;
  readonly value: number;
  readonly least: number;
  readonly most: number;
  readonly whole?: boolean;
  readonly set: (value: number) => void;
}

export function NumberField({ title, value, least, most, whole = false, set }: Props) {
  const [wrong, setWrong] = useState<string | undefined>(undefined);
  const id = useId();
  const take = (text: string): void => {
    const number = Number(text);
    const fits = text.trim() !== "" && number >= least && number <= most && (!whole || Number.isInteger(number));
    setWrong(fits ? undefined : `A ${whole ? "whole " : ""}number from ${least} to ${most}.`);
    if (fits && number !== value) set(number);
  };
  return (
    <label class="field">
      <span>{title}</span>
      <input
        type="text"
        inputMode={whole ? "numeric" : "decimal"}
        value={String(value)}
        aria-invalid={wrong !== undefined}
        aria-describedby={wrong ? id : undefined}
        onChange={({ currentTarget }) => take(currentTarget.value)}
      />
      {wrong && (
        <span class="wrong" id={id}>
          {wrong}
        </span>
      )}
    </label>
  );
}
