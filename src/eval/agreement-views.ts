import type { HostArray } from "../support/host-array.js";
import { type Agreement, measureAgreement } from "./agreement.js";
import { type ActionsView, viewActions } from "./samples/view-actions.js";

/** One agreement per view: what is predicted and what is executed of it, in the network's units and in the robot's. */
export interface AgreementViews {
  readonly chunk: Agreement;
  /** the first `numActionSteps` */
  readonly executed: Agreement;
  readonly physicalChunk: Agreement;
  readonly physicalExecuted: Agreement;
}

/**
 * Agreement on the whole chunk and on the steps that are executed, in normalised and in physical units. Without an offset
 * the physical `relativeError` is about deviations from the dataset's mean; the other two measures do not depend on it.
 *
 * @param samples float32 `[O, K, A, M]`, normalised
 * @param reference of the same shape
 * @throws ShapeError as `measureAgreement`, ConfigError for a view that does not fit
 */
export function agreementViews(
  samples: HostArray,
  reference: HostArray,
  { numActionSteps, scale, offset = scale.map(() => 0) }: Required<Omit<ActionsView, "offset">> & ActionsView,
): AgreementViews {
  const seen = (view: ActionsView): Agreement =>
    measureAgreement(viewActions(samples, view), viewActions(reference, view));
  return {
    chunk: seen({}),
    executed: seen({ numActionSteps }),
    physicalChunk: seen({ scale, offset }),
    physicalExecuted: seen({ numActionSteps, scale, offset }),
  };
}
