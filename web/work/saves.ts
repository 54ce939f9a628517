// Runs that are saved in the browser, in its private file system: two files for each configuration, written in turn and by one tab alone, so that one is
// whole when a page ends in the middle of the other.

/** Files that are kept; of what is more the oldest go. */
const most = 10;
/** Milliseconds that a tab waits for another to let go of a run: a page that is reloaded is still going when the next one comes. */
const patience = 2000;

export interface Saves {
  /** Takes a run for this tab until `release`; false where another tab has it, or the browser cannot. */
  readonly hold: (key: string) => Promise<boolean>;
  readonly release: () => void;
  /** Newest first. */
  readonly read: (key: string) => Promise<Uint8Array[]>;
  /** In place of the older one. */
  readonly write: (key: string, bytes: Uint8Array) => Promise<void>;
  readonly remove: (key: string) => Promise<void>;
}

const lockOf = (key: string): string => `saccade-lab ${key}`;
const filesOf = (key: string): string[] => [`${key}.1.zip`, `${key}.2.zip`];
const keyOf = (file: string): string => file.split(".")[0];

export function openSaves(): Saves {
  let letGo: (() => void) | undefined;
  const folder = async (): Promise<FileSystemDirectoryHandle> =>
    (await navigator.storage.getDirectory()).getDirectoryHandle("saccade-lab", { create: true });

  async function files(): Promise<File[]> {
    const all: File[] = [];
    // Chromium writes a file.zip.crswap beside it, which is gone when it is done.
    for await (const handle of (await folder()).values())
      if (handle.kind === "file" && handle.name.endsWith(".zip")) all.push(await handle.getFile());
    return all.sort((a, b) => b.lastModified - a.lastModified);
  }

  async function removeOldest(): Promise<void> {
    const there = await folder();
    const held = new Set((await navigator.locks.query()).held?.map(({ name }) => name));
    for (const { name } of (await files()).slice(most))
      if (!held.has(lockOf(keyOf(name)))) await there.removeEntry(name).catch(() => {});
  }

  /** With bytes in them: one that was begun and not ended may have none. */
  const savedOf = async (key: string): Promise<File[]> =>
    (await files()).filter(({ name, size }) => keyOf(name) === key && size > 0);

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
    read: async (key) =>
      Promise.all((await savedOf(key)).map(async (file) => new Uint8Array(await file.arrayBuffer()))),
    write: async (key, bytes) => {
      const [newest] = await savedOf(key);
      const name = filesOf(key).find((one) => one !== newest?.name) as string;
      const handle = await (await folder()).getFileHandle(name, { create: true });
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
      const there = await folder();
      for (const name of filesOf(key)) await there.removeEntry(name).catch(() => {});
    },
  };
}
