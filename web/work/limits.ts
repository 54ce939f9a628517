// What the page takes of all that the schema allows: rendered pictures, small networks, sizes that a tab can hold. Else one sentence.

import { SaccadeError } from "../../src/program/errors.ts";
import type { Config } from "../../src/training/config.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import { pageNetworks, type Raw } from "../configuration.ts";

const most = { pictures: 5000, batch: 256, steps: 1e6, interventions: 20 } as const;

/** A configuration that the page can train; throws a SaccadeError with what is wrong. */
export function parseForPage(raw: Raw): Config {
  const config = parseConfig(raw, "The configuration");
  const { data, encoder, loss, augmentation, batch, epochs, interventions = [] } = config;
  const refuse = (sentence: string): never => {
    throw new SaccadeError(`This page cannot train it: ${sentence}; saccade train can.`);
  };
  if (data.dataset !== "procedural-objects") refuse(`it renders its own pictures and has no dataset ${data.dataset}`);
  const named = typeof encoder === "string" ? encoder : "one that is spelt out";
  if (!Object.hasOwn(pageNetworks, named))
    refuse(`its networks are ${Object.keys(pageNetworks).join(" and ")}, not ${named}`);
  if (loss.kind === "clappPatches" || augmentation.kind === "patches") refuse("it has no patches");
  if ((config.pairing ?? "augmentation") !== "augmentation") refuse(`it has no pairing ${config.pairing}`);
  if (data.grey) refuse("its networks see colours");
  if ((data.limit ?? most.pictures + 1) > most.pictures)
    refuse(`data.limit is at most ${most.pictures} here, not ${data.limit ?? "left out"}`);
  if ((data.size ?? 32) > 64) refuse(`data.size is at most 64 here, not ${data.size}`);
  if (batch > most.batch) refuse(`batch is at most ${most.batch} here, not ${batch}`);
  if ((epochs * (data.limit ?? 0)) / batch > most.steps) refuse(`${epochs} epochs are too many`);
  if (interventions.length > most.interventions)
    refuse(`it makes at most ${most.interventions} interventions, not ${interventions.length}`);
  return config;
}
