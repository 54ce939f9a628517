// The page's service worker: a copy of all its files, so that it opens without a network, and the headers that let it share memory between threads
// where its host sends none. web/vite.config.ts puts it beside the page, with the names of the files; it imports nothing.

/** Of the build: paths from the page, and a checksum of all of them. */
declare const FILES: readonly string[];
declare const VERSION: string;

interface Waiting extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Asked extends Event {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface Scope {
  readonly clients: { claim(): Promise<void> };
  addEventListener(kind: "install" | "activate", hear: (event: Waiting) => void): void;
  addEventListener(kind: "fetch", hear: (event: Asked) => void): void;
}

const scope = globalThis as unknown as Scope;
const family = "saccade-lab ";
const copy = family + VERSION;

// A newer one waits until no page needs the files of the one before.
scope.addEventListener("install", (event) => {
  event.waitUntil(caches.open(copy).then((cache) => cache.addAll([...FILES])));
});

scope.addEventListener("activate", (event) => {
  const old = caches.keys().then((names) => names.filter((name) => name.startsWith(family) && name !== copy));
  event.waitUntil(
    old.then((names) => Promise.all(names.map((name) => caches.delete(name)))).then(() => scope.clients.claim()),
  );
});

scope.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "GET" && new URL(request.url).origin === location.origin) event.respondWith(answer(request));
});

/** The page itself from the network while there is one; what it is made of, whose names change with their content, from the copy. */
async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(copy);
  const kept = (): Promise<Response | undefined> =>
    cache.match(request.mode === "navigate" ? "./" : request, { ignoreSearch: true });
  const first = request.mode === "navigate" ? undefined : await kept();
  if (first) return isolated(first);
  try {
    return isolated(await fetch(request));
  } catch (error) {
    const last = await kept();
    if (last === undefined) throw error;
    return isolated(last);
  }
}

function isolated(response: Response): Response {
  // A redirect is the browser's to follow.
  if (response.status === 0 || response.redirected) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  const { status, statusText } = response;
  const body = [204, 205, 304].includes(status) ? null : response.body;
  return new Response(body, { status, statusText, headers });
}
