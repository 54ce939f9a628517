// Own pictures in the lab: a step on them is Node's to the bit, what cannot be read is a sentence, and the rendered solids are a button away.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import type { Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { randomStream } from "../../src/program/random.ts";
import type { Config } from "../../src/training/config.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import { createTrainer } from "../../src/training/trainer.ts";
import { toHash } from "../../web/share.ts";
import { crc32 } from "../../web/work/crc32.ts";
import { lossesInNode, small } from "../support/built-lab.ts";
import { eventually, hashOf, inChromium, losses, openLab, ready, skipped, stepped, violations } from "./chromium.ts";

const [side, count] = [16, 24];
const pixels = new Uint8Array(count * side * side * 3);
const random = randomStream(7);
for (let i = 0; i < pixels.length; i++) pixels[i] = random.integer(256);
const set: ImageSet = {
  name: "24 noises",
  pixels,
  count,
  height: side,
  width: side,
  channels: 3,
  labels: new Int32Array(count),
  classes: ["unlabelled"],
};

interface Upload {
  readonly name: string;
  readonly mimeType: string;
  readonly buffer: Buffer;
}
const upload = (name: string, bytes: Uint8Array | string): Upload => ({
  name,
  mimeType: "image/png",
  buffer: Buffer.from(bytes),
});
const pngOf = (rgb: Uint8Array, width: number): Promise<Buffer> =>
  sharp(rgb, { raw: { width, height: rgb.length / width / 3, channels: 3 } })
    .png()
    .toBuffer();

