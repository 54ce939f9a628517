// The worker that reads out: checks configurations, audits them, and says what an encoder has learnt, while the other one trains on.

import type { Backend } from "../../src/backends/backend.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { proceduralClasses, proceduralObjects } from "../../src/data/procedural-objects.ts";
import { countParameters, pictures } from "../../src/encoders/encoder.ts";
import { networkOf } from "../../src/encoders/networks.ts";
import type { Config } from "../../src/training/config.ts";
import { type Combination, learningNames, lossNames, refusal, updateNames } from "../../src/training/registry.ts";
import type { Raw } from "../configuration.ts";
import type { Checked, FromReader, ToReader } from "../messages.ts";
import { parseForPage } from "./limits.ts";
import { createQueue } from "./queue.ts";
import type { Readings } from "./readings.ts";
import { firstPairs, shownPairs } from "./tiles.ts";

export function readHere(backend: Backend, post: (message: FromReader) => void) {
  /** Number of the newest configuration that was asked about: work on older ones is dropped. */
  let newest = -1;
  let current: { readonly id: number; readonly config: Config } | undefined;
  /** What the newest configuration's encoders are read out with. */
  let readings: Readings | undefined;

  const queue = createQueue((error) => post({ kind: "failed", id: newest, sentence: error.message }));

  async function check(id: number, raw: Raw, own: ImageSet | undefined): Promise<void> {
    if (id !== newest) return;
    let config: Config;
    try {
      config = parseForPage(raw);
    } catch (error) {
      post({ kind: "refused", id, sentence: (error as Error).message });
      return;
    }
    current = { id, config };
    readings = undefined;
    post({ kind: "checked", id, checked: await checkedOf(config, own) });
  }

  async function checkedOf(config: Config, own: ImageSet | undefined): Promise<Checked> {
    const encoder = networkOf(config.encoder);
    const { split, limit: count = 1, seed, size = 32 } = config.data;
    // Image i is the same however many are made, but which come first is not known before the order is drawn.
    const set = own ?? proceduralObjects({ split, count, seed, size });
    const shapes = pictures(encoder);
    const counts = countParameters(encoder);
    return {
      config,
      refusals: refusalsBeside({ ...config, loss: config.loss.kind } as Combination),
      layers: encoder.blocks.map(({ name }, i) => ({
        name,
        shape: shapes[i + 1],
        synapses: counts.blocks[i],
      })),
      classes: proceduralClasses,
      pairs: await firstPairs(config, set, shownPairs, backend),
    };
  }

  async function audit(id: number, config: Config | undefined): Promise<void> {
    if (id !== newest || current?.id !== id) return;
    const { auditOf } = await import("./audit.ts");
    post({ kind: "audited", id, audit: auditOf(config ?? current.config) });
  }

  async function baseline(id: number): Promise<void> {
    if (id !== newest || current?.id !== id) return;
    const { createReadings } = await import("./readings.ts");
    readings = createReadings(current.config, backend);
    const known = await readings.baseline();
    if (id === newest) post({ kind: "baseline", id, ...known });
  }

  async function confirm(id: number, config: Config | undefined): Promise<void> {
    if (id !== newest || current?.id !== id) return;
    const { disagreementsOf } = await import("./audit.ts");
    const disagreements = await disagreementsOf(config ?? current.config, backend);
    if (id === newest) post({ kind: "confirmed", id, disagreements });
  }

  return (message: ToReader): void => {
    switch (message.kind) {
      case "check":
        newest = message.id;
        queue.add(() => check(message.id, message.raw, message.own));
        return;
      case "audit":
        queue.add(() => audit(message.id, message.config));
        return;
      case "baseline":
        queue.add(() => baseline(message.id));
        return;
      case "confirm":
        queue.add(() => confirm(message.id, message.config));
        return;
      case "read":
        queue.add(async () => {
          const { id, step, weights } = message;
          if (id === newest && readings) post({ kind: "reading", id, reading: await readings.read(step, weights) });
        });
        return;
      default:
        message satisfies never;
    }
  };
}

/** Every choice that would make no sense in this combination, with its reason. */
function refusalsBeside(now: Combination): Record<string, string> {
  const changes: readonly (readonly [string, Partial<Combination>])[] = [
    ...learningNames.map((learning) => [learning, { learning }] as const),
    ...updateNames.map((update) => [update, { update }] as const),
    ...lossNames.map((loss) => [loss, { loss }] as const),
  ];
  return Object.fromEntries(
    changes.flatMap(([name, change]) => {
      const sentence = refusal({ ...now, ...change });
      return sentence === undefined ? [] : [[name, sentence]];
    }),
  );
}
