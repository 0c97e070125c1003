import type { VelocityField } from "../../src/flow/index.js";
import {
  add,
  addScalar,
  div,
  mul,
  mulScalar,
  reshape,
  rsubScalar,
  sigmoid,
  square,
  sub,
  type Tensor,
  toDtype,
} from "../../src/torch/index.js";

/** Time as `float64[B, 1, 1]`, in the sense of the papers: 0 is noise, 1 is actions. */
const paperTime = (time: Tensor): Tensor => rsubScalar(toDtype(reshape(time, [-1, 1, 1]), "float64"), 1);

/** `(1 - t)^2 + t^2 s^2`: the variance of a point at the papers' time t. */
const varianceAt = (t: Tensor, std: number): Tensor => add(square(rsubScalar(t, 1)), mulScalar(square(t), std ** 2));

/**
 * The exact velocity field of standard normal noise and actions of the normal law with the given mean and standard
 * deviation: `-(m + (t s^2 - (1 - t)) / ((1 - t)^2 + t^2 s^2) * (x - t m))`, with t = 1 - time. Its paths end at
 * `m + s * noise`.
 */
export const gaussianField =
  (mean: number, std: number): VelocityField =>
  (x, time) => {
    const t = paperTime(time);
    const slope = div(sub(mulScalar(t, std ** 2), rsubScalar(t, 1)), varianceAt(t, std));
    return rsubScalar(mul(slope, sub(x, mulScalar(t, mean))), -mean);
  };

/** The exact field of actions of two modes, at -centre and +centre with equal odds, each of the given spread. */
export const twoModesField =
  (centre: number, std: number): VelocityField =>
  (x, time) => {
    const t = paperTime(time);
    const oddsOfUpper = sigmoid(div(mulScalar(mul(t, x), 2 * centre), varianceAt(t, std)));
    const [upper, lower] = [gaussianField(centre, std)(x, time), gaussianField(-centre, std)(x, time)];
    return add(mul(oddsOfUpper, upper), mul(addScalar(mulScalar(oddsOfUpper, -1), 1), lower));
  };
