// The layers of an X-ray under the names that the page has for them.

import type { LayerNumbers, Xray } from "../../src/training/xray.ts";

/** A layer that learns by itself has a head of its own: "head 2". */
export const layersOf = ({ layer, layers }: Xray): LayerNumbers[] =>
  layers.map((one) => (layer !== undefined && one.layer === undefined ? { ...one, name: `head ${layer}` } : one));
