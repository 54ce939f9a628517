// A quadtree over points of a plane, and the repulsion of t-SNE by it (Barnes & Hut 1986; van der Maaten 2014, section 4.2): a cell that looks
// small from a point acts as all its points in their centre would.

/** Cells below this depth keep points that differ together. */
const deepest = 60;

/** A tree that can be built again and again without new memory. */
export class Quadtree {
  #room = 0;
  #cells = 0;
  /** [cells, 4]: the cells of the four quadrants, 0 for none. */
  #children = new Int32Array(0);
  /** Points in each cell. */
  #counts = new Float64Array(0);
  /** Sums of their coordinates. */
  #x = new Float64Array(0);
  #y = new Float64Array(0);
  /** Width of each cell, squared; 0 for one that is not divided. */
  #sizes = new Float64Array(0);
  /** Cells as they are gone through, each before those within it: [cells, 4], x and y of its centre, points, width squared. */
  #walk = new Float64Array(0);
  /** Where in the walk to go on when a cell is not gone into. */
  #after = new Int32Array(0);

  /** Of points [n, 2]. */
  build(points: Float64Array): void {
    let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let at = 0; at < points.length; at += 2) {
      left = Math.min(left, points[at]);
      right = Math.max(right, points[at]);
      bottom = Math.min(bottom, points[at + 1]);
      top = Math.max(top, points[at + 1]);
    }
    const half = Math.max(right - left, top - bottom) / 2;
    this.#cells = 0;
    this.#grow();
    this.#cells = 1;
    for (let at = 0; at < points.length; at += 2)
      this.#insert(points[at], points[at + 1], (left + right) / 2, (bottom + top) / 2, half);
    this.#order(0, 0);
  }

  /** Writes a cell into the walk at `place`, and all within it behind; returns the place after them. */
  #order(cell: number, place: number): number {
    const count = this.#counts[cell];
    this.#walk[4 * place] = this.#x[cell] / count;
    this.#walk[4 * place + 1] = this.#y[cell] / count;
    this.#walk[4 * place + 2] = count;
    this.#walk[4 * place + 3] = this.#sizes[cell];
    let next = place + 1;
    for (let at = 4 * cell; at < 4 * cell + 4; at++)
      if (this.#children[at] !== 0) next = this.#order(this.#children[at], next);
    this.#after[place] = next;
    return next;
  }

  /**
   * Adds to `forces` [n, 2] of each point i: Σ_j w_ij² (y_i − y_j) with w_ij = 1 / (1 + |y_i − y_j|²), and returns Z = Σ_{i≠j} w_ij. A cell is
   * taken as a whole when its width is at most `theta` times its distance; at 0 the sums are exact.
   */
  repel(points: Float64Array, theta: number, forces: Float64Array): number {
    const walk = this.#walk;
    const after = this.#after;
    const end = this.#cells;
    const threshold = theta * theta;
    let z = 0;
    for (let at = 0; at < points.length; at += 2) {
      const x = points[at];
      const y = points[at + 1];
      let fx = 0;
      let fy = 0;
      let weights = 0;
      for (let place = 0; place < end; ) {
        const dx = x - walk[4 * place];
        const dy = y - walk[4 * place + 1];
        const square = dx * dx + dy * dy;
        if (walk[4 * place + 3] > threshold * square) {
          place++;
          continue;
        }
        const w = 1 / (1 + square);
        const weight = walk[4 * place + 2] * w;
        weights += weight;
        fx += weight * w * dx;
        fy += weight * w * dy;
        place = after[place];
      }
      forces[at] += fx;
      forces[at + 1] += fy;
      // The point itself was met in its own cell, at distance 0.
      z += weights - 1;
    }
    return z;
  }

  #insert(x: number, y: number, middleX: number, middleY: number, half: number): void {
    let cell = 0;
    let cx = middleX;
    let cy = middleY;
    let reach = half;
    for (let depth = 0; ; depth++) {
      const before = this.#counts[cell];
      const oldX = this.#x[cell];
      const oldY = this.#y[cell];
      this.#counts[cell]++;
      this.#x[cell] += x;
      this.#y[cell] += y;
      if (before === 0) return;
      if (this.#sizes[cell] === 0) {
        // Its points, all at one place, go on into a quadrant, unless the new one is at that place too.
        if (depth === deepest || (oldX / before === x && oldY / before === y)) return;
        this.#sizes[cell] = 4 * reach * reach;
        const down = this.#child(cell, oldX / before > cx, oldY / before > cy);
        this.#counts[down] = before;
        this.#x[down] = oldX;
        this.#y[down] = oldY;
      }
      const right = x > cx;
      const up = y > cy;
      cell = this.#child(cell, right, up);
      reach /= 2;
      cx += right ? reach : -reach;
      cy += up ? reach : -reach;
    }
  }

  /** The cell of a quadrant, made where there is none. */
  #child(cell: number, right: boolean, up: boolean): number {
    const at = 4 * cell + (right ? 1 : 0) + (up ? 2 : 0);
    if (this.#children[at] === 0) {
      this.#grow();
      this.#children[at] = this.#cells++;
    }
    return this.#children[at];
  }

  /** Room for one more cell, which is empty. */
  #grow(): void {
    const cell = this.#cells;
    if (cell === this.#room) {
      this.#room = Math.max(1024, 2 * cell);
      const larger = (old: Float64Array): Float64Array<ArrayBuffer> => {
        const made = new Float64Array(this.#room);
        made.set(old);
        return made;
      };
      const children = new Int32Array(4 * this.#room);
      children.set(this.#children);
      this.#children = children;
      this.#counts = larger(this.#counts);
      this.#x = larger(this.#x);
      this.#y = larger(this.#y);
      this.#sizes = larger(this.#sizes);
      this.#walk = new Float64Array(4 * this.#room);
      this.#after = new Int32Array(this.#room);
    }
    this.#children.fill(0, 4 * cell, 4 * cell + 4);
    this.#counts[cell] = 0;
    this.#x[cell] = 0;
    this.#y[cell] = 0;
    this.#sizes[cell] = 0;
  }
}
