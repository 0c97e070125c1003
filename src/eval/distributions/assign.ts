/**
 * The cheapest way to give each row a column of its own: a permutation p that minimises `sum_i cost[i, p(i)]`, exactly (but for
 * the rounding of sums), in O(n^3) steps.
 *
 * Rows are added one by one; each takes the cheapest path of exchanges to a free column, found as Dijkstra does with costs that
 * are reduced by a price for each row and column.
 *
 * @param cost finite numbers `[n, n]`, row by row
 * @returns the column of each row
 *
 * Reference: Jonker and Volgenant 1987, Computing 38 (its augmentation); Crouse 2016, IEEE TAES 52(4).
 */
export function assign(cost: Float64Array, n: number): Int32Array {
  const [rowPrices, columnPrices] = [new Float64Array(n), new Float64Array(n)];
  const [columnOf, rowOf] = [new Int32Array(n).fill(-1), new Int32Array(n).fill(-1)];
  const [distances, before, isReached] = [new Float64Array(n), new Int32Array(n), new Uint8Array(n)];
  for (let start = 0; start < n; start++) {
    distances.fill(Number.POSITIVE_INFINITY);
    isReached.fill(0);
    let [row, free, shortest] = [start, -1, 0];
    while (free < 0) {
      let [nearest, least] = [-1, Number.POSITIVE_INFINITY];
      for (let column = 0; column < n; column++) {
        if (isReached[column]) continue;
        const distance = shortest + cost[row * n + column]! - rowPrices[row]! - columnPrices[column]!;
        if (distance < distances[column]!) {
          distances[column] = distance;
          before[column] = row;
        }
        // Of equally near columns a free one ends the search.
        const isNearer = distances[column]! < least || (distances[column] === least && rowOf[column] === -1);
        if (nearest < 0 || isNearer) [nearest, least] = [column, distances[column]!];
      }
      shortest = least;
      isReached[nearest] = 1;
      if (rowOf[nearest] === -1) free = nearest;
      else row = rowOf[nearest]!;
    }
    rowPrices[start]! += shortest;
    for (let column = 0; column < n; column++) {
      if (!isReached[column] || column === free) continue;
      const slack = shortest - distances[column]!;
      rowPrices[rowOf[column]!]! += slack;
      columnPrices[column]! -= slack;
    }
    for (let column = free; ; ) {
      const taker = before[column]!;
      const given = columnOf[taker]!;
      rowOf[column] = taker;
      columnOf[taker] = column;
      if (taker === start) break;
      column = given;
    }
  }
  return columnOf;
}
