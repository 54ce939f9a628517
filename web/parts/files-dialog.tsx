// The dialog of Files: the run as a zip that the command line takes, opening such a zip or a checkpoint, and pictures to train on.

import { useEffect, useRef } from "preact/hooks";
import { own } from "../engine.ts";
import { exportRun, openFile, openPictures } from "../files.ts";

export function FilesDialog({ close }: { readonly close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="files-title" onClose={close}>
      <h2 id="files-title">Download this run, or open one</h2>
      <h3>Export</h3>
      {own.value ? (
        <p>
          A run on your own pictures cannot be saved as a zip, because its pictures stay in this browser.{" "}
          <code>saccade train</code> trains on a folder of pictures and saves such runs: see{" "}
          <code>configs/own-pictures.yaml</code>.
        </p>
      ) : (
        <>
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
        </>
      )}
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
      <h3>Train on your own pictures</h3>
      <p>
        PNG, JPEG or WebP, at least as many as a batch takes. Each is cut to its central square and scaled to the
        network’s size. You can also drop several pictures on the page. They need no names, and nothing is uploaded.
      </p>
      <div class="two-files">
        <PicturesInput title="Pictures" close={() => dialog.current?.close()} />
        <PicturesInput title="A folder of pictures" folder close={() => dialog.current?.close()} />
      </div>
      <div class="dialog-buttons">
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
    </dialog>
  );
}

interface PicturesProps {
  readonly title: string;
  readonly folder?: boolean;
  readonly close: () => void;
}

const PicturesInput = ({ title, folder = false, close }: PicturesProps) => (
  <label class="file">
    <span>{title}</span>
    <input
      type="file"
      multiple
      ref={(input) => {
        if (input) input.webkitdirectory = folder;
      }}
      accept={folder ? undefined : "image/png,image/jpeg,image/webp"}
      onChange={({ currentTarget }) => {
        const files = [...(currentTarget.files ?? [])];
        if (files.length > 0) void openPictures(files);
        close();
      }}
    />
  </label>
);
