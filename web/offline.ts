// Registers the service worker of the built page. Where the host lets no memory be shared, the page loads once more under the worker's headers, before
// anything is trained.

import { run } from "./state.ts";

declare global {
  /** There where the page is built: web/vite.config.ts. */
  const SACCADE_BUILT: true | undefined;
}

const again = "saccade-lab loaded again";

function loadAgain(): void {
  const { step, playing } = run.value;
  // Once in a tab: where it does not help, one thread it is.
  if (step > 0 || playing || sessionStorage.getItem(again) !== null) return;
  sessionStorage.setItem(again, "");
  location.reload();
}

/** None while the page is worked on, and none where it is not secure. */
export function startServiceWorker(): void {
  if (typeof SACCADE_BUILT === "undefined" || navigator.serviceWorker === undefined) return;
  if (!globalThis.crossOriginIsolated) navigator.serviceWorker.addEventListener("controllerchange", loadAgain);
  // A host that has not put it there leaves the page as it is.
  navigator.serviceWorker.register("./service-worker.js").catch(() => {});
}
