import { OBSTACLES, ROD_RADIUS } from "./scene.js";

/** Centres and squared distances of contact as plain numbers: the loop below is most of the cost of a step. */
const DISCS = OBSTACLES.map(({ centre: [x, y], radius }) => ({ x, y, reachSquared: (radius + ROD_RADIUS) ** 2 }));

/**
 * Whether the rod touches an obstacle anywhere on the straight way between two places, both included: the distance of
 * centres is below the sum of radii. Looking at the end alone would let fast policies jump over obstacles.
 */
export function touchesObstacle(fromX: number, fromY: number, toX: number, toY: number): boolean {
  const [dx, dy] = [toX - fromX, toY - fromY];
  const lengthSquared = dx * dx + dy * dy;
  for (const { x, y, reachSquared } of DISCS) {
    const along = lengthSquared === 0 ? 0 : ((x - fromX) * dx + (y - fromY) * dy) / lengthSquared;
    const nearest = Math.max(0, Math.min(1, along));
    const [offX, offY] = [fromX + nearest * dx - x, fromY + nearest * dy - y];
    if (offX * offX + offY * offY < reachSquared) return true;
  }
  return false;
}
