// The input gradient of a convolution that strides, or the transposed convolution: each pixel of the result sees only the taps of its
// phase, its row and column modulo the stride, so every phase is a product of its own, over the error as it stands.
import { panelColumns } from "./micro-kernels";
import { framePicture, gatherPatches } from "./picture";
import { multiplyRows, panelPitch, panelsOf } from "./product";
import { copyFloats } from "./vectors";

/** w [kh, kw, c, o] → panels [panel][taps][o][panelColumns] of c's columns, for one phase: its taps from the last to the first. Task = panel × tap. */
@unmanaged
class PackPhase {
  w: usize;
  panels: usize;
  /** Row and column of the phase's last tap, and how many it has of either. */
  lastY: i32;
  lastX: i32;
  rows: i32;
  columns: i32;
  stride: i32;
  kw: i32;
  c: i32;
  o: i32;
}

export function packPhase(p: usize, task: i32, scratch: usize): void {
  const job = changetype<PackPhase>(p);
  const taps = job.rows * job.columns;
  const panel = task / taps;
  const tap = task % taps;
  const ky = job.lastY - (tap / job.columns) * job.stride;
  const kx = job.lastX - (tap % job.columns) * job.stride;
  const first = panel * panelColumns;
  const columns = min(panelColumns, job.c - first);
  const pitch = <usize>(job.o << 2);
  const from = job.w + <usize>((ky * job.kw + kx) * job.c + first) * pitch;
  const to = job.panels + <usize>(task * job.o) * panelPitch;
  for (let j = 0; j < job.o; j++)
    for (let i = 0; i < panelColumns; i++)
      store<f32>(
        to + <usize>j * panelPitch + <usize>(i << 2),
        i < columns ? load<f32>(from + <usize>i * pitch + <usize>(j << 2)) : 0,
      );
}

@unmanaged
class Transposed {
  dy: usize;
  dx: usize;
  n: i32;
  /** Images of a task. */
  images: i32;
  oh: i32;
  ow: i32;
  o: i32;
  h: i32;
  w: i32;
  c: i32;
  stride: i32;
  /** Zeros above and left of the error in its picture, and the picture's rows and columns. */
  border: i32;
  borderLeft: i32;
  pictureRows: i32;
  pictureColumns: i32;
  phases: i32;
  /** Bytes from the task's start in scratch. */
  picture: i32;
  matrix: i32;
  result: i32;
}

@unmanaged
class Phase {
  weights: usize;
  /** First row and column of the result. */
  y: i32;
  x: i32;
  /** Pixels of the result. */
  rows: i32;
  columns: i32;
  /** Corner of the first window in the picture, and the window's sides. */
  top: i32;
  left: i32;
  kh: i32;
  kw: i32;
}

/** dy [n, oh, ow, o] → dx [n, h, w, c]. Task = block of images. The parameter block: Transposed, then a Phase for each. */
export function transposedConvolution(p: usize, task: i32, scratch: usize): void {
  const job = changetype<Transposed>(p);
  const first = task * job.images;
  const images = min(job.images, job.n - first);
  const picture = scratch + <usize>job.picture;
  const matrix = scratch + <usize>job.matrix;
  const result = scratch + <usize>job.result;
  const pictureBytes = <usize>((job.pictureRows * job.pictureColumns * job.o) << 2);
  const panels = panelsOf(job.c);
  const pitch = <usize>panels * panelPitch;
  for (let i = 0; i < images; i++)
    framePicture(
      job.dy + <usize>(first + i) * <usize>((job.oh * job.ow * job.o) << 2),
      job.oh,
      job.ow,
      job.o,
      picture + <usize>i * pictureBytes,
      job.pictureRows,
      job.pictureColumns,
      job.border,
      job.borderLeft,
    );
  for (let number = 0; number < job.phases; number++) {
    const phase = changetype<Phase>(p + offsetof<Transposed>() + <usize>number * offsetof<Phase>());
    const k = phase.kh * phase.kw * job.o;
    const pixels = phase.rows * phase.columns;
    const corner = <usize>(((phase.top * job.pictureColumns + phase.left) * job.o) << 2);
    for (let i = 0; i < images; i++)
      gatherPatches(
        picture + <usize>i * pictureBytes + corner,
        job.pictureColumns,
        job.o,
        phase.kh,
        phase.kw,
        1,
        phase.rows,
        phase.columns,
        matrix + <usize>i * <usize>((pixels * k) << 2),
      );
    // A phase without taps sees nothing.
    if (k == 0) memory.fill(result, 0, <usize>(images * pixels) * pitch);
    for (let panel = 0; panel < panels && k > 0; panel++)
      multiplyRows(
        true,
        images * pixels,
        1,
        k,
        0,
        matrix,
        <usize>(k << 2),
        phase.weights + <usize>(panel * k) * panelPitch,
        result + <usize>panel * panelPitch,
        pitch,
      );
    let from = result;
    for (let i = 0; i < images; i++)
      for (let row = 0; row < phase.rows; row++) {
        const y = (first + i) * job.h + phase.y + row * job.stride;
        let to = job.dx + <usize>(y * job.w + phase.x) * <usize>(job.c << 2);
        for (let column = 0; column < phase.columns; column++) {
          copyFloats(to, from, job.c);
          to += <usize>((job.stride * job.c) << 2);
          from += pitch;
        }
      }
  }
}
