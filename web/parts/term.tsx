// A word with its explanation: on hover, on focus, on a tap.

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

export function Term({ words, children }: { readonly words: string; readonly children: ComponentChildren }) {
  const id = useId();
  return (
    <span class="term">
      <button
        type="button"
        aria-describedby={id}
        onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
      >
        {children}
      </button>
      <span role="tooltip" id={id}>
        {words}
      </span>
    </span>
  );
}
