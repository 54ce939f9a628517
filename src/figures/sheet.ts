// The sheet that every figure is drawn on: white, a title, a line of keys, the picture, notes underneath.
// Lengths are SVG units. At the usual width of 720, text of 20 is still 10 pixels high on a phone 360 wide.

export const sheetWidth = 720;
export const margin = 20;
export const fontFamily = "Arimo";
export const fontSize = 20;
const titleSize = 26;
/** Titles, captions, keys and notes have room for DejaVu Sans and Verdana, which a page has where Arial is not: 1.07 to 1.12 times `textWidth`. */
const fallback = 1.12;

export const colours = { ink: "#1a1a1a", quiet: "#595959", grid: "#e3e3e3", warning: "#a63d00" } as const;

/** Okabe and Ito's colours, told apart with every common colour blindness: a line, and areas pale enough for dark marks on them. */
export const lineColour = "#0072b2";
export const areaColours = ["#56b4e9", "#e69f00", "#b3b3b3", "#009e73", "#cc79a7", "#f0e442"] as const;

/** One entry of the line of keys: a stroke and what it stands for. */
export interface Key {
  readonly text: string;
  readonly colour: string;
  readonly thickness: number;
  readonly dashed?: boolean;
}

export interface Sheet {
  readonly title: string;
  /** SVG markup, drawn from (0, 0) to (width, pictureHeight). */
  readonly picture: string;
  readonly pictureHeight: number;
  readonly width?: number;
  /** What the vertical axis shows, or how to read the picture. */
  readonly caption?: string;
  readonly keys?: readonly Key[];
  readonly notes?: readonly string[];
}

export function sheet({ title, picture, pictureHeight, width = sheetWidth, ...rest }: Sheet): string {
  const { caption, keys = [], notes = [] } = rest;
  const unit = width / sheetWidth;
  const [text, heading, gap] = [fontSize * unit, titleSize * unit, margin * unit];
  const parts: string[] = [];
  let y = gap / 2;
  const lines = (content: string, size: number, colour: string): void => {
    for (const line of wrap(content, size, (width - 2 * gap) / fallback)) {
      y += size * 1.25;
      parts.push(label(line, gap, y, size, colour));
    }
  };

  lines(title, heading, colours.ink);
  y += gap / 2;
  // Keys stand at the right of the caption where they fit, in lines under it where they do not.
  const keyWidths = keys.map((key) => keyWidth(key) * unit);
  const keysWidth = keyWidths.reduce((sum, one) => sum + one + gap, 0);
  if (caption !== undefined) lines(caption, text, colours.quiet);
  const beside = caption !== undefined && fallback * textWidth(caption, text) + keysWidth + 2 * gap <= width;
  if (keys.length > 0 && !beside) y += text * 1.3;
  let x = beside ? width - keysWidth : gap;
  keys.forEach((key, i) => {
    if (x > gap && x + keyWidths[i] > width - gap / 2) {
      x = gap;
      y += text * 1.3;
    }
    parts.push(keyMark(key, x, y, unit));
    x += keyWidths[i] + gap;
  });
  // Whole, so that a picture of pixels stays sharp.
  y = Math.ceil(y + gap);

  parts.push(`<g transform="translate(0,${y})">${picture}</g>`);
  y += pictureHeight;
  for (const note of notes) lines(note, text, colours.warning);
  const height = Math.ceil(y + gap / 2);

  const name = markup(title);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${name}" font-family="${fontFamily}, Arial, Helvetica, 'Liberation Sans', sans-serif"><title>${name}</title><rect width="${width}" height="${height}" fill="white"/>${parts.join("")}</svg>\n`;
}

const swatch = 30;

/** Room that a key takes at the usual width. */
export const keyWidth = ({ text }: Key): number => swatch + margin / 2 + fallback * textWidth(text, fontSize);

/** A stroke, and at its right what it stands for, on the line of text at `y`. */
export function keyMark({ text, colour, thickness, dashed }: Key, x: number, y: number, unit = 1): string {
  const dash = dashed ? ` stroke-dasharray="${6 * unit},${5 * unit}"` : "";
  const stroke = `stroke="${colour}" stroke-width="${thickness * unit}"${dash}`;
  const size = fontSize * unit;
  const line = `<path d="M${round(x)},${round(y - size * 0.35)}h${round(swatch * unit)}" fill="none" ${stroke}/>`;
  return line + label(text, x + (swatch + margin / 2) * unit, y, size, colours.quiet);
}

/** A picture that says why there is none. */
export function emptyPicture(message: string, width: number, height: number): string {
  const x = (width - textWidth(message, fontSize)) / 2;
  return label(message, x, height / 2, fontSize, colours.quiet);
}

export function label(text: string, x: number, y: number, size: number, colour: string): string {
  return `<text x="${round(x)}" y="${round(y)}" font-size="${round(size)}" fill="${colour}">${markup(text)}</text>`;
}

/** Arial's widths by class of letter, a little on the long side: exact enough to plan room, not to place letters. */
export function textWidth(text: string, size: number): number {
  let em = 0;
  for (const letter of text) em += letterWidths.find(([letters]) => letters.test(letter))?.[1] ?? 0.57;
  return em * size;
}

const letterWidths: readonly (readonly [RegExp, number])[] = [
  [/[ijl'|]/, 0.25],
  [/[ftI .,:;!/]/, 0.29],
  [/[r()[\]{}"-]/, 0.35],
  [/[ckszvxyJ]/, 0.51],
  [/[mMwW%@—]|[^ -\u04ff–±×−‘’“”]/, 1],
  [/[A-Z]/, 0.72],
];

/** The text, or as much of its beginning as fits, with an ellipsis. */
export function clip(text: string, size: number, width: number): string {
  if (textWidth(text, size) <= width) return text;
  const letters = [...text];
  while (letters.length > 0 && textWidth(`${letters.join("")}…`, size) > width) letters.pop();
  return `${letters.join("").trimEnd()}…`;
}

/** Lines no wider than `width`, at most three, broken at spaces. */
function wrap(text: string, size: number, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const longer = lines.length > 0 ? `${lines.at(-1)} ${word}` : word;
    if (lines.length > 0 && (textWidth(longer, size) <= width || lines.length === 3)) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.map((line) => clip(line, size, width));
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Text for XML: markup escaped, characters that XML 1.0 forbids shown as �. */
function markup(text: string): string {
  return printable(text).replace(/[&<>"]/g, (letter) => entities[letter]);
}

export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML forbids.
  return text.toWellFormed().replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd");
}

function round(length: number): number {
  return Math.round(length * 100) / 100;
}
