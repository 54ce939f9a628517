// The dialog of Share: the address that holds the configuration, and the YAML that trains it on the command line.

import { useEffect, useRef, useState } from "preact/hooks";
import { own } from "../engine.ts";
import { raw } from "../state.ts";
import { toYaml } from "../yaml.ts";

export function ShareDialog({ close }: { readonly close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [copied, setCopied] = useState("");
  const copy = async (what: string, text: string): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(`${what} copied.`);
    } catch {
      setCopied("This browser does not let the page copy; mark the text and copy it by hand.");
    }
  };
  const yaml = toYaml(raw.value);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="share-title" onClose={close}>
      <h2 id="share-title">Share this experiment</h2>
      <p>
        {own.value
          ? "Your own pictures stay in this browser: the address and the YAML hold the same configuration for rendered solids."
          : "The address holds the whole configuration and the seed: whoever opens it trains the same network, bit for bit."}
      </p>
      <div class="copied-text">
        <input
          readOnly
          value={location.href}
          aria-label="Address"
          onFocus={({ currentTarget }) => currentTarget.select()}
        />
        <button type="button" onClick={() => void copy("Address", location.href)}>
          Copy address
        </button>
      </div>
      <h3>On the command line</h3>
      <p>
        {own.value ? "That configuration" : "The same"} as a file: <code>npx saccade train lab.yaml</code>{" "}
        {own.value ? "trains it" : "takes the same steps"}, with checkpoints and figures.
      </p>
      <section class="yaml" tabIndex={0} aria-label="Configuration as YAML">
        <pre>{yaml}</pre>
      </section>
      <div class="dialog-buttons">
        <button type="button" onClick={() => void copy("Configuration", yaml)}>
          Copy configuration
        </button>
        <a class="button" download="lab.yaml" href={`data:text/yaml;charset=utf-8,${encodeURIComponent(yaml)}`}>
          Save lab.yaml
        </a>
        <button type="button" class="play" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
      <p role="status">{copied}</p>
    </dialog>
  );
}