/** Of 10,000 × 10,000 pixels of black, one bit each: sound, and 12 kB long. */
function hugePng(): Uint8Array {
  const chunk = (name: string, data: Uint8Array): Buffer => {
    const body = Buffer.concat([Buffer.from(name), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.from([0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10, 1, 0, 0, 0, 0]);
  return Buffer.concat([
    Buffer.from([0x89, 80, 78, 71, 13, 10, 26, 10]),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(new Uint8Array(10_000 * 1251))),
    chunk("IEND", new Uint8Array()),
  ]);
}

async function ownLosses(config: Config, dataset: ImageSet, steps: number): Promise<number[]> {
  const trainer = await createTrainer({ config, dataset, backend: wasmBackend({ threads: "here" }) });
  const all: number[] = [];
  for (let step = 0; step < steps; step++) all.push((await trainer.step()).loss);
  await trainer.dispose();
  return all.reverse();
}

describe.skipIf(skipped)(inChromium, () => {
  const { withPage } = openLab();
  const root = mkdtempSync(join(tmpdir(), "saccade-lab-pictures-"));
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const pictures = Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const rgb = pixels.subarray(i * side * side * 3, (i + 1) * side * side * 3);
      return upload(`${String(i).padStart(2, "0")}.png`, await pngOf(rgb, side));
    }),
  );
  const config = parseConfig(small, "test");

  async function choose(page: Page, files: readonly Upload[] | string, title = "Pictures"): Promise<void> {
    await page.getByRole("button", { name: "Files" }).click();
    await page.getByLabel(title, { exact: true }).setInputFiles(files as Upload[]);
  }
  async function take(page: Page, steps: number): Promise<void> {
    for (let step = 1; step <= steps; step++) {
      await page.getByRole("button", { name: "Step" }).click();
      await stepped(page, step);
    }
  }
  const told = (page: Page, sentence: string) => page.locator(".saved").getByText(sentence).waitFor();

  test("trains on own pictures as Node does, to the bit, says so everywhere, and goes back to rendered solids", async () => {
    await withPage({}, async (page) => {
      await ready(page);
      // Out of order, with something else among them: they are sorted, and it is left out.
      const others = [upload("notes.png", "no picture at all, only called so"), upload(".DS_Store", "x")];
      await choose(page, [...(await pictures).toReversed(), ...others]);
      await told(page, "24 own pictures.");
      await told(page, "1 file was skipped: notes.png is no PNG, JPEG or WebP picture.");
      await ready(page);
      await take(page, 3);
      const expected = await ownLosses(config, set, 3);
      expect(expected).not.toEqual(await lossesInNode(config, 3));
      expect(await losses(page)).toEqual(expected);
      await page.getByText("untrained network").first().waitFor();
      expect(await violations(page)).toEqual([]);

      // Labels there are none.
      expect(await page.getByLabel("cross-entropy").getAttribute("aria-disabled")).toBe("true");
      await page.getByRole("button", { name: "Share" }).click();
      await page.getByText("Your own pictures stay in this browser").waitFor();
      expect(hashOf(page)).toEqual(JSON.parse(new URLSearchParams(toHash(small).slice(1)).get("c") ?? ""));
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Files" }).click();
      await page.getByText("cannot be saved as a zip").waitFor();
      expect(await page.getByRole("button", { name: "Save as zip" }).count()).toBe(0);
      expect(await violations(page)).toEqual([]);
      await page.keyboard.press("Escape");

      // A change of the rule keeps them, and so does Reset.
      await page.getByLabel("RF", { exact: true }).check({ force: true });
      await ready(page);
      await page.getByRole("button", { name: "Reset" }).click();
      await ready(page);
      await take(page, 2);
      await eventually(() => page.locator("section:has(#loss-title) .data td").allTextContents()).toEqual(
        (await ownLosses(parseConfig({ ...small, update: "RF" }, "test"), set, 2)).map(String),
      );
      const kept = await page.evaluate(async () => {
        dispatchEvent(new Event("visibilitychange"));
        let names = 0;
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("saccade-lab", {
          create: true,
        });
        for await (const _ of folder.keys()) names++;
        return names;
      });
      expect(kept).toBe(0);

      await page.getByRole("button", { name: "Back to rendered solids" }).click();
      await ready(page);
      expect(await page.getByText("24 own pictures.").count()).toBe(0);
      await take(page, 2);
      await eventually(() => page.locator("section:has(#loss-title) .data td").allTextContents()).toEqual(
        (await lossesInNode(parseConfig({ ...small, update: "RF" }, "test"), 2)).map(String),
      );
    });
  });

  test("what will not do is a sentence, and the run is as it was", async () => {
    await withPage({}, async (page) => {
      await ready(page);
      await take(page, 2);
      const few = (await pictures).slice(0, 3);
      for (const [files, ...sentences] of [
        [few, "3 pictures are too few: a batch takes 10."],
        [[upload("huge.png", hugePng())], "0 pictures are too few", "huge.png has 10000 × 10000 pixels, 100 million"],
        [[upload("cut.png", few[0].buffer.subarray(0, 60))], "cut.png is damaged"],
        [Array.from({ length: 5001 }, (_, i) => upload(`${i}.png`, "")), "5001 files are too many"],
      ] as const) {
        await choose(page, files);
        for (const sentence of sentences) await page.getByRole("alert").getByText(sentence).waitFor();
        await page.locator(".saved").getByRole("button", { name: "Close" }).click();
      }
      expect(Number(await page.locator(".where b").textContent())).toBe(2);
      await page.getByRole("button", { name: "Step" }).click();
      await stepped(page, 3);
      expect(await losses(page)).toEqual(await lossesInNode(config, 3));
    });
  });

  test("a folder of larger pictures is cut to the centre, turned, scaled without aliasing, and follows the network’s size", async () => {
    const folder = join(root, "folder");
    mkdirSync(join(folder, "within"), { recursive: true });
    // Red at both ends, which are cut off; in the middle lines of one pixel, whose mean is grey.
    const [width, height] = [480, 160];
    const rgb = new Uint8Array(width * height * 3);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        rgb.set(x < 160 || x >= 320 ? [255, 0, 0] : x % 2 ? [255, 255, 255] : [0, 0, 0], 3 * (y * width + x));
    const lying = sharp(rgb, { raw: { width, height, channels: 3 } });
    for (let i = 0; i < 12; i++) {
      const picture =
        i % 2 ? lying.clone().png() : lying.clone().withMetadata({ orientation: 6 }).jpeg({ quality: 100 });
      writeFileSync(join(folder, i < 6 ? "within" : "", `${i}.${i % 2 ? "png" : "jpg"}`), await picture.toBuffer());
    }
    const plain = { ...small, augmentation: { kind: "simclr", scale: [1, 1], ratio: [1, 1], jitter: 0, grey: 0 } };
    await withPage({ hash: toHash(plain) }, async (page) => {
      await ready(page);
      await choose(page, folder, "A folder of pictures");
      await told(page, "12 own pictures.");
      await ready(page);
      const colours = await page
        .locator(".pair canvas")
        .first()
        .evaluate((canvas) => {
          const { width, height } = canvas as HTMLCanvasElement;
          const { data } = (canvas as HTMLCanvasElement).getContext("2d")?.getImageData(0, 0, width, height) ?? {
            data: new Uint8ClampedArray(),
          };
          return {
            width,
            least: Math.min(...data.filter((_, i) => i % 4 < 3)),
            most: Math.max(...data.filter((_, i) => i % 4 < 3)),
          };
        });
      expect(colours.least).toBeGreaterThan(100);
      expect(colours.most).toBeLessThan(200);
      await page.getByText("Network and numbers").click();
      await page.locator(".numbers select").selectOption("cifar");
      await page.locator(".layers.of-5").waitFor();
      await ready(page);
      await take(page, 1);
      await told(page, "12 own pictures.");
    });
  });
});
