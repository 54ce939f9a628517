// The dialog of Files: the run as a zip that the command line takes, and opening such a zip or a checkpoint.

import { useEffect, useRef } from "preact/hooks";
import { exportRun, openFile } from "../files.ts";

export function FilesDialog({ close }: { readonly close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="files-title" onClose={close}>
      <h2 id="files-title">Download this run, or open one</h2>
      <h3>Export</h3>
      <p>
        The run as it is now: configuration, metrics, checkpoint and curves. Unpacked, it is a run folder:{" "}
        <code>npx saccade train --resume</code> continues it, and <code>saccade probe</code> and{" "}
        <code>saccade export</code> read it.
      </p>
      <div class="dialog-buttons">
        <button
          type="button"
          class="play"
          onClick={() => {
            exportRun();
            dialog.current?.close();
          }}
        >
          Save as zip
        </button>
      </div>
      <h3>Open</h3>
      <p>
        The zip of a run folder, from this page or from the command line, or a checkpoint (.safetensors) of the current
        configuration. You can also drop the file anywhere on the page. Nothing is uploaded.
      </p>
      <label class="file">
        <span>Run or checkpoint</span>
        <input
          type="file"
          accept=".zip,.safetensors"
          onChange={({ currentTarget }) => {
            const [file] = currentTarget.files ?? [];
            if (file) void openFile(file);
            dialog.current?.close();
          }}
        />
      </label>
      <div class="dialog-buttons">
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
    </dialog>
  );
}
