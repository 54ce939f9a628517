// The lab on a host that sends no headers: its service worker lets it share memory between threads, and opens it without a network.

import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toHash } from "../../web/share.ts";
import { small } from "../support/built-lab.ts";
import { eventually, inChromium, openLab, ready, skipped, stepped } from "./chromium.ts";

const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

describe.skipIf(skipped)(inChromium, () => {
  const { folder, withPage } = openLab();
  let server: Server;
  let at = "";

  beforeAll(async () => {
    server = createServer(({ url = "/" }, response) => {
      const name = new URL(url, "http://a").pathname.replace(/^\/deep\/$/, "/deep/index.html").replace(/^\/deep\//, "");
      try {
        const bytes = readFileSync(join(folder(), name));
        response.writeHead(200, { "Content-Type": types[extname(name)] ?? "application/octet-stream" }).end(bytes);
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    // Not at the root: a project's page seldom is.
    at = `http://127.0.0.1:${(server.address() as AddressInfo).port}/deep/`;
  });
  afterAll(() => server.close());

  test("without a service worker it trains in one thread, and says so", async () => {
    await withPage({ at }, async (page) => {
      await ready(page);
      await page.getByText("one thread: this address may not share memory between threads").waitFor();
      await page.getByRole("button", { name: "Step" }).click();
      await stepped(page, 1);
    });
  });

  test("it is isolated after the first visit, and opens and trains when the server is gone", async () => {
    await withPage({ at, serviceWorker: true }, async (page) => {
      const isolated = () => page.evaluate(() => globalThis.crossOriginIsolated).catch(() => false);
      await eventually(isolated).toBe(true);
      await ready(page);
      expect(await page.locator(".engine").textContent()).toMatch(/^WebAssembly, \d+ threads?$/);
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      await page.reload();
      await ready(page);
      expect(await isolated()).toBe(true);
      await page.getByRole("button", { name: "Step" }).click();
      await stepped(page, 1);
      await page.getByText("untrained network").first().waitFor();
      await page.getByRole("button", { name: "Files" }).click();
      await page.getByRole("heading", { name: "Export" }).waitFor();
      expect(new URL(page.url()).hash).toBe(toHash(small));
    });
  });
});
