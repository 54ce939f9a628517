// Downloads one published file: several addresses in order, each tried again where the line fails, going on where it broke off.
//
// Node's own http, not fetch: fetch would unpack what a server labels as gzip, and the checksum is of what is published.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeFolders } from "../files/folders.ts";
import { SaccadeError } from "../program/errors.ts";
import type { Published } from "./sources.ts";

export interface DownloadOptions {
  readonly onProgress?: (file: string, done: number, total: number) => void;
  /** Stops at once; what has come stays for the next time. */
  readonly signal?: AbortSignal | undefined;
  /** Tries of an address in a row that bring it no further; default 4. */
  readonly tries?: number;
  /** Milliseconds before the second try, doubled for each that follows; default 1000. */
  readonly pause?: number;
  /** Milliseconds of silence after which a connection counts as broken; default 30 000. */
  readonly patience?: number;
}

/** No address has brought the file; the message says what each did. */
export class NoAddress extends Error {}
/** An address will not bring the file, however often it is asked. */
class Refused extends Error {}
/** Another try may mend it. */
class Broken extends Error {}

/** Codes of a line that failed; any other says that there is no way to the address. */
const lineFailures = ["ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT"];
const passingStatus = [408, 425, 429, 500, 502, 503, 504];
const redirects = [301, 302, 303, 307, 308];

/** Puts the file at `path`, whole and with the published checksum, or throws and leaves at most parts beside it. */
export async function download(
  addresses: readonly string[],
  path: string,
  published: Published,
  options: DownloadOptions = {},
): Promise<void> {
  await written(path, async () => makeFolders(dirname(path)));
  const failures: string[] = [];
  for (const address of addresses) {
    const part = partOf(path, address);
    try {
      await bring(address, part, published, options);
      await written(path, () => rename(part, path));
      for (const other of addresses) await discard(partOf(path, other));
      return;
    } catch (error) {
      if (!(error instanceof Refused || error instanceof Broken)) throw error;
      failures.push(`${address} ${error.message}`);
    }
  }
  throw new NoAddress(failures.join("; "));
}

/** Each address has a part of its own, so that bytes of two servers are never joined. */
const partOf = (path: string, address: string): string =>
  `${path}.${createHash("md5").update(address).digest("hex").slice(0, 8)}.part`;

/** What a server calls this version of the file, by which it knows it again. */
const noteOf = (part: string): string => `${part}.version`;

async function discard(part: string): Promise<void> {
  for (const path of [part, noteOf(part)]) await rm(path, { force: true });
}

/** Makes the part whole and checks it. */
async function bring(address: string, part: string, published: Published, options: DownloadOptions): Promise<void> {
  const { tries = 4, pause = 1000, signal } = options;
  let most = await sizeOf(part);
  let failed = 0;
  for (;;) {
    const before = await sizeOf(part);
    try {
      await transfer(address, part, published, options);
      const md5 = await md5Of(part, signal);
      if (md5 === published.md5) return;
      await discard(part);
      const sentence = `sends other bytes: their MD5 is ${md5}, published is ${published.md5}`;
      throw before > 0 ? new Broken(sentence) : new Refused(sentence);
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      const now = await sizeOf(part);
      failed = now > most ? 1 : failed + 1;
      most = Math.max(most, now);
      if (failed >= tries) throw error;
      await sleep(pause * 2 ** (failed - 1), undefined, { signal });
    }
  }
}

