// Runs that are saved in the browser, in its private file system: one for each configuration, written by one tab at a time.

/** Saved runs that are kept; of what is more the oldest go. */
const most = 5;
/** Milliseconds that a tab waits for another to let go of a run: a page that is reloaded is still going when the next one comes. */
const patience = 2000;

export interface Saves {
  /** Takes a run for this tab until `release`; false where another tab has it, or the browser cannot. */
  readonly hold: (key: string) => Promise<boolean>;
  readonly release: () => void;
  readonly read: (key: string) => Promise<Uint8Array | undefined>;
  /** Whole or not at all. */
  readonly write: (key: string, bytes: Uint8Array) => Promise<void>;
  readonly remove: (key: string) => Promise<void>;
}

const lockOf = (key: string): string => `saccade-lab ${key}`;
const fileOf = (key: string): string => `${key}.zip`;

export function openSaves(): Saves {
  let letGo: (() => void) | undefined;
  const folder = async (): Promise<FileSystemDirectoryHandle> =>
    (await navigator.storage.getDirectory()).getDirectoryHandle("saccade-lab", { create: true });

  async function removeOldest(): Promise<void> {
    const there = await folder();
    const held = new Set((await navigator.locks.query()).held?.map(({ name }) => name));
    const files: File[] = [];
    for await (const handle of there.values()) if (handle.kind === "file") files.push(await handle.getFile());
    const old = files.sort((a, b) => b.lastModified - a.lastModified).slice(most);
    for (const { name } of old)
      if (!held.has(lockOf(name.replace(/\.zip$/, "")))) await there.removeEntry(name).catch(() => {});
  }

  return {
    hold: (key) =>
      new Promise((held) => {
        // Not where a page is not secure.
        if (navigator.locks === undefined || navigator.storage?.getDirectory === undefined) return held(false);
        navigator.locks
          .request(lockOf(key), { signal: AbortSignal.timeout(patience) }, () => {
            held(true);
            return new Promise<void>((done) => {
              letGo = done;
            });
          })
          .catch(() => held(false));
      }),
    release: () => {
      letGo?.();
      letGo = undefined;
    },
    read: async (key) => {
      try {
        const file = await (await (await folder()).getFileHandle(fileOf(key))).getFile();
        return new Uint8Array(await file.arrayBuffer());
      } catch {
        return undefined;
      }
    },
    write: async (key, bytes) => {
      const handle = await (await folder()).getFileHandle(fileOf(key), { create: true });
      // What is written goes into a file beside it, which takes its place when it is closed.
      const stream = await handle.createWritable();
      try {
        await stream.write(bytes as Uint8Array<ArrayBuffer>);
      } catch (error) {
        await stream.abort();
        throw error;
      }
      await stream.close();
      await removeOldest();
    },
    remove: async (key) => {
      await (await folder()).removeEntry(fileOf(key)).catch(() => {});
    },
  };
}
