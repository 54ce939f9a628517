// A mark for each class, told apart by shape as well as by colour. The colours stand out from a light and from a dark page.

export const colours = [
  "#3d7fd6",
  "#d9662b",
  "#2f9e6e",
  "#b652b8",
  "#a08a1e",
  "#d4488e",
  "#1f9bb0",
  "#c2493f",
  "#7a6fd0",
  "#7d8a3a",
] as const;

type Context = CanvasRenderingContext2D;

const polygon = (context: Context, corners: number, turn: number, x: number, y: number, r: number): void => {
  context.beginPath();
  for (let i = 0; i < corners; i++) {
    const angle = turn + (2 * Math.PI * i) / corners;
    context.lineTo(x + r * Math.sin(angle), y - r * Math.cos(angle));
  }
  context.closePath();
  context.fill();
};

const strokes = (context: Context, turn: number, x: number, y: number, r: number): void => {
  context.beginPath();
  for (const angle of [turn, turn + Math.PI / 2]) {
    context.moveTo(x - r * Math.cos(angle), y - r * Math.sin(angle));
    context.lineTo(x + r * Math.cos(angle), y + r * Math.sin(angle));
  }
  context.stroke();
};

const ring = (context: Context, x: number, y: number, r: number): void => {
  context.beginPath();
  context.arc(x, y, r, 0, 2 * Math.PI);
};

const shapes: readonly ((context: Context, x: number, y: number, r: number) => void)[] = [
  (context, x, y, r) => {
    ring(context, x, y, r);
    context.fill();
  },
  (context, x, y, r) => polygon(context, 4, Math.PI / 4, x, y, r * 1.2),
  (context, x, y, r) => polygon(context, 3, 0, x, y, r * 1.2),
  (context, x, y, r) => polygon(context, 4, 0, x, y, r * 1.2),
  (context, x, y, r) => strokes(context, 0, x, y, r),
  (context, x, y, r) => strokes(context, Math.PI / 4, x, y, r),
  (context, x, y, r) => {
    ring(context, x, y, r * 0.9);
    context.stroke();
  },
  (context, x, y, r) => polygon(context, 3, Math.PI, x, y, r * 1.2),
  (context, x, y, r) => polygon(context, 5, 0, x, y, r * 1.1),
  (context, x, y, r) => polygon(context, 6, 0, x, y, r * 1.1),
];

/** The mark of a class, of about `r` pixels radius. */
export function drawMark(context: Context, label: number, x: number, y: number, r: number): void {
  context.fillStyle = colours[label % colours.length];
  context.strokeStyle = colours[label % colours.length];
  context.lineWidth = 2;
  shapes[label % shapes.length](context, x, y, r);
}
