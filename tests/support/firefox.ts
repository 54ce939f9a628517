// Firefox as Debian has it, driven by its own WebDriver BiDi over a socket: what a test of a page needs of it, and no more.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";

/** Undefined where there is none on PATH. */
export const firefoxProgram = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "firefox-esr"))
  .find((path) => existsSync(path));

export interface Firefox {
  /** Name and version, as it calls itself. */
  readonly version: string;
  /** What the page wrote to its console as an error or a warning, or threw. */
  readonly complaints: readonly string[];
  readonly open: (address: string, size: { readonly width: number; readonly height: number }) => Promise<void>;
  readonly reload: () => Promise<void>;
  /** The value of an expression in the page, which may be a promise. */
  readonly evaluate: <Value>(expression: string) => Promise<Value>;
  /** Keys one after another; U+E004 is Tab, U+E007 Enter (WebDriver, section 17.4.2). */
  readonly press: (keys: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

type Answer = { readonly id: number; readonly result?: unknown; readonly error?: string; readonly message?: string };
type Event = { readonly method: string; readonly params: { readonly level: string; readonly text: string } };

export async function openFirefox(program: string): Promise<Firefox> {
  const profile = mkdtempSync(join(tmpdir(), "saccade-firefox-"));
  const child = spawn(program, ["--headless", "--remote-debugging-port", "0", "--profile", profile, "--no-remote"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const end = async (): Promise<void> => {
    if (child.exitCode === null) {
      child.kill();
      await once(child, "exit");
    }
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  try {
    const socket = new WebSocket(`${await listening(child)}/session`);
    await once(socket, "open");
    const complaints: string[] = [];
    const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(data) as Answer | Event;
      if ("method" in message) {
        const { level, text } = message.params;
        if (level === "error" || level === "warn") complaints.push(text);
        return;
      }
      const { id, result, error, message: because } = message;
      const asked = waiting.get(id);
      waiting.delete(id);
      if (error === undefined) asked?.resolve(result);
      else asked?.reject(new Error(`${error}: ${because}`));
    });
    let asked = 0;
    const ask = <Result>(method: string, params: object): Promise<Result> =>
      new Promise((resolve, reject) => {
        waiting.set(++asked, { resolve: resolve as (value: unknown) => void, reject });
        socket.send(JSON.stringify({ id: asked, method, params }));
      });

    const session = await ask<{ capabilities: { browserName: string; browserVersion: string } }>("session.new", {
      capabilities: {},
    });
    const { browserName, browserVersion } = session.capabilities;
    await ask("session.subscribe", { events: ["log.entryAdded"] });
    const { contexts } = await ask<{ contexts: { context: string }[] }>("browsingContext.getTree", {});
    const [{ context }] = contexts;
    return {
      version: `${browserName} ${browserVersion}`,
      complaints,
      open: async (url, viewport) => {
        await ask("browsingContext.setViewport", { context, viewport });
        await ask("browsingContext.navigate", { context, url, wait: "complete" });
      },
      reload: async () => {
        await ask("browsingContext.reload", { context, wait: "complete" });
      },
      evaluate: async <Value>(expression: string): Promise<Value> => {
        const answer = await ask<{ result?: { value: string }; exceptionDetails?: { text: string } }>(
          "script.evaluate",
          {
            expression: `Promise.resolve(${expression}).then((value) => JSON.stringify(value ?? null))`,
            target: { context },
            awaitPromise: true,
          },
        );
        if (answer.exceptionDetails) throw new Error(`${expression}: ${answer.exceptionDetails.text}`);
        return JSON.parse(answer.result?.value ?? "null") as Value;
      },
      press: async (keys) => {
        const actions = [...keys].flatMap((value) => [
          { type: "keyDown", value },
          { type: "keyUp", value },
        ]);
        await ask("input.performActions", { context, actions: [{ type: "key", id: "keyboard", actions }] });
      },
      close: async () => {
        socket.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** The address that Firefox says it listens on. */
async function listening(child: ChildProcess): Promise<string> {
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stderr as NodeJS.ReadableStream })) {
    const [, address] = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(line) ?? [];
    if (address) {
      // What it says from here on nobody reads, and it must not wait for a reader.
      child.stderr?.resume();
      return address;
    }
    said.push(line);
  }
  throw new Error(`firefox ended before it listened: ${said.slice(-3).join(" ")}`);
}
