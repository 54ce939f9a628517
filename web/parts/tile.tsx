// One of a worker's pictures on a canvas, magnified without smoothing by CSS.

import { useLayoutEffect, useRef } from "preact/hooks";
import type { Tiles } from "../messages.ts";

export function Tile({ tiles, index }: { readonly tiles: Tiles; readonly index: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height, rgba } = tiles;
  useLayoutEffect(() => {
    const size = width * height * 4;
    const data = new ImageData(rgba.slice(index * size, (index + 1) * size), width, height);
    canvas.current?.getContext("2d")?.putImageData(data, 0, 0);
  }, [rgba, index, width, height]);
  return <canvas ref={canvas} width={width} height={height} aria-hidden="true" />;
}
