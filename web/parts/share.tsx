// The button that opens the dialog of parts/share-dialog.tsx, which is fetched when it is pressed.

import type { FunctionComponent } from "preact";
import { useState } from "preact/hooks";

export function Share() {
  const [Dialog, open] = useState<FunctionComponent<{ readonly close: () => void }> | undefined>(undefined);
  return (
    <>
      <button
        type="button"
        class="share"
        onClick={() => void import("./share-dialog.tsx").then(({ ShareDialog }) => open(() => ShareDialog))}
      >
        Share
      </button>
      {Dialog && <Dialog close={() => open(undefined)} />}
    </>
  );
}