/** One request: the rest of the part where the server still has the same version, else the whole file. */
async function transfer(
  address: string,
  part: string,
  { name, bytes }: Published,
  { onProgress, signal, patience = 30_000 }: DownloadOptions,
): Promise<void> {
  const version = await versionOf(part);
  let have = version === undefined ? 0 : await sizeOf(part);
  if (have === bytes) return;
  if (have > bytes) have = 0;
  const range = have > 0 ? { range: `bytes=${have}-`, ...(version ? { "if-range": version } : {}) } : {};
  const response = await ask(address, { "accept-encoding": "identity", ...range }, patience, signal);
  const { statusCode: status = 0, headers } = response;
  try {
    if (status === 206) {
      const sent = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers["content-range"] ?? "");
      if (Number(sent?.[1]) !== have || Number(sent?.[2]) !== bytes || version !== versionIn(headers)) {
        await discard(part);
        throw new Broken("has changed the file between two parts of it");
      }
    } else if (status === 200) {
      have = 0;
      const length = headers["content-length"];
      if (length !== undefined && Number(length) !== bytes)
        throw new Refused(`has ${length} bytes where ${bytes} are published`);
    } else {
      // A range that cannot be satisfied: what we have is not of this file.
      if (status === 416) await discard(part);
      throw new (status === 416 || passingStatus.includes(status) ? Broken : Refused)(`answered ${status}`);
    }
    if (have === 0) await written(part, () => writeFile(noteOf(part), versionIn(headers)));
    const file = await written(part, () => open(part, have > 0 ? "a" : "w"));
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        have += chunk.length;
        if (have > bytes) break;
        await written(part, () => file.writeFile(chunk));
        onProgress?.(name, have, bytes);
      }
      await written(part, () => file.sync());
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Refused || error instanceof Broken || error instanceof SaccadeError) throw error;
    signal?.throwIfAborted();
    throw new Broken(`broke off after ${have} of ${bytes} bytes (${(error as NodeJS.ErrnoException).code})`);
  } finally {
    response.destroy();
  }
  if (have > bytes) {
    await discard(part);
    throw new Refused(`sends more than the ${bytes} bytes that are published`);
  }
  if (have < bytes) throw new Broken(`broke off after ${have} of ${bytes} bytes`);
}

/** The answer, behind redirects. */
async function ask(
  address: string,
  headers: Readonly<Record<string, string>>,
  patience: number,
  signal: AbortSignal | undefined,
  hops = 5,
): Promise<IncomingMessage> {
  const url = new URL(address);
  if (url.protocol !== "https:" && url.protocol !== "http:") throw new Refused("is no http or https address");
  const send = url.protocol === "https:" ? requestHttps : requestHttp;
  const response = await new Promise<IncomingMessage>((answered, failed) => {
    let answer: IncomingMessage | undefined;
    const request = send(url, { headers, timeout: patience, ...(signal ? { signal } : {}) }, (response) => {
      answer = response;
      // Kept for who reads it later; without a listener Node forgets why it broke.
      response.on("error", () => {});
      answered(response);
    });
    const silence = Object.assign(new Error(), { code: `silent for ${patience / 1000} s` });
    request.on("timeout", () => (answer ?? request).destroy(silence));
    request.on("error", failed);
    request.end();
  }).catch((error: NodeJS.ErrnoException) => {
    signal?.throwIfAborted();
    const { code = error.message } = error;
    if (lineFailures.includes(code) || code.startsWith("silent")) throw new Broken(`does not answer (${code})`);
    throw new Refused(`cannot be reached (${code})`);
  });
  const { location } = response.headers;
  if (!redirects.includes(response.statusCode ?? 0) || location === undefined) return response;
  response.destroy();
  if (hops === 0) throw new Refused("redirects without end");
  return ask(new URL(location, url).href, headers, patience, signal, hops - 1);
}

/** A strong ETag or the date of the last change, "" where the server names neither. */
function versionIn({ etag, "last-modified": modified }: IncomingMessage["headers"]): string {
  return etag && !etag.startsWith("W/") ? etag : (modified ?? "");
}

/** undefined where nothing is known of the part. */
async function versionOf(part: string): Promise<string | undefined> {
  return readFile(noteOf(part), "utf8").catch(() => undefined);
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

export async function md5Of(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("md5");
  try {
    const stream = createReadStream(path, { highWaterMark: 2 ** 20, ...(signal ? { signal } : {}) });
    for await (const chunk of stream as AsyncIterable<Buffer>) hash.update(chunk);
  } catch (error) {
    signal?.throwIfAborted();
    throw new SaccadeError(`${path}: cannot be read: ${(error as Error).message}`);
  }
  return hash.digest("hex");
}

/** The system's refusal to write as a sentence. */
export async function written<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw new SaccadeError(`${path}: cannot be written: ${(error as Error).message}`);
  }
}
