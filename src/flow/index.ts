/** Mathematics on any velocity field. Time 1 is noise, time 0 is actions. */
export { interpolate, velocityTarget } from "./interpolate.js";
export { sampleNoise } from "./sample-noise.js";
export { euler } from "./solvers/euler.js";
export { heun } from "./solvers/heun.js";
export { midpoint } from "./solvers/midpoint.js";
export { rk4 } from "./solvers/rk4.js";
export { solve } from "./solvers/solve.js";
export type { Solver } from "./solvers/solver.js";
export { SOLVERS, solverByName } from "./solvers/solver-by-name.js";
export { betaLaw, sampleTime, TIME_LAWS, type TimeLaw, timeLawByName, uniformLaw, uShapedLaw } from "./time-law.js";
export type { VelocityField } from "./velocity-field.js";
export { velocityLoss } from "./velocity-loss.js";
