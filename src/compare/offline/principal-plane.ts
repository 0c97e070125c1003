/** A plane through the mean of some points: where the points scatter most. */
export interface PrincipalPlane {
  readonly centre: Float64Array;
  /** unit vectors; zeros where the points do not scatter in so many directions */
  readonly axes: readonly [Float64Array, Float64Array];
}

/** More than enough: where two axes are nearly as good, any mixture of them is, too. */
const NUM_ROUNDS = 200;

/** The first two principal components, by the power method. Nothing is drawn. */
export function principalPlane(points: readonly ArrayLike<number>[]): PrincipalPlane {
  const size = points[0]!.length;
  const centre = Float64Array.from({ length: size }, (_, i) =>
    points.reduce((sum, point) => sum + point[i]! / points.length, 0),
  );
  const rest = points.map((point) => Float64Array.from(centre, (mean, i) => point[i]! - mean));
  const largest = Math.max(...rest.map(lengthOf));
  const first = takeAxis(rest, largest);
  return { centre, axes: [first, takeAxis(rest, largest)] };
}

/** Where a point is in a plane. */
export const project = ({ centre, axes }: PrincipalPlane, point: ArrayLike<number>): [number, number] => [
  dot(axes[0], centre, point),
  dot(axes[1], centre, point),
];

const lengthOf = (vector: Float64Array): number => Math.sqrt(vector.reduce((sum, value) => sum + value ** 2, 0));

const dot = (axis: Float64Array, centre: Float64Array, point: ArrayLike<number>): number =>
  axis.reduce((sum, value, i) => sum + value * (point[i]! - centre[i]!), 0);

/** The direction in which vectors scatter most, which is then taken out of them. */
function takeAxis(vectors: readonly Float64Array[], largest: number): Float64Array {
  const longest = vectors.reduce((best, vector) => (lengthOf(vector) > lengthOf(best) ? vector : best));
  const size = longest.length;
  if (lengthOf(longest) <= 1e-6 * largest || largest === 0) return new Float64Array(size);
  const origin = new Float64Array(size);
  let axis = unit(longest);
  for (let round = 0; round < NUM_ROUNDS; round++) {
    const next = new Float64Array(size);
    for (const vector of vectors) {
      const along = dot(axis, origin, vector);
      for (let i = 0; i < size; i++) next[i]! += along * vector[i]!;
    }
    axis = unit(next);
  }
  for (const vector of vectors) {
    const along = dot(axis, origin, vector);
    for (let i = 0; i < size; i++) vector[i]! -= along * axis[i]!;
  }
  return axis;
}

function unit(vector: Float64Array): Float64Array {
  const length = lengthOf(vector);
  return vector.map((value) => value / length);
}
