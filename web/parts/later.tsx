// Parts of the page that are fetched once Play can be pressed: what they show is not known before.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { run } from "../state.ts";

/** A part whose place stands empty, with these classes, until its script has come. */
export function later(classes: string, load: () => Promise<ComponentType>): ComponentType {
  return function Later() {
    const [Part, show] = useState<ComponentType | undefined>(undefined);
    const { made } = run.value;
    useEffect(() => {
      if (made && Part === undefined) void load().then((part) => show(() => part));
    }, [made, Part]);
    return Part ? <Part /> : <section class={classes} aria-busy="true" />;
  };
}
