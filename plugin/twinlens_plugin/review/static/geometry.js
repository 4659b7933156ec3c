// 3 x 3 matrices, row by row, that take points to points: how one photo lies over another.

export const IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0, 1];

export function multiply(m, n) {
  const out = [];
  for (let row = 0; row < 9; row += 3) {
    for (let column = 0; column < 3; column += 1) {
      out.push(m[row] * n[column] + m[row + 1] * n[column + 3] + m[row + 2] * n[column + 6]);
    }
  }
  return out;
}

export function scaling(x, y) {
  return [x, 0, 0, 0, y, 0, 0, 0, 1];
}

export function moving(x, y) {
  return [1, 0, x, 0, 1, y, 0, 0, 1];
}

/** The inverse; null where there is none. */
export function inverse(m) {
  const [a, b, c, d, e, f, g, h, i] = m;
  const out = [
    e * i - f * h, c * h - b * i, b * f - c * e,
    f * g - d * i, a * i - c * g, c * d - a * f,
    d * h - e * g, b * g - a * h, a * e - b * d,
  ];
  const determinant = a * out[0] + b * out[3] + c * out[6];
  return Math.abs(determinant) < 1e-12 ? null : out.map((value) => value / determinant);
}

/** Where a point goes; null where it goes behind the horizon. */
export function apply(m, [x, y]) {
  const depth = m[6] * x + m[7] * y + m[8];
  if (depth <= 1e-9) return null;
  return [(m[0] * x + m[1] * y + m[2]) / depth, (m[3] * x + m[4] * y + m[5]) / depth];
}

/** Where the corners of the box of this size go, clockwise from the upper left; null where one is lost. */
export function corners(m, [width, height]) {
  const found = [[0, 0], [width, 0], [width, height], [0, height]].map((point) => apply(m, point));
  return found.includes(null) ? null : found;
}

/** For CSS, whose matrix3d stands column by column: an element with its origin at its upper left corner. */
export function matrix3d(m) {
  const [a, b, c, d, e, f, g, h, i] = m;
  return `matrix3d(${[a, d, 0, g, b, e, 0, h, 0, 0, 1, 0, c, f, 0, i].join(",")})`;
}

/** Box around points: [left, top, right, bottom]. */
export function around(points) {
  const x = points.map((point) => point[0]);
  const y = points.map((point) => point[1]);
  return [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)];
}
