// The ten solids of the procedural objects as triangle meshes, each about one unit in radius, y up.

/** A closed surface: corner k of triangle t is vertex `triangles[3t + k]`, counter-clockwise seen from outside. */
export interface Mesh {
  /** x, y, z of every vertex. */
  readonly positions: Float32Array;
  /** Unit normals: shared by the triangles of a round surface, one per face of a flat one. */
  readonly normals: Float32Array;
  readonly triangles: Uint16Array;
}

type Point = readonly [x: number, y: number, z: number];
/** A point of a profile and its normal, in the half plane of radius and height. */
type ProfilePoint = readonly [radius: number, height: number, normalRadius: number, normalHeight: number];
type Profile = readonly ProfilePoint[];

const slices = 24;
const square: readonly [number, number][] = [
  [-1, -1],
  [-1, 1],
  [1, 1],
  [1, -1],
];

export const solids: Readonly<Record<string, Mesh>> = {
  sphere: turned([arc(0, 0, 0.85, -90, 90, 12)]),
  cube: box(0.66, 0.66, 0.66),
  cone: turned([disc(-0.75, 0.8, -1), slope([0.8, -0.75], [0, 0.95])]),
  cylinder: turned([disc(-0.72, 0.62, -1), slope([0.62, -0.72], [0.62, 0.72]), disc(0.72, 0.62, 1)]),
  torus: turned([arc(0.68, 0, 0.3, -180, 180, 14)]),
  octahedron: octahedron(0.8, 1.05),
  capsule: turned([[...arc(0, -0.6, 0.42, -90, 0, 6), ...arc(0, 0.6, 0.42, 0, 90, 6)]]),
  pyramid: pyramid(0.75, -0.65, 0.9),
  star: star(5, 1.05, 0.45, 0.25),
  cross: joined([box(1, 0.3, 0.3), box(0.3, 1, 0.3), box(0.3, 0.3, 1)]),
};

/** Points on a circle around (radius, height), from one angle to another in degrees, 0 pointing outwards. */
function arc(radius: number, height: number, size: number, from: number, to: number, steps: number): Profile {
  return Array.from({ length: steps + 1 }, (_, i): ProfilePoint => {
    const angle = ((from + ((to - from) * i) / steps) * Math.PI) / 180;
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    return [radius + size * c, height + size * s, c, s];
  });
}

function slope([r0, y0]: readonly [number, number], [r1, y1]: readonly [number, number]): Profile {
  const length = Math.hypot(r1 - r0, y1 - y0);
  const [nr, ny] = [(y1 - y0) / length, (r0 - r1) / length];
  return [
    [r0, y0, nr, ny],
    [r1, y1, nr, ny],
  ];
}

/** The flat end of a turned solid; profiles run from the bottom up along the outside, so the top one runs inwards. */
function disc(height: number, radius: number, up: 1 | -1): Profile {
  const [centre, rim]: ProfilePoint[] = [
    [0, height, 0, up],
    [radius, height, 0, up],
  ];
  return up === 1 ? [rim, centre] : [centre, rim];
}

/** The surface that profiles sweep around the y axis. */
function turned(profiles: readonly Profile[]): Mesh {
  const positions: number[] = [];
  const normals: number[] = [];
  const triangles: number[] = [];
  for (const profile of profiles) {
    const first = positions.length / 3;
    for (const [r, y, nr, ny] of profile)
      for (let i = 0; i <= slices; i++) {
        const angle = (2 * Math.PI * i) / slices;
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        positions.push(r * c, y, r * s);
        normals.push(nr * c, ny, nr * s);
      }
    for (let row = 0; row + 1 < profile.length; row++)
      for (let i = 0; i < slices; i++) {
        const a = first + row * (slices + 1) + i;
        const b = a + slices + 1;
        triangles.push(a, b, a + 1, a + 1, b, b + 1);
      }
  }
  return finished(positions, normals, triangles);
}

/** A surface of flat convex faces. */
function faceted(faces: readonly (readonly Point[])[]): Mesh {
  const positions: number[] = [];
  const normals: number[] = [];
  const triangles: number[] = [];
  for (const face of faces) {
    const first = positions.length / 3;
    const normal = faceNormal(face);
    for (const point of face) {
      positions.push(...point);
      normals.push(...normal);
    }
    for (let i = 1; i + 1 < face.length; i++) triangles.push(first, first + i, first + i + 1);
  }
  return finished(positions, normals, triangles);
}

/** The unit normal of corners that run counter-clockwise. */
function faceNormal([a, b, c]: readonly Point[]): Point {
  const [ux, uy, uz] = [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
  const [vx, vy, vz] = [c[0] - a[0], c[1] - a[1], c[2] - a[2]];
  const n: Point = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
  const length = Math.hypot(...n);
  return [n[0] / length, n[1] / length, n[2] / length];
}

/** An outline in x and y, counter-clockwise and star-shaped around the origin, given a thickness along z. */
function extruded(outline: readonly (readonly [number, number])[], half: number): Mesh {
  const faces: Point[][] = [];
  outline.forEach(([x0, y0], i) => {
    const [x1, y1] = outline[(i + 1) % outline.length];
    faces.push(
      [
        [0, 0, half],
        [x0, y0, half],
        [x1, y1, half],
      ],
      [
        [0, 0, -half],
        [x1, y1, -half],
        [x0, y0, -half],
      ],
      [
        [x0, y0, -half],
        [x1, y1, -half],
        [x1, y1, half],
        [x0, y0, half],
      ],
    );
  });
  return faceted(faces);
}

function box(x: number, y: number, z: number): Mesh {
  const outline = square.map(([u, v]) => [u * x, v * y] as const).reverse();
  return extruded(outline, z);
}

function star(points: number, outer: number, inner: number, half: number): Mesh {
  const outline = Array.from({ length: 2 * points }, (_, i) => {
    const angle = Math.PI / 2 + (Math.PI * i) / points;
    const radius = i % 2 === 0 ? outer : inner;
    return [radius * Math.cos(angle), radius * Math.sin(angle)] as const;
  });
  return extruded(outline, half);
}

function pyramid(half: number, bottom: number, top: number): Mesh {
  const base = square.map(([u, v]): Point => [u * half, bottom, v * half]);
  const sides = base.map((corner, i): Point[] => [corner, base[(i + 1) % 4], [0, top, 0]]);
  return faceted([[...base].reverse(), ...sides]);
}

function octahedron(radius: number, height: number): Mesh {
  const belt = square.map(([u, v]): Point => [(u * radius) / Math.SQRT2, 0, (v * radius) / Math.SQRT2]);
  const faces = belt.flatMap((corner, i): Point[][] => {
    const next = belt[(i + 1) % 4];
    return [
      [corner, next, [0, height, 0]],
      [next, corner, [0, -height, 0]],
    ];
  });
  return faceted(faces);
}

function joined(parts: readonly Mesh[]): Mesh {
  const positions: number[] = [];
  const normals: number[] = [];
  const triangles: number[] = [];
  for (const part of parts) {
    const first = positions.length / 3;
    positions.push(...part.positions);
    normals.push(...part.normals);
    triangles.push(...Array.from(part.triangles, (vertex) => first + vertex));
  }
  return finished(positions, normals, triangles);
}

function finished(positions: readonly number[], normals: readonly number[], triangles: readonly number[]): Mesh {
  return {
    positions: Float32Array.from(positions),
    normals: Float32Array.from(normals),
    triangles: Uint16Array.from(triangles),
  };
}
