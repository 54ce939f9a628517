// The buttons that open the dialogs of Share and Files, which are fetched when they are pressed.

import type { FunctionComponent } from "preact";
import { useState } from "preact/hooks";

type Dialog = FunctionComponent<{ readonly close: () => void }>;

interface Props {
  readonly title: string;
  readonly load: () => Promise<Dialog>;
}

function Opener({ title, load }: Props) {
  const [Opened, open] = useState<Dialog | undefined>(undefined);
  return (
    <>
      <button type="button" class="share" onClick={() => void load().then((dialog) => open(() => dialog))}>
        {title}
      </button>
      {Opened && <Opened close={() => open(undefined)} />}
    </>
  );
}

export const Share = () => (
  <>
    <Opener title="Share" load={async () => (await import("./share-dialog.tsx")).ShareDialog} />
    <Opener title="Files" load={async () => (await import("./files-dialog.tsx")).FilesDialog} />
  </>
);
